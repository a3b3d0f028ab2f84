"""Measure speed and memory, and write docs/benchmarks.md and docs/growth.png.

    dvc repro && python -m tools.benchmarks --reach DATASET=0.98

Exit code: 0, also if targets are missed; 2 after a mistake.
"""

import datetime as dt
import os
from collections.abc import Mapping
from pathlib import Path

from stages.common import command, files, packages, runtime
from stages.common.errors import UserError
from stages.common.processor import describe_processor
from stages.parameters import load
from tools.benchmarks import growth, pipeline, shapes, training
from tools.benchmarks.report import Section, build_page

PAGE = Path("docs/benchmarks.md")
GROWTH_PICTURE = Path("docs/growth.png")  # beside the page, which links to it by name
PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "torch", "dvc")


def list_versions() -> str:
    """Return the installed packages that are measured, with their versions."""
    versions = {package: packages.installed_version(package) for package in PACKAGES}
    return ", ".join(f"{package} {version}" for package, version in versions.items() if version)


def main(goals: Mapping[str, float]) -> None:
    """Measure, and write the page and its picture.

    Args:
        goals: for each large data set, by its key, a validation accuracy to reach.
    """
    datasets = load().datasets
    if unknown := goals.keys() - datasets.keys():
        raise UserError(f"--reach: expected one of {', '.join(datasets)}, found {', '.join(unknown)}")
    first = next(iter(goals))
    sections: list[Section] = [
        training.compare(datasets),
        training.race(datasets, goals),
        shapes.profile({name: datasets[name] for name in goals}),
        pipeline.measure_pipeline(first, datasets[first]),
        growth.measure_growth(first, datasets[first], GROWTH_PICTURE),
        shapes.sweep(first, datasets[first]),
    ]
    introduction = (
        "# Measurements\n\n"
        f"Made by `make bench` on {dt.datetime.now(tz=dt.UTC):%Y-%m-%d}: {describe_processor()}, "
        f"{os.cpu_count()} processors, {runtime.THREADS} threads; {list_versions()}. "
        "[docs/performance.md](performance.md) explains them."
    )
    files.write_text(PAGE, build_page(introduction, sections))
    print(f"{PAGE}, {GROWTH_PICTURE}")


def parse_goal(text: str) -> tuple[str, float]:
    """Parse a goal of the command line, DATASET=ACCURACY."""
    name, _, accuracy = text.partition("=")
    return name, float(accuracy)


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.benchmarks", description=__doc__)
    parser.add_argument(
        "--reach",
        action="append",
        type=parse_goal,
        required=True,
        metavar="DATASET=ACCURACY",
        help="a large data set, and the validation accuracy of a race to it; may be repeated",
    )
    arguments = parser.parse_args()
    command.finish(lambda: main(dict(arguments.reach)))
