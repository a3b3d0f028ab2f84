"""Training, beside what people would use instead, and beside the speed of this machine's matrix products.

A dense network multiplies matrices; all else is overhead. So the floor of an epoch is the time that its
products alone would take at the rate that a large float32 product in NumPy reaches in the same round, on as
many threads: 2 operations for each weight and image on the way forward and 4 on the way back. That usual
count is a little generous, since the first layer needs only 2 of the 4.
"""

import importlib.util
import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from statistics import median
from typing import Any

from stages.common import layout
from stages.parameters import Dataset
from stages.splits import arrays
from tools.benchmarks.measured import Measured, python
from tools.benchmarks.report import Section, Target
from tools.common.markdown import number_table

OURS, KERAS, SKLEARN, PYTORCH = "this project", "Keras script", "scikit-learn", "PyTorch"
PROGRAMS = {OURS: "project", KERAS: "plain_keras", SKLEARN: "plain_sklearn", PYTORCH: "plain_pytorch"}
FASTER = {KERAS: 1.5, SKLEARN: 2.0, PYTORCH: 1.2}  # as many times as the project aims to be
FLOORS = 1.6  # as many as an epoch should take
BATCH_SIZES = (128, 256, 512)
LARGE = 10_000  # images, from which on a batch size of 512 makes sense
EPOCHS = 3  # of which the first, which compiles, does not count
ROUNDS = 2  # at the batch size of params.yaml; at others one, of those named first
RACES = 1  # to an accuracy: they take a minute each
SOONER = 3.0
EXTRA_MEBIBYTES = 300


def contestants() -> list[str]:
    """Those that are installed."""
    return [name for name in PROGRAMS if name != PYTORCH or importlib.util.find_spec("torch")]


def run(program: str, name: str, dataset: Dataset, **changes: Any) -> tuple[dict[str, Any], Measured]:
    """Let a contestant train; return what it printed and what it took."""
    job = {
        "dataset": name,
        "folder": str(layout.processed(name, "train").parent),
        "largest_pixel": dataset.largest_pixel,
        "reach": None,
        **dataset.network.model_dump(),
        **{key: getattr(dataset.training, key) for key in ("batch_size", "epochs")},
        **changes,
    }
    measured = python("-m", f"tools.benchmarks.scripts.{PROGRAMS[program]}", json.dumps(job))
    return json.loads(measured.output.splitlines()[-1]), measured


def operations(dataset: Dataset, images: int, pixels: int) -> int:
    """Those of an epoch's products."""
    widths = [pixels, *dataset.network.hidden, len(dataset.classes)]
    return 6 * images * sum(above * below for above, below in pairwise(widths))


def epochs(name: str, dataset: Dataset, batch_size: int) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds of an epoch in each round, those of the floor among them; and each one's peak memory in MiB."""
    training = arrays.read(layout.processed(name, "train"))
    work = operations(dataset, len(training.labels), training.images[0].size)
    seconds: dict[str, list[float]] = defaultdict(list)
    memory: dict[str, float] = {}
    shipped = batch_size == dataset.training.batch_size
    for _ in range(ROUNDS if shipped else 1):
        seconds["floor"].append(work / float(python("-m", "tools.benchmarks.scripts.product_rate").output))
        for program in contestants() if shipped else (OURS, KERAS):
            printed, measured = run(program, name, dataset, batch_size=batch_size, epochs=EPOCHS)
            seconds[program].append(median(printed["epochs"][1:]))
            memory[program] = max(measured.peak, memory.get(program, 0))
    return seconds, memory


def ratio(above: list[float], below: list[float]) -> float:
    """The median over the rounds, in each of which both ran one after the other."""
    return median(one / other for one, other in zip(above, below, strict=True))


def compare(datasets: Mapping[str, Dataset], recorded: dict[str, list[float]]) -> Section:
    """Seconds an epoch, at the shipped batch size and others."""
    imported = python("-c", "import tensorflow").peak
    rows, memory_rows, targets = [], [], []
    for name, dataset in datasets.items():
        large = len(arrays.read(layout.processed(name, "train")).labels) >= LARGE
        shipped = dataset.training.batch_size
        for batch_size in sorted({shipped, *BATCH_SIZES} if large else {shipped}):
            seconds, memory = epochs(name, dataset, batch_size)
            what = f"{name}, batches of {batch_size}"
            recorded |= {f"epoch: {what}: {program}": values for program, values in seconds.items()}
            floors = ratio(seconds[OURS], seconds["floor"])
            row = [
                what,
                f"{median(seconds['floor']):.3f} s",
                f"{median(seconds[OURS]):.3f} s",
                f"{floors:.2f}",
            ]
            for rival, times in FASTER.items():
                found = ratio(seconds[rival], seconds[OURS]) if rival in seconds else None
                row.append(f"{found:.2f} x" if found else "-")
                if found:
                    aim = f"{what}: as many times faster than {rival}"
                    targets.append(Target(aim, times, found, at_least=True))
            rows.append(row)
            if batch_size == shipped:
                targets.append(Target(f"{what}: an epoch, in floors", FLOORS, floors))
                extra = {program: peak - imported for program, peak in memory.items()}
                targets.append(
                    Target(f"{what}: MiB of memory beyond the import", EXTRA_MEBIBYTES, extra[OURS])
                )
                shown = (f"{extra[program]:.0f} MiB" if program in extra else "-" for program in PROGRAMS)
                memory_rows.append([what, *shown])
            print(" ".join(row), flush=True, file=sys.stderr)
    header = ("an epoch", "floor", OURS, "floors", *(f"faster than {rival}" for rival in FASTER))
    text = (
        f"{number_table(header, rows)}\n\nThe same network everywhere, but scikit-learn's has neither "
        f"dropout nor batch normalisation. Medians of {ROUNDS} rounds, in which all take turns; "
        "one round, and the Keras script only, at other batch sizes than that of params.yaml.\n\n"
        f"Memory at its peak, beyond the {imported:.0f} MiB that `import tensorflow` takes:\n\n"
        f"{number_table(('memory', *PROGRAMS), memory_rows)}"
    )
    return Section("Training", text, targets)


def reach(
    datasets: Mapping[str, Dataset], goals: Mapping[str, float], recorded: dict[str, list[float]]
) -> Section:
    """Seconds from the start of the process to a validation accuracy."""
    rows, targets = [], []
    for name, goal in goals.items():
        seconds: dict[str, list[float]] = defaultdict(list)
        taken: dict[str, int] = {}
        for _ in range(RACES):
            for program in (OURS, KERAS):
                printed, _ = run(program, name, datasets[name], reach=goal)
                if printed["reached"] is not None:
                    seconds[program].append(printed["reached"])
                taken[program] = len(printed["epochs"])
        recorded |= {f"{goal:.0%} of {name}: {program}": values for program, values in seconds.items()}
        rows += [
            [f"{name}, {goal:.0%}", program, f"{median(seconds[program]):.1f} s", str(taken[program])]
            if len(seconds[program]) == RACES
            else [f"{name}, {goal:.0%}", program, "not reached", str(taken[program])]
            for program in (OURS, KERAS)
        ]
        if len(seconds[OURS]) == len(seconds[KERAS]) == RACES:
            found = ratio(seconds[KERAS], seconds[OURS])
            aim = f"{name}: as many times sooner at {goal:.0%} than {KERAS}"
            targets.append(Target(aim, SOONER, found, at_least=True))
    text = number_table(("validation accuracy", "program", "from its start", "epochs"), rows)
    return Section("Time to an accuracy", text, targets)
