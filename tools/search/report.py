"""The results of a search: the table of trials, the best trial, and the importance of hyperparameters."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import optuna
import pandas as pd
from matplotlib.figure import Figure
from optuna.trial import FrozenTrial, TrialState

from stages.common import files
from tools.common.variations import Space
from tools.search import space
from tools.search.trials import NUMBER

FEWEST_TO_COMPARE = 4  # complete trials, to estimate importances


def build_table(trials: list[FrozenTrial], search_space: Space) -> pd.DataFrame:
    """Return the table of trials, the best first.

    Returns:
        A row for each trial: trial (its number), state, val_accuracy (of its last epoch), epochs, seconds,
        the value of each hyperparameter, error.
    """
    rows = [
        {
            "trial": trial.user_attrs[NUMBER],
            "state": trial.state.name.lower(),
            "val_accuracy": trial.value,
            "epochs": len(trial.intermediate_values),
            "seconds": round(trial.user_attrs["seconds"], 1),
            **space.decode_values(trial.params, search_space),
            "error": trial.user_attrs["error"],
        }
        for trial in trials
    ]
    table = pd.DataFrame(rows)
    table["complete"] = table["state"] == "complete"  # a trial that was stopped early cannot be the best
    order = ["complete", "val_accuracy", "trial"]
    return table.sort_values(order, ascending=[False, False, True]).drop(columns="complete")


def find_best(trials: list[FrozenTrial]) -> FrozenTrial | None:
    """Return the complete trial with the highest validation accuracy, the first of equal ones."""
    return max(
        _select_complete(trials),
        key=lambda trial: (trial.value, -trial.user_attrs[NUMBER]),
        default=None,
    )


def estimate_importances(trials: list[FrozenTrial], seed: int) -> dict[str, float]:
    """Estimate by fANOVA the share of the variance of validation accuracy that each hyperparameter explains.

    Source: Hutter, Hoos and Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance",
    2014.

    Args:
        trials: complete and other trials; the others are left out.
        seed: of the random forest.

    Returns:
        The share of each hyperparameter; empty if there are too few trials, or all have the same accuracy.
    """
    complete = _select_complete(trials)
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
        axes.set_xlabel("share of the variance of validation accuracy")
        figure.savefig(unfinished, format="png", dpi=120)


def _select_complete(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    return [trial for trial in trials if trial.state == TrialState.COMPLETE]
