"""How long `dvc repro` takes when nothing, one data set or everything must run, and its peak memory.

dvc repro && python -m benchmarks.pipeline
"""

import resource
import statistics
import subprocess
import time

from stages import parameters

NO_OP_REPEATS = 5


def seconds(*options: str) -> float:
    """The wall-clock time of a `dvc repro` that succeeds."""
    start = time.perf_counter()
    subprocess.run(["dvc", "repro", *options], check=True, capture_output=True)  # noqa: S603, S607
    return time.perf_counter() - start


def report(name: str, time_taken: float) -> None:
    """Print a line, with the memory of the largest process since the beginning."""
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1 << 20)
    print(f"| {name:15} | {time_taken:5.1f} s | {memory:18.2f} GiB |", flush=True)


def main() -> None:
    """Print the table."""
    print("\n| dvc repro       |    time | largest process so far |")
    print("|-----------------|--------:|-----------------------:|", flush=True)
    report("nothing to do", statistics.median(seconds() for _ in range(NO_OP_REPEATS)))
    for dataset in parameters.load().datasets:
        report(dataset, seconds("--force", f"evaluate@{dataset}"))
    report("all", seconds("--force"))


if __name__ == "__main__":
    main()
