"""Time of training against other programs and against the floor, the machine's own matrix products.

A dense network multiplies matrices; everything else is overhead. The floor of an epoch is the time of its
products alone, at the rate that a large float32 product in NumPy reaches in the same round, on as many
threads. An epoch has 2 operations for each weight and image in the forward pass, and 4 in the backward pass.
This usual count is a little generous, since the first layer needs only 2 of the 4.
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
from tools.benchmarks.measurement import Measurement, measure_python
from tools.benchmarks.report import Section, Target
from tools.common.markdown import number_table

FLOOR = "floor"
OURS, KERAS, SKLEARN, PYTORCH = "this project", "Keras script", "scikit-learn", "PyTorch"
SCRIPTS = {OURS: "project", KERAS: "plain_keras", SKLEARN: "plain_sklearn", PYTORCH: "plain_pytorch"}
TARGET_SPEEDUPS = {KERAS: 1.5, SKLEARN: 2.0, PYTORCH: 1.2}  # times as fast as each program
TARGET_FLOORS = 1.6  # times of the floor that an epoch should take at most
TARGET_RACE_SPEEDUP = 3.0
TARGET_MEBIBYTES = 300  # of memory beyond the import
BATCH_SIZES = (128, 256, 512)
LARGE = 10_000  # images of a data set for which a batch size of 512 makes sense
EPOCHS = 3  # the first compiles, and does not count
ROUNDS = 2  # at the batch size of params.yaml; one round at other batch sizes, of two programs
RACES = 1  # each takes a minute


def list_programs() -> list[str]:
    """Return the installed programs."""
    return [name for name in SCRIPTS if name != PYTORCH or importlib.util.find_spec("torch")]


def run_program(
    program: str, name: str, dataset: Dataset, **changes: Any
) -> tuple[dict[str, Any], Measurement]:
    """Train with a program.

    Args:
        program: a key of `SCRIPTS`.
        name: the key of the data set.
        dataset: its parameters.
        changes: values of the job that differ from the parameters.

    Returns:
        The output of the program, as `scripts.job.Stopwatch` prints it, and the measurement.
    """
    job = {
        "dataset": name,
        "folder": str(layout.processed(name, "train").parent),
        "largest_pixel": dataset.largest_pixel,
        "reach": None,
        **dataset.network.model_dump(),
        **{key: getattr(dataset.training, key) for key in ("batch_size", "epochs")},
        **changes,
    }
    measurement = measure_python("-m", f"tools.benchmarks.scripts.{SCRIPTS[program]}", json.dumps(job))
    return json.loads(measurement.output.splitlines()[-1]), measurement


def count_operations(dataset: Dataset, images: int, pixels: int) -> int:
    """Return the number of operations in the matrix products of an epoch.

    Args:
        dataset: its parameters, with the widths of the layers.
        images: the number of training images.
        pixels: the number of values of an image.
    """
    widths = [pixels, *dataset.network.hidden, len(dataset.classes)]
    return 6 * images * sum(inputs * outputs for inputs, outputs in pairwise(widths))


def measure_epochs(
    name: str, dataset: Dataset, batch_size: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Measure an epoch of each program, in turns, and the floor.

    Returns:
        By program, and for `FLOOR`, the seconds of an epoch in each round; and by program, the peak memory
        in MiB.
    """
    training = arrays.read(layout.processed(name, "train"))
    operations = count_operations(dataset, len(training.labels), training.images[0].size)
    seconds: dict[str, list[float]] = defaultdict(list)
    memory: dict[str, float] = {}
    is_own_batch_size = batch_size == dataset.training.batch_size
    for _ in range(ROUNDS if is_own_batch_size else 1):
        rate = float(measure_python("-m", "tools.benchmarks.scripts.product_rate").output)
        seconds[FLOOR].append(operations / rate)
        for program in list_programs() if is_own_batch_size else (OURS, KERAS):
            result, measurement = run_program(program, name, dataset, batch_size=batch_size, epochs=EPOCHS)
            seconds[program].append(median(result["epochs"][1:]))
            memory[program] = max(measurement.peak, memory.get(program, 0))
    return seconds, memory


def compute_ratio(numerators: list[float], denominators: list[float]) -> float:
    """Return the median of the ratios of each round, in which the machine is in the same state."""
    return median(above / below for above, below in zip(numerators, denominators, strict=True))


def compare(datasets: Mapping[str, Dataset]) -> Section:
    """Compare the seconds of an epoch, at the batch size of params.yaml and at others."""
    import_peak = measure_python("-c", "import tensorflow").peak
    rows, memory_rows, targets = [], [], []
    for name, dataset in datasets.items():
        is_large = len(arrays.read(layout.processed(name, "train")).labels) >= LARGE
        own_batch_size = dataset.training.batch_size
        for batch_size in sorted({own_batch_size, *BATCH_SIZES} if is_large else {own_batch_size}):
            seconds, memory = measure_epochs(name, dataset, batch_size)
            title = f"{name}, batches of {batch_size}"
            floors = compute_ratio(seconds[OURS], seconds[FLOOR])
            row = [
                title,
                f"{median(seconds[FLOOR]):.3f} s",
                f"{median(seconds[OURS]):.3f} s",
                f"{floors:.2f}",
            ]
            for program, limit in TARGET_SPEEDUPS.items():
                if program not in seconds:
                    row.append("-")
                    continue
                speedup = compute_ratio(seconds[program], seconds[OURS])
                row.append(f"{speedup:.2f} x")
                quantity = f"{title}: times as fast as {program}"
                targets.append(Target(quantity, limit, speedup, at_least=True))
            rows.append(row)
            if batch_size == own_batch_size:
                targets.append(Target(f"{title}: an epoch, in floors", TARGET_FLOORS, floors))
                extra = {program: peak - import_peak for program, peak in memory.items()}
                targets.append(
                    Target(f"{title}: MiB of memory beyond the import", TARGET_MEBIBYTES, extra[OURS])
                )
                cells = (f"{extra[program]:.0f} MiB" if program in extra else "-" for program in SCRIPTS)
                memory_rows.append([title, *cells])
            print(" ".join(row), flush=True, file=sys.stderr)
    head = ("an epoch", FLOOR, OURS, "floors", *(f"speed-up over {program}" for program in TARGET_SPEEDUPS))
    text = (
        f"{number_table(head, rows)}\n\nEvery program trains the same network, but scikit-learn's has "
        f"neither dropout nor batch normalisation. Times are medians of {ROUNDS} rounds, in which the "
        "programs take turns. At batch sizes other than the one in params.yaml, there is one round, "
        "with the Keras script alone.\n\n"
        f"Peak memory, beyond the {import_peak:.0f} MiB that `import tensorflow` takes:\n\n"
        f"{number_table(('memory', *SCRIPTS), memory_rows)}"
    )
    return Section("Training", text, targets)


def race(datasets: Mapping[str, Dataset], goals: Mapping[str, float]) -> Section:
    """Measure the seconds from the start of a program to a validation accuracy.

    Args:
        datasets: the parameters of each data set, by its key.
        goals: the validation accuracy to reach, by the key of the data set.
    """
    rows, targets = [], []
    for name, goal in goals.items():
        seconds: dict[str, list[float]] = defaultdict(list)
        epochs: dict[str, int] = {}
        for _ in range(RACES):
            for program in (OURS, KERAS):
                result, _ = run_program(program, name, datasets[name], reach=goal)
                if result["seconds_to_goal"] is not None:
                    seconds[program].append(result["seconds_to_goal"])
                epochs[program] = len(result["epochs"])
        for program in (OURS, KERAS):
            is_reached = len(seconds[program]) == RACES
            time = f"{median(seconds[program]):.1f} s" if is_reached else "not reached"
            rows.append([f"{name}, {goal:.0%}", program, time, str(epochs[program])])
        if len(seconds[OURS]) == len(seconds[KERAS]) == RACES:
            speedup = compute_ratio(seconds[KERAS], seconds[OURS])
            quantity = f"{name}: times as fast as {KERAS} to {goal:.0%}"
            targets.append(Target(quantity, TARGET_RACE_SPEEDUP, speedup, at_least=True))
    text = number_table(("validation accuracy", "program", "from its start", "epochs"), rows)
    return Section("Time to an accuracy", text, targets)
