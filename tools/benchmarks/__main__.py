"""Measure everything, and write docs/benchmarks.md and docs/growth.png.

    dvc repro && python -m tools.benchmarks --reach DATASET=0.98

Exit code: 0, or 2 after a mistake. Whether targets are met is for people to read.
"""

import datetime as dt
import os
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pyperf

import stages
from stages import parameters
from stages.common import command, environment, files
from stages.common.errors import UserError
from tools.benchmarks import growth, pipeline, shapes, training
from tools.benchmarks.report import Section, page

FOLDER = Path(__file__).parent
PACKAGES = ("tensorflow-cpu", "tensorflow", "keras", "numpy", "scikit-learn", "torch", "dvc")


def versions() -> str:
    """Those of the packages that are compared."""
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def main(goals: Mapping[str, float]) -> None:
    """Measure, and write the results."""
    datasets = parameters.load().datasets
    if missing := set(goals) - set(datasets):
        raise UserError(f"--reach: expected one of {', '.join(datasets)}, found {', '.join(missing)}")
    recorded: dict[str, list[float]] = {}
    large = {name: datasets[name] for name in goals}
    first = next(iter(goals))
    sections: list[Section] = [
        training.compare(datasets, recorded),
        training.reach(datasets, goals, recorded),
        shapes.profile(large),
        pipeline.compare(first, datasets[first], recorded),
        growth.compare(first, datasets[first], FOLDER / "growth.png"),
        shapes.sweep(first, datasets[first]),
    ]
    introduction = (
        "# Measurements\n\n"
        f"Made by `make bench` on {dt.datetime.now(tz=dt.UTC):%Y-%m-%d}: {environment.cpu()}, "
        f"{os.cpu_count()} processors, {stages.THREADS} threads; {versions()}. "
        "[docs/performance.md](../docs/performance.md) says what they mean."
    )
    files.write_text(FOLDER / "results.md", page(introduction, sections))
    runs = [
        pyperf.Benchmark([pyperf.Run([value], metadata={"name": name}) for value in values])
        for name, values in recorded.items()
        if values
    ]
    pyperf.BenchmarkSuite(runs).dump(str(FOLDER / "results.json"), replace=True)
    print(f"{FOLDER.name}/results.md, growth.png, and results.json for `pyperf compare_to`")


def goal(text: str) -> tuple[str, float]:
    """A goal as it is given on the command line."""
    name, _, accuracy = text.partition("=")
    return name, float(accuracy)


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.benchmarks", description=__doc__)
    parser.add_argument(
        "--reach", action="append", type=goal, required=True, help="a data set and a validation accuracy"
    )
    given = parser.parse_args()
    command.finish(lambda: main(dict(given.reach)))
