"""The results of a search: the table of trials, the best trial, and the importance of hyperparameters."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import optuna
import pandas as pd
from matplotlib.figure import Figure
from optuna.trial import FrozenTrial, TrialState

from stages.common import files
from stages.common.layout import DECIMALS
from tools.search.trials import NUMBER, VALUES, Task

FEWEST_TO_COMPARE = 4  # complete trials, to estimate importances


def build_table(trials: list[FrozenTrial], task: Task) -> pd.DataFrame:
    """Return the table of trials, the best first.

    Args:
        trials: all of the search.
        task: the search.

    Returns:
        A row for each trial: trial (its number), state, the objective (on the validation images, after its
        last epoch), epochs, seconds, the value of each hyperparameter, error.
    """
    objective = task.search.objective
    rows = [
        {
            "trial": trial.user_attrs[NUMBER],
            "state": trial.state.name.lower(),
            objective: None if trial.value is None else round(trial.value, DECIMALS),
            "epochs": len(trial.intermediate_values),
            "seconds": round(trial.user_attrs["seconds"], 1),
            **trial.user_attrs[VALUES],
            "error": trial.user_attrs["error"],
        }
        for trial in trials
    ]
    table = pd.DataFrame(rows)
    table["complete"] = table["state"] == "complete"  # a trial that was stopped early cannot be the best
    order, ascending = ["complete", objective, "trial"], [False, task.direction == "minimize", True]
    return table.sort_values(order, ascending=ascending).drop(columns="complete")


def find_best(trials: list[FrozenTrial], task: Task) -> FrozenTrial | None:
    """Return the complete trial with the best value of the objective, the first of equal ones."""
    sign = 1 if task.direction == "minimize" else -1
    return min(
        _select_complete(trials),
        key=lambda trial: (sign * (trial.value or 0), trial.user_attrs[NUMBER]),
        default=None,
    )


def estimate_importances(trials: list[FrozenTrial], seed: int) -> dict[str, float]:
    """Estimate by fANOVA the share of the variance of the objective that each hyperparameter explains.

    Source: Hutter, Hoos and Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance",
    2014.

    Args:
        trials: of a search; those that are not complete are left out, and those outside its space.
        seed: of the random forest.

    Returns:
        The share of each hyperparameter; empty if there are too few trials, or all have the same value.
    """
    complete = [trial for trial in _select_complete(trials) if trial.params]
    if len(complete) < FEWEST_TO_COMPARE or len({trial.value for trial in complete}) == 1:
        return {}
    study = optuna.create_study(direction="maximize")
    study.add_trials(complete)
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)


def draw_importances(importances: Mapping[str, float], path: Path) -> None:
    """Draw importances as bars, the largest on top."""
    with files.atomic_file(path) as unfinished, mpl.rc_context(mpl.rcParamsDefault):
        figure = Figure(figsize=(6, 3), layout="constrained")
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        names = list(importances)[::-1]
        axes.barh(names, [importances[name] for name in names], color="tab:blue")
        axes.set_xlabel("share of the variance of the objective")
        figure.savefig(unfinished, format="png", dpi=120)


def _select_complete(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    return [trial for trial in trials if trial.state == TrialState.COMPLETE]
