"""Measure speed and memory, and write docs/benchmarks.md and docs/growth.png.

    dvc repro && python -m tools.benchmarks --reach DATASET:CONFIGURATION=0.98

Exit code: 0, also if targets are missed; 2 after a mistake.
"""

import datetime as dt
import os
from argparse import ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path

from stages.common import command, files, packages, runtime
from stages.common.processor import describe_processor
from stages.parameters import load
from tools.benchmarks import growth, pipeline, race, shapes, training
from tools.benchmarks.race import Goal
from tools.benchmarks.report import Section, build_page
from tools.common import settings
from tools.common.variations import DEFAULT

PAGE = Path("docs/benchmarks.md")
GROWTH_PICTURE = Path("docs/growth.png")  # beside the page, which links to it by name
PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "torch", "dvc")


def list_versions() -> str:
    """Return the installed packages that are measured, with their versions."""
    versions = {package: packages.installed_version(package) for package in PACKAGES}
    return ", ".join(f"{package} {version}" for package, version in versions.items() if version)


def main(goals: Sequence[Goal]) -> None:
    """Measure, and write the page and its picture.

    Args:
        goals: of large data sets; stages are measured on the data set of the first.
    """
    parameters = load()
    datasets, tools = parameters.datasets, settings.load(parameters)
    for goal in goals:  # so that a mistake is reported before the first measurement
        race.find_dataset(goal, datasets, tools)
    first = goals[0].name
    sections: list[Section] = [
        training.compare(datasets, tools),
        race.race(goals, datasets, tools),
        shapes.profile({goal.name: datasets[goal.name] for goal in goals}),
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


def parse_goal(text: str) -> Goal:
    """Parse a goal of the command line, DATASET:CONFIGURATION=ACCURACY or DATASET=ACCURACY."""
    network, _, accuracy = text.partition("=")
    name, _, configuration = network.partition(":")
    try:
        goal = Goal(name, configuration or DEFAULT, float(accuracy))
    except ValueError:
        goal = Goal(name, DEFAULT, 0.0)
    if not 0 < goal.accuracy < 1:
        raise ArgumentTypeError(
            f"expected DATASET:CONFIGURATION=ACCURACY, such as mine:quick=0.98, found {text!r}"
        )
    return goal


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.benchmarks", description=__doc__)
    parser.add_argument(
        "--reach",
        action="append",
        type=parse_goal,
        required=True,
        metavar="DATASET:CONFIGURATION=ACCURACY",
        help="a large data set, a network of it, and the test accuracy of a race to it; may be repeated",
    )
    arguments = parser.parse_args()
    command.finish(lambda: main(arguments.reach))
