"""Time from the start of a program to a network of a given test accuracy."""

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from ruamel.yaml import YAML

from stages.common import layout, params_file
from stages.common.errors import UserError
from stages.parameters import Dataset
from tools.benchmarks.measurement import measure
from tools.benchmarks.programs import KERAS, PYTORCH, Case
from tools.benchmarks.report import Section, Target
from tools.benchmarks.training import divide, format_range
from tools.common import dvc, git
from tools.common.markdown import number_table
from tools.common.settings import FILE, Settings
from tools.common.variations import DEFAULT, vary

PIPELINE = "dvc repro"
TARGET = 1.5  # times sooner than each program
ROUNDS = 3  # in which all take turns
MOST_EPOCHS = 40  # of other programs, which stop at the first epoch that reaches the goal
NEVER = float("inf")


class Goal(NamedTuple):
    """A test accuracy to reach.

    Attributes:
        name: the key of the data set.
        configuration: the network of the pipeline, a name in tools.yaml or `DEFAULT`.
        accuracy: of the test images.
    """

    name: str
    configuration: str
    accuracy: float


def find_dataset(goal: Goal, datasets: Mapping[str, Dataset], settings: Settings) -> Dataset:
    """Return the parameters of a data set with the hyperparameters of a goal's configuration.

    Raises:
        UserError: if there is no such data set or configuration.
    """
    if goal.name not in datasets:
        raise UserError(
            f"--reach: expected one of {', '.join(datasets)}, found {goal.name}; correct the name"
        )
    configurations = settings.dataset(goal.name).configurations
    if goal.configuration == DEFAULT:
        return datasets[goal.name]
    if goal.configuration not in configurations:
        names = ", ".join((DEFAULT, *configurations))
        raise UserError(
            f"--reach: expected a configuration of {goal.name} in {FILE}, {names}, found "
            f"{goal.configuration}; correct the name"
        )
    place = f"{FILE}: datasets.{goal.name}.configurations.{goal.configuration}"
    return vary(datasets[goal.name], configurations[goal.configuration], place)


def reproduce(name: str, dataset: Dataset) -> tuple[float, float]:
    """Measure `dvc repro` from the arrays to the scores, in a clone of the last commit.

    Args:
        name: the key of the data set.
        dataset: its parameters.

    Returns:
        The seconds, and the test accuracy.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "clone")
        git.clone(git.run("rev-parse", "HEAD").decode().strip(), folder)
        dvc.share_cache(folder)
        dvc.run("checkout", *(f"{stage}@{name}" for stage in ("fetch", "preprocess")), folder=folder)
        yaml, path = YAML(), folder / params_file.FILE
        content = yaml.load(path)
        content["datasets"][name] |= dataset.model_dump(include={"network", "training"})
        yaml.dump(content, path)
        # DVC would else take the results of an earlier round from its cache.
        command = dvc.command("repro", "--no-run-cache", f"evaluate@{name}")
        seconds = measure(*command, cwd=folder, variables={"PATH": dvc.variables()["PATH"]}).seconds
        metrics = json.loads((folder / layout.metrics(name)).read_text(encoding="utf-8"))
        return seconds, metrics["test"]["accuracy"]


def format_times(seconds: Sequence[float]) -> str:
    """Return the median and range of the seconds to a goal; they are infinite where it was not reached."""
    reached = [time for time in seconds if time < NEVER]
    if len(reached) == len(seconds):
        return format_range(seconds, " s")
    if not reached:
        return "not reached"
    return f"{min(reached):.0f} to {max(reached):.0f} s, in {len(reached)} of {len(seconds)} rounds"


def race(goals: Sequence[Goal], datasets: Mapping[str, Dataset], settings: Settings) -> Section:
    """Compare the seconds to each goal."""
    rows, targets = [], []
    for goal in goals:
        dataset = find_dataset(goal, datasets, settings)
        case = Case(goal.name, goal.name, dataset)
        seconds: dict[str, list[float]] = defaultdict(list)
        notes: dict[str, list[str]] = defaultdict(list)
        rivals = [program for program in case.programs() if program in (KERAS, PYTORCH)]
        for _ in range(ROUNDS):
            time, accuracy = reproduce(goal.name, dataset)
            seconds[PIPELINE].append(time if accuracy >= goal.accuracy else NEVER)
            notes[PIPELINE].append(f"{accuracy:.2%} after {dataset.training.epochs}")
            for program in rivals:
                result, _ = case.train(program, epochs=MOST_EPOCHS, reach=goal.accuracy)
                seconds[program].append(result["seconds_to_goal"] or NEVER)
                notes[program].append(f"{result['accuracy']:.2%} after {len(result['epochs'])}")
        for program in (PIPELINE, *rivals):
            title = f"{program}, `{goal.configuration}`" if program == PIPELINE else program
            time_cell = format_times(seconds[program])
            cells = (f"{goal.name}, {goal.accuracy:.1%}", title, time_cell, "; ".join(notes[program]))
            rows.append(cells)
            print(" | ".join(cells), file=sys.stderr, flush=True)
        is_reached = max(seconds[PIPELINE]) < NEVER
        for program in rivals:
            title = f"{goal.name}: times sooner than {program} at {goal.accuracy:.1%}"
            ratio = median(divide(seconds[program], seconds[PIPELINE])) if is_reached else 0.0
            targets.append(Target(title, TARGET, ratio, at_least=True))
    text = (
        f"{number_table(('test accuracy', 'program', 'from its start', 'epochs'), rows)}\n\n"
        f"Medians and ranges of {ROUNDS} rounds. The time of `{PIPELINE}` is that of a whole run from the "
        "arrays to metrics, predictions and plots, of the last commit and with the seed of params.yaml. The "
        "other programs train the same layers with their own learning rate and other seeds; they look at the "
        f"test images after each epoch, stop at the first of {MOST_EPOCHS} with the accuracy, and write "
        "nothing."
    )
    return Section("Time to an accuracy", text, targets)
