"""How time and memory grow with the number of images and with the width of the network."""

import hashlib
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
from numpy.typing import NDArray
from ruamel.yaml import YAML

from stages.__main__ import STAGES
from stages.common import layout
from stages.parameters import Dataset
from stages.sources import idx
from tools.benchmarks.measured import run
from tools.benchmarks.report import Section
from tools.common.markdown import number_table

ROWS = (0.1, 1.0, 10.0)  # times the images there are
WIDTHS = (0.5, 1.0, 2.0, 4.0)  # times the units of each hidden layer
EPOCHS = 2
KEY = "grown"  # the data set's name in the copy of the project
NOISE = 8  # added to a pixel that is not 0, at most
CHUNK = 10_000


class Point(NamedTuple):
    """What one stage took at one size."""

    stage: str
    size: float
    seconds: float
    peak: float
    held: float


def grow(source: Path, target: Path, factor: float) -> None:
    """Write an IDX file with so many times the images, repeated with noise, or labels."""
    array = idx.read(source)
    count = round(len(array) * factor)
    random = np.random.default_rng(0)
    grown = np.empty((count, *array.shape[1:]), np.uint8)
    for start in range(0, count, CHUNK):
        rows: NDArray[np.uint8] = array[np.arange(start, min(start + CHUNK, count)) % len(array)]
        if rows.ndim > 1 and factor > 1:
            noise = random.integers(0, NOISE, rows.shape, np.uint8)
            rows = np.where((rows > 0) & (rows < 255 - NOISE), rows + noise, rows)
        grown[start : start + len(rows)] = rows
    idx.write(target, grown)


def prepare(project: Path, name: str, dataset: Dataset, rows: float, width: float) -> None:
    """A folder with the stages, parameters for one data set, and its files to fetch."""
    shutil.copytree("stages", project / "stages")
    mirror = project / "mirror" / KEY
    mirror.mkdir(parents=True)
    yaml = YAML()
    content = yaml.load(Path("params.yaml"))
    chosen = content["datasets"][name]
    for file, expected in chosen["files"].items():
        grow(layout.raw(name) / file, mirror / file, rows)
        expected["bytes"] = (mirror / file).stat().st_size
        with (mirror / file).open("rb") as opened:
            expected["sha256"] = hashlib.file_digest(opened, "sha256").hexdigest()
    chosen["validation_images"] = round(dataset.validation_images * rows)
    chosen["network"]["hidden"] = [round(units * width) for units in dataset.network.hidden]
    chosen["training"] |= {"epochs": EPOCHS, "warmup_epochs": 1}
    content["datasets"] = {KEY: chosen}
    with (project / "params.yaml").open("w", encoding="utf-8") as file_of_parameters:
        yaml.dump(content, file_of_parameters)


def points(name: str, dataset: Dataset, rows: float, width: float, size: float) -> Iterator[Point]:
    """What each stage takes, at so many times the images and so many times the width."""
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch, "project")
        prepare(project, name, dataset, rows, width)
        for stage in STAGES:
            measured = run(
                sys.executable,
                "-m",
                "stages",
                stage,
                KEY,
                cwd=project,
                variables={"DATASETS_MIRROR": str(project / "mirror"), "PYTHONPATH": os.curdir},
            )
            print(stage, size, *measured[:3], file=sys.stderr, flush=True)
            yield Point(stage, size, *measured[:3])


def slope(sizes: list[float], values: list[float]) -> float:
    """The exponent of growth between the two largest sizes."""
    return log(values[-1] / values[-2]) / log(sizes[-1] / sizes[-2])


def compare(name: str, dataset: Dataset, picture: Path) -> Section:
    """Measure, and draw the picture."""
    by_rows = [point for rows in ROWS for point in points(name, dataset, rows, 1.0, rows)]
    by_width = [
        point
        for width in WIDTHS
        for point in points(name, dataset, 1.0, width, width)
        if point.stage in ("train", "evaluate")
    ]
    figure = Figure(figsize=(9, 7), layout="constrained")
    panels = figure.subplots(2, 2)
    tables = []
    for column, (what, found) in enumerate({"images": by_rows, "width": by_width}.items()):
        rows = []
        for stage in dict.fromkeys(point.stage for point in found):
            line = [point for point in found if point.stage == stage]
            sizes = [point.size for point in line]
            for panel, attribute in zip(panels[:, column], ("seconds", "held"), strict=True):
                values = [getattr(point, attribute) for point in line]
                label = f"{stage}, slope {slope(sizes, values):.2f}"
                panel.loglog(sizes, values, marker="o", label=label)
                panel.set_xlabel(f"times the {what}")
                panel.set_ylabel({"seconds": "seconds", "held": "MiB without mapped files"}[attribute])
            cells = [f"{point.seconds:.1f} s, {point.held:.0f} MiB" for point in line]
            rows.append([stage, *cells, f"{slope(sizes, [point.seconds for point in line]):.2f}"])
        header = [f"{what} of {name}", *(f"x {size:g}" for size in sizes), "slope of the time"]
        tables.append(number_table(header, rows))
    for panel in panels.flat:
        panel.legend(fontsize=8)
        panel.grid(which="both", alpha=0.3)
    figure.suptitle(f"Growth of each stage, {EPOCHS} epochs of training, {name}")
    figure.savefig(picture, dpi=100)
    text = "\n\n".join(
        [
            f"Whole stages, with {EPOCHS} epochs of training; memory at its peak, without mapped files, "
            "which the system can take back. The slope is that of the last step: 1 is proportional.",
            *tables,
            f"![Time and memory of each stage against the number of images and the width]({picture.name})",
        ]
    )
    return Section("Growth", text)
