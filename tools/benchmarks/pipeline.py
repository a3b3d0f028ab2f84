"""Times of the parts of a whole `dvc repro`, and of stages against the input and output that they need."""

import contextlib
import gzip
import hashlib
import io
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from stages import fetch, preprocess
from stages.common import layout
from stages.common.files import atomic_folder
from stages.parameters import Dataset
from stages.splits import arrays
from tools.benchmarks.measurement import Measurement, measure, measure_python
from tools.benchmarks.report import Section, Target
from tools.common import dvc
from tools.common.markdown import number_table

REPEATS = 3
TARGET_FLOORS = 1.5  # times of reading, decompressing, hashing and writing once
TARGET_EVALUATE_SECONDS = 1.5  # beyond imports and loading
TARGET_OVERHEAD = 0.25  # share of DVC, imports and reading in a cold run
TARGET_STATUS_TIMES = 1.2  # the time of `dvc repro` with nothing to do, in times of `dvc status`

LOAD_MODEL = "import sys; from stages.common.backend import keras; keras.saving.load_model(sys.argv[1])"
IMPORT_TRAIN = "import stages.train"


def measure_dvc(*arguments: str) -> Measurement:
    """Run DVC and measure it."""
    return measure(*dvc.command(*arguments), variables={"PATH": dvc.variables()["PATH"]})


def measure_pipeline(name: str, dataset: Dataset) -> Section:
    """Measure `dvc repro` of one data set: all stages, after a change, and with nothing to do.

    Args:
        name: the key of the data set.
        dataset: its parameters.
    """
    target = f"evaluate@{name}"
    first_stages = {
        stage: measure_python("-m", "stages", stage, name).seconds for stage in ("fetch", "preprocess")
    }
    imports = median(measure_python("-c", IMPORT_TRAIN).seconds for _ in range(REPEATS))
    model = str(layout.model(name))
    loading = median(measure_python("-c", LOAD_MODEL, model).seconds for _ in range(REPEATS))
    evaluate = median(measure_python("-m", "stages", "evaluate", name).seconds for _ in range(REPEATS))
    train = measure_python("-m", "stages", "train", name).seconds
    cold = measure_dvc("repro", "--force", target).seconds
    no_op = median(measure_dvc("repro").seconds for _ in range(REPEATS))
    status = median(measure_dvc("status").seconds for _ in range(REPEATS))
    after_change = measure_dvc("repro", "--force", "--single-item", target).seconds
    dvc_itself = cold - sum(first_stages.values()) - train - evaluate
    reading = time_reading(name)
    overhead = (max(dvc_itself, 0) + imports + loading + sum(first_stages.values()) + reading) / cold
    rows = [
        ["DVC itself", f"{dvc_itself:.1f} s"],
        ["fetch, from a local folder", f"{first_stages['fetch']:.1f} s"],
        ["preprocess", f"{first_stages['preprocess']:.1f} s"],
        ["train: interpreter and imports", f"{imports:.1f} s"],
        ["train: reading the arrays once", f"{reading:.2f} s"],
        ["train: building, training and writing", f"{train - imports - reading:.1f} s"],
        ["evaluate: interpreter, imports and loading the model", f"{loading:.1f} s"],
        ["evaluate: scoring, drawing and writing", f"{evaluate - loading:.1f} s"],
        [f"**cold `dvc repro --force {target}`**", f"**{cold:.1f} s**"],
        ["after a change that only evaluate reads", f"{after_change:.1f} s"],
        ["`dvc repro` with nothing to do", f"{no_op:.2f} s"],
        ["`dvc status`", f"{status:.2f} s"],
    ]
    targets = [
        Target(f"{name}: share of a cold run in DVC, imports and reading", TARGET_OVERHEAD, overhead),
        Target(
            f"{name}: evaluate, seconds beyond imports and loading",
            TARGET_EVALUATE_SECONDS,
            evaluate - loading,
        ),
        Target(
            "`dvc repro` with nothing to do, in times of `dvc status`", TARGET_STATUS_TIMES, no_op / status
        ),
        *compare_with_floors(name, dataset),
    ]
    return Section(f"The whole pipeline of {name}", number_table(("part", "time"), rows), targets)


def time_reading(name: str) -> float:
    """Return the seconds of reading the training and validation images once."""
    start = time.perf_counter()
    for split in ("train", "validation"):
        np.asarray(arrays.read(layout.processed(name, split)).images).sum()
    return time.perf_counter() - start


def compare_with_floors(name: str, dataset: Dataset) -> list[Target]:
    """Measure fetch and preprocess in floors: times of the input and output that each needs.

    The floor and the stage take turns, so that both find the machine in the same state.
    """
    floors: dict[str, list[float]] = {"fetch": [], "preprocess": []}
    with tempfile.TemporaryDirectory(dir=".") as scratch:
        folder = Path(scratch)
        archives = [folder / f"{file}.gz" for file in layout.RAW_FILES]
        raw = [layout.raw(name) / file for file in layout.RAW_FILES]
        for source, target in zip(raw, archives, strict=True):
            target.write_bytes(gzip.compress(source.read_bytes()))
        for _ in range(REPEATS):
            floor = _time_copy(archives, folder / "archives")
            start = time.perf_counter()
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                mirror = str(folder.absolute())
                fetch.fetch(dataset.source, dataset.files, folder / "fetched", mirror)
            floors["fetch"].append((time.perf_counter() - start) / floor)

            floor = _time_copy(raw, folder / "raw")
            start = time.perf_counter()
            for split, (whole, rows) in preprocess.divide(dataset, layout.raw(name)).items():
                arrays.write(folder / split, whole, rows)
            floors["preprocess"].append((time.perf_counter() - start) / floor)
    return [
        Target(f"{name}: {stage}, in times of its raw input and output", TARGET_FLOORS, median(values))
        for stage, values in floors.items()
    ]


def _time_copy(sources: list[Path], folder: Path) -> float:
    """Return the seconds of reading, decompressing, hashing and writing files once."""
    start = time.perf_counter()
    with atomic_folder(folder) as new:
        for source in sources:
            content = source.read_bytes()
            if source.suffix == ".gz":
                content = gzip.decompress(content)
            hashlib.sha256(content).digest()
            (new / source.name).write_bytes(content)
    return time.perf_counter() - start
