"""Growth of each stage's time and memory with the number of images and the width of the network."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from math import log
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter
from numpy.typing import NDArray
from ruamel.yaml import YAML

from stages.__main__ import STAGES
from stages.common import checksums, layout, packages, params_file
from stages.parameters import Dataset
from stages.sources import idx
from tools.benchmarks.measurement import measure
from tools.benchmarks.report import Section
from tools.common.markdown import number_table

IMAGE_FACTORS = (0.1, 1.0, 10.0)  # by which the number of images is multiplied
WIDTH_FACTORS = (0.5, 1.0, 2.0, 4.0)  # by which the units of each hidden layer are multiplied
EPOCHS = 2
KEY = "grown"  # of the data set in the copy of the project
NOISE = 8  # added to pixels other than 0: less than this
CHUNK_ROWS = 10_000


class Point(NamedTuple):
    """The measurement of a stage at one size.

    Attributes:
        stage: its name.
        factor: the number of images or the width, relative to the project's own.
        seconds: from the start to the end of the process.
        memory: the peak in MiB, without mapped files.
    """

    stage: str
    factor: float
    seconds: float
    memory: float


def resample(source: Path, target: Path, factor: float, largest_pixel: int) -> None:
    """Write an IDX file with `factor` times the images, repeated with noise, or `factor` times the labels.

    Args:
        source: an IDX file.
        target: the file to write.
        factor: less than 1 for the first images alone.
        largest_pixel: the largest value that a pixel may have.
    """
    array = idx.read(source)
    count = round(len(array) * factor)
    random = np.random.default_rng(0)
    result = np.empty((count, *array.shape[1:]), np.uint8)
    for start in range(0, count, CHUNK_ROWS):
        rows: NDArray[np.uint8] = array[np.arange(start, min(start + CHUNK_ROWS, count)) % len(array)]
        if rows.ndim > 1 and factor > 1:
            noise = random.integers(0, NOISE, rows.shape, np.uint8)
            rows = np.where((rows > 0) & (rows < largest_pixel - NOISE), rows + noise, rows)
        result[start : start + len(rows)] = rows
    idx.write(target, result)


def prepare(project: Path, name: str, dataset: Dataset, images: float, width: float) -> None:
    """Write a folder with the stages, the parameters of one data set, and a mirror of its files.

    Args:
        project: the folder to write.
        name: the key of the data set in this project.
        dataset: its parameters.
        images: the factor of the number of images.
        width: the factor of the units of hidden layers.
    """
    shutil.copytree("stages", project / "stages")
    shutil.copy(packages.FILE, project)
    mirror = project / "mirror"
    mirror.mkdir()
    yaml = YAML()
    content = yaml.load(params_file.FILE)
    section = content["datasets"][name]
    section["source"] = {"kind": "mirrors", "urls": [str(mirror)]}
    for file in layout.RAW_FILES:
        resample(layout.raw(name) / file, mirror / file, images, dataset.largest_pixel)
        section["files"][file] = {
            "bytes": (mirror / file).stat().st_size,
            "sha256": checksums.sha256(mirror / file),
        }
    section["validation_images"] = round(dataset.validation_images * images)
    section["network"]["hidden"] = [round(units * width) for units in dataset.network.hidden]
    section["training"] |= {"epochs": EPOCHS, "warmup_epochs": 1}
    content["datasets"] = {KEY: section}
    yaml.dump(content, project / params_file.FILE)


def measure_stages(
    name: str, dataset: Dataset, *, images: float = 1.0, width: float = 1.0
) -> Iterator[Point]:
    """Yield the measurement of each stage, with other numbers of images and units.

    Args:
        name: the key of the data set.
        dataset: its parameters.
        images: the factor of the number of images.
        width: the factor of the units of hidden layers.
    """
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch, "project")
        prepare(project, name, dataset, images, width)
        for stage in STAGES:
            measurement = measure(
                *(sys.executable, "-m", "stages", stage, KEY),
                cwd=project,
                variables={"PYTHONPATH": os.curdir},
            )
            point = Point(stage, images * width, measurement.seconds, measurement.unmapped_peak)
            print(*point, file=sys.stderr, flush=True)
            yield point


def compute_slope(factors: list[float], values: list[float]) -> float:
    """Return the exponent of growth between the two largest factors."""
    return log(values[-1] / values[-2]) / log(factors[-1] / factors[-2])


def measure_growth(name: str, dataset: Dataset, picture: Path) -> Section:
    """Measure all stages at all sizes, and draw the picture.

    Args:
        name: the key of the data set.
        dataset: its parameters.
        picture: the file to write.
    """
    points_by_quantity = {
        "images": [
            point for factor in IMAGE_FACTORS for point in measure_stages(name, dataset, images=factor)
        ],
        "width": [
            point
            for factor in WIDTH_FACTORS
            for point in measure_stages(name, dataset, width=factor)
            if point.stage in ("train", "evaluate")
        ],
    }
    figure = Figure(figsize=(9, 7), layout="constrained")
    panels = figure.subplots(2, 2)
    tables = []
    for column, (quantity, points) in enumerate(points_by_quantity.items()):
        rows = []
        for stage in dict.fromkeys(point.stage for point in points):
            line = [point for point in points if point.stage == stage]
            factors, seconds = [point.factor for point in line], [point.seconds for point in line]
            memory = [point.memory for point in line]
            for panel, values, unit in (
                (panels[0, column], seconds, "seconds"),
                (panels[1, column], memory, "MiB without mapped files"),
            ):
                label = f"{stage}, slope {compute_slope(factors, values):.2f}"
                panel.loglog(factors, values, marker="o", label=label)
                panel.set_xlabel(f"times the {quantity}")
                panel.set_xticks(factors, [f"{factor:g}" for factor in factors])
                panel.set_ylabel(unit)
            cells = [f"{point.seconds:.1f} s, {point.memory:.0f} MiB" for point in line]
            rows.append([stage, *cells, f"{compute_slope(factors, seconds):.2f}"])
        head = [f"{quantity} of {name}", *(f"x {factor:g}" for factor in factors), "slope of the time"]
        tables.append(number_table(head, rows))
    for panel in panels.flat:
        panel.legend(fontsize=8)
        panel.grid(which="both", alpha=0.3)
        panel.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
        panel.yaxis.set_major_formatter(LogFormatter())  # 400 in place of 4 x 10^2
        panel.yaxis.set_minor_formatter(LogFormatter())
    figure.suptitle(f"Growth of each stage, {EPOCHS} epochs of training, {name}")
    figure.savefig(picture, dpi=100)
    text = "\n\n".join(
        [
            f"Whole stages, with {EPOCHS} epochs of training. Memory is the peak without mapped files, which "
            "the system can take back. The slope is the exponent of growth between the two largest sizes: "
            "1 is proportional.",
            *tables,
            f"![Time and memory of each stage against the number of images and the width]({picture.name})",
        ]
    )
    return Section("Growth", text)
