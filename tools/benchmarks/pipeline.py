"""Where the time of a whole `dvc repro` goes, and how near each stage is to what it cannot avoid."""

import contextlib
import gzip
import hashlib
import io
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from stages import fetch, preprocess
from stages.common import layout
from stages.common.files import whole_folder
from stages.parameters import Dataset
from stages.splits import arrays
from tools.benchmarks.measured import Measured, python
from tools.benchmarks.report import Section, Target
from tools.common.markdown import number_table

REPEATS = 3
RAW_WORK = 1.5  # times reading, decompressing, hashing and writing once
BEYOND_IMPORTS = 1.5  # seconds of evaluate
OVERHEAD = 0.25  # of a cold run: DVC, imports, reading
NO_OP = 1.2  # times `dvc status`

LOAD = "import sys, stages, keras, tensorflow; keras.saving.load_model(sys.argv[1])"
TRAIN_IMPORTS = "import stages.train"


def dvc(*arguments: str) -> Measured:
    """Run DVC."""
    return python("-m", "dvc", *arguments)


def compare(name: str, dataset: Dataset, recorded: dict[str, list[float]]) -> Section:
    """`dvc repro` of one data set: everything, after a change, and nothing."""
    target = f"evaluate@{name}"
    stages = {stage: python("-m", "stages", stage, name).seconds for stage in ("fetch", "preprocess")}
    imports = statistics.median(python("-c", TRAIN_IMPORTS).seconds for _ in range(REPEATS))
    loading = statistics.median(python("-c", LOAD, str(layout.model(name))).seconds for _ in range(REPEATS))
    evaluates = [python("-m", "stages", "evaluate", name).seconds for _ in range(REPEATS)]
    train = python("-m", "stages", "train", name).seconds
    cold = dvc("repro", "--force", target).seconds
    evaluate = statistics.median(evaluates)
    no_op = [dvc("repro").seconds for _ in range(REPEATS)]
    status = [dvc("status").seconds for _ in range(REPEATS)]
    changed = dvc("repro", "--force", "--single-item", target).seconds
    around = cold - sum(stages.values()) - train - evaluate
    reading = read(name)
    overhead = (max(around, 0) + imports + loading + sum(stages.values()) + reading) / cold
    recorded |= {"evaluate": evaluates, "nothing to do": no_op, "dvc status": status}
    rows = [
        ["DVC itself", f"{around:.1f} s"],
        ["fetch, from a local folder", f"{stages['fetch']:.1f} s"],
        ["preprocess", f"{stages['preprocess']:.1f} s"],
        ["train: interpreter and imports", f"{imports:.1f} s"],
        ["train: reading the arrays once", f"{reading:.2f} s"],
        ["train: building, training and writing", f"{train - imports - reading:.1f} s"],
        ["evaluate: interpreter, imports and loading the model", f"{loading:.1f} s"],
        ["evaluate: scoring, drawing and writing", f"{evaluate - loading:.1f} s"],
        [f"**cold `dvc repro --force {target}`**", f"**{cold:.1f} s**"],
        ["after a change that only evaluate reads", f"{changed:.1f} s"],
        ["`dvc repro` with nothing to do", f"{statistics.median(no_op):.2f} s"],
        ["`dvc status`", f"{statistics.median(status):.2f} s"],
    ]
    targets = [
        Target(f"{name}: share of a cold run in DVC, imports and reading", OVERHEAD, overhead),
        Target(f"{name}: evaluate, seconds beyond imports and loading", BEYOND_IMPORTS, evaluate - loading),
        Target(
            "no-op `dvc repro`, in `dvc status`es",
            NO_OP,
            statistics.median(no_op) / statistics.median(status),
        ),
        *raw_work(name, dataset),
    ]
    return Section(f"The whole pipeline of {name}", number_table(("part", "time"), rows), targets)


def read(name: str) -> float:
    """Seconds to read the arrays of training and validation once."""
    start = time.perf_counter()
    for split in ("train", "validation"):
        np.asarray(arrays.read(layout.processed(name, split)).images).sum()
    return time.perf_counter() - start


def raw_work(name: str, dataset: Dataset) -> list[Target]:
    """Fetch and preprocess, in times of the input and output that they cannot avoid; in turns."""
    ratios: dict[str, list[float]] = {"fetch": [], "preprocess": []}
    with tempfile.TemporaryDirectory(dir=".") as scratch:
        folder = Path(scratch)
        for raw in layout.raw(name).iterdir():
            (folder / f"{raw.name}.gz").write_bytes(gzip.compress(raw.read_bytes()))
        kept = {file.name: file.read_bytes() for file in folder.iterdir()}
        for _ in range(REPEATS):
            start = time.perf_counter()
            with whole_folder(folder / "floor") as new:
                for compressed in kept:
                    content = gzip.decompress((folder / compressed).read_bytes())
                    hashlib.sha256(content).digest()
                    (new / compressed).write_bytes(content)
            floor = time.perf_counter() - start
            start = time.perf_counter()
            mirror = str(folder.absolute())
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                fetch.fetch(dataset.source, dataset.files, folder / "fetched", mirror)
            ratios["fetch"].append((time.perf_counter() - start) / floor)
            start = time.perf_counter()
            with whole_folder(folder / "floor") as new:
                for raw in layout.raw(name).iterdir():
                    content = raw.read_bytes()
                    hashlib.sha256(content).digest()
                    (new / raw.name).write_bytes(content)
            floor = time.perf_counter() - start
            start = time.perf_counter()
            for split, (whole, rows) in preprocess.splits(dataset, layout.raw(name)).items():
                arrays.write(folder / split, whole, rows)
            ratios["preprocess"].append((time.perf_counter() - start) / floor)
    return [
        Target(f"{name}: {stage}, in times of its raw input and output", RAW_WORK, statistics.median(found))
        for stage, found in ratios.items()
    ]
