"""Time of training in this project, against other programs and against the floor of the machine."""

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from stages.common import layout
from stages.common.errors import UserError
from stages.common.fields import Augmentation
from stages.parameters import Dataset
from stages.splits import arrays
from tools.benchmarks import floors
from tools.benchmarks.measurement import measure_python
from tools.benchmarks.programs import KERAS, NATIVE, PORTABLE, PYTORCH, SCRIPTS, SKLEARN, Case
from tools.benchmarks.report import Section, Target
from tools.common.markdown import number_table
from tools.common.settings import Settings
from tools.common.variations import DEFAULT, vary

FLOOR, PORTABLE_FLOOR, DISTORTED = "floor", "floor without FMA", "distorted"
TARGET_SPEEDUPS = {KERAS: 1.5, PYTORCH: 1.2}  # times as fast as each program, of a dense network
TARGET_FLOORS = 1.6  # times of the floor that a native epoch of a dense network should take at most
TARGET_NATIVE_CONVOLUTIONS = 1.0  # times as fast as PyTorch
TARGET_PORTABLE_CONVOLUTIONS = 2.0  # times as long as PyTorch at most
TARGET_DISTORTIONS = 1.25  # times as long as an epoch without, at most
TARGET_MEBIBYTES = 300  # of memory beyond the import
LARGE = 10_000  # training images, of which an epoch is long enough to be compared with a floor
IMAGES = 10_000  # of an epoch of networks other than the default, which take long
EPOCHS = 3  # the first compiles, and does not count
ROUNDS = 5  # in which all programs take turns
NO_DISTORTIONS = Augmentation(shift=0, rotation=0, scaling=0, elastic=0, flip=False)

Seconds = dict[str, list[float]]


def list_cases(datasets: Mapping[str, Dataset], settings: Settings) -> Iterator[Case]:
    """Yield each data set's own network, and those of its configurations with convolutions or distortions."""
    for name, dataset in datasets.items():
        yield Case(f"{name}, {DEFAULT}", name, dataset)
        for configuration, values in settings.dataset(name).configurations.items():
            varied = vary(dataset, values, configuration)
            if varied.training.augmentation != NO_DISTORTIONS or varied.network.convolutions:
                yield Case(f"{name}, {configuration}", name, varied, IMAGES)


def measure_epochs(case: Case) -> tuple[Seconds, dict[str, float]]:
    """Measure an epoch of each program, in turns, and the floors.

    A network with distortions is trained without them, too: by all programs if it is that of params.yaml or
    has convolutions, by this project alone if it is another dense one.

    Returns:
        By program, floor and `DISTORTED`, the seconds of an epoch in each round; and by program, the peak
        memory in MiB. A data set of fewer than `LARGE` training images has no floors.

    Raises:
        UserError: as `Case.find_kernels` and `check_weights`.
    """
    split = arrays.read(layout.processed(case.name, "train"))
    images = min(len(split.labels), case.images or len(split.labels))
    operations = floors.count_operations(case.dataset, images, split.images.shape[1:])
    is_distorted = case.dataset.training.augmentation != NO_DISTORTIONS
    training = case.dataset.training.model_copy(update={"augmentation": NO_DISTORTIONS})
    plain = Case(case.title, case.name, case.dataset.model_copy(update={"training": training}), case.images)
    has_rivals = case.images is None or bool(case.dataset.network.convolutions)
    programs = plain.programs() if has_rivals else [PORTABLE]
    for program in set(programs) & {PORTABLE, NATIVE}:
        plain.find_kernels(program)
    seconds: Seconds = defaultdict(list)
    memory: dict[str, float] = {}
    weights: dict[str, int] = {}
    for _ in range(ROUNDS):
        if len(split.labels) >= LARGE:
            rates = floors.measure_rates()
            seconds[FLOOR].append(operations / rates.fastest)
            seconds[PORTABLE_FLOOR].append(operations / rates.without_fma)
        for program in programs:
            result, measurement = plain.train(program, epochs=EPOCHS)
            seconds[program].append(median(result["epochs"][1:]))
            memory[program] = max(measurement.peak, memory.get(program, 0))
            weights[program] = result["weights"]
        check_weights(case.title, weights)
        if is_distorted:
            result, _ = case.train(PORTABLE, epochs=EPOCHS)
            seconds[DISTORTED].append(median(result["epochs"][1:]))
    return dict(seconds), memory


def check_weights(title: str, weights: Mapping[str, int]) -> None:
    """Check that all programs have trained the same layers, by the number of their weights.

    Raises:
        UserError: if one has more or fewer than another.
    """
    if len(set(weights.values())) > 1:
        found = ", ".join(f"{program} {count:,}" for program, count in weights.items())
        raise UserError(
            f"{title}: expected the same number of weights in each program, found {found}; "
            "correct the script in tools/benchmarks/scripts that builds other layers"
        )


def divide(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """Return the ratio of each round, in which the machine is in the same state."""
    return [above / below for above, below in zip(numerators, denominators, strict=True)]


def format_range(values: Sequence[float], unit: str = "") -> str:
    """Return the median and the range to two figures, such as `0.87 (0.85 to 0.91)`; `-` for no values."""
    if not values:
        return "-"
    statistics = (median(values), min(values), max(values))
    texts = [f"{value:#.2g}" if value < 9.95 else f"{value:.0f}" for value in statistics]  # noqa: PLR2004
    return f"{texts[0]}{unit} ({texts[1]} to {texts[2]})"


def list_targets(case: Case, seconds: Seconds) -> Iterator[Target]:
    """Yield the targets of a case."""

    def compare_times(title: str, above: str, below: str, limit: float, at_least: bool) -> Iterator[Target]:
        if above in seconds and below in seconds:
            ratio = median(divide(seconds[above], seconds[below]))
            yield Target(f"{case.title}: {title}", limit, ratio, at_least)

    if case.dataset.network.convolutions:
        title = f"native, times as fast as {PYTORCH}"
        yield from compare_times(title, PYTORCH, NATIVE, TARGET_NATIVE_CONVOLUTIONS, at_least=True)
        title = f"portable, times as long as {PYTORCH}"
        yield from compare_times(title, PORTABLE, PYTORCH, TARGET_PORTABLE_CONVOLUTIONS, at_least=False)
    else:
        for program, limit in TARGET_SPEEDUPS.items():
            yield from compare_times(
                f"portable, times as fast as {program}", program, PORTABLE, limit, at_least=True
            )
        yield from compare_times("native, in floors", NATIVE, FLOOR, TARGET_FLOORS, at_least=False)
    title = "with distortions, times as long as without"
    yield from compare_times(title, DISTORTED, PORTABLE, TARGET_DISTORTIONS, at_least=False)


def compare(datasets: Mapping[str, Dataset], settings: Settings) -> Section:
    """Compare the seconds of an epoch of each network."""
    import_peak = measure_python("-c", "import tensorflow").peak
    columns = (FLOOR, PORTABLE_FLOOR, PORTABLE, NATIVE, KERAS, SKLEARN, PYTORCH, DISTORTED)
    rows, ratio_rows, memory_rows = [], [], []
    targets: list[Target] = []
    for case in list_cases(datasets, settings):
        seconds, memory = measure_epochs(case)
        rows.append([case.title, *(format_range(seconds.get(column, [])) for column in columns)])
        pairs = [
            *((NATIVE, FLOOR), (PORTABLE, PORTABLE_FLOOR)),
            *((program, PORTABLE) for program in (NATIVE, KERAS, SKLEARN, PYTORCH, DISTORTED)),
            (PYTORCH, NATIVE),
        ]
        ratio_rows.append(
            [
                case.title,
                *(
                    format_range(divide(seconds[above], seconds[below]))
                    if {above, below} <= seconds.keys()
                    else "-"
                    for above, below in pairs
                ),
            ]
        )
        extra = {program: peak - import_peak for program, peak in memory.items()}
        memory_rows.append(
            [case.title, *(f"{extra[program]:.0f} MiB" if program in extra else "-" for program in SCRIPTS)]
        )
        targets += list_targets(case, seconds)
        if case.images is None:
            title = f"{case.title}: MiB of memory beyond the import"
            targets.append(Target(title, TARGET_MEBIBYTES, extra[PORTABLE]))
        print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    kernel = floors.measure_rates().kernel
    text = "\n\n".join(
        [
            number_table(("seconds an epoch", *columns), rows),
            f"An epoch of {DEFAULT} has all training images, of other networks the first {IMAGES:,}, "
            "without their distortions but in the last column. "
            f"Medians and ranges of {ROUNDS} rounds, in which the programs take turns. The floor is the time "
            f"of the products at the rate of OpenBLAS's kernel for this processor, {kernel}; without FMA, of "
            "its kernel for AVX alone, which are the instructions of portable computation. scikit-learn's "
            "network has neither dropout nor batch normalisation.",
            "The same as ratios within a round, above 1 where the first of both takes longer:",
            number_table(("network", *(f"{above} / {below}" for above, below in pairs)), ratio_rows),
            f"Peak memory, beyond the {import_peak:.0f} MiB that `import tensorflow` takes:",
            number_table(("memory", *SCRIPTS), memory_rows),
        ]
    )
    return Section("Training", text, targets)
