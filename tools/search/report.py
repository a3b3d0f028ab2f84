"""What a search has found: the table of its trials, which hyperparameters mattered, and the winner."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import optuna
import pandas as pd
from matplotlib.figure import Figure
from optuna.trial import FrozenTrial, TrialState

from stages.common import files
from stages.common.variations import Choice, Range
from tools.search import space
from tools.search.trials import NUMBER

FEWEST = 4  # complete trials, to tell what mattered


def table(trials: list[FrozenTrial], of: Mapping[str, Range | Choice]) -> pd.DataFrame:
    """A row a trial, the best first: its number, state, best validation accuracy, epochs, seconds, values."""
    rows = [
        {
            "trial": one.user_attrs[NUMBER],
            "state": one.state.name.lower(),
            "val_accuracy": one.value,
            "epochs": len(one.intermediate_values),
            "seconds": round(one.user_attrs["seconds"], 1),
            **space.values(one.params, of),
            "error": one.user_attrs["error"],
        }
        for one in trials
    ]
    found = pd.DataFrame(rows)
    found["complete"] = found["state"] == "complete"  # one that was stopped early is no winner
    order = ["complete", "val_accuracy", "trial"]
    return found.sort_values(order, ascending=[False, False, True]).drop(columns="complete")


def winner(trials: list[FrozenTrial]) -> FrozenTrial | None:
    """The complete trial with the highest validation accuracy, the first of equals."""
    complete = [one for one in trials if one.state == TrialState.COMPLETE]
    return max(complete, key=lambda one: (one.value, -one.user_attrs[NUMBER]), default=None)


def importances(trials: list[FrozenTrial], seed: int) -> dict[str, float]:
    """The share of the variance of validation accuracy that each hyperparameter explains, by fANOVA.

    Source: Hutter, Hoos and Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance",
    2014. Empty where there are too few trials to tell.
    """
    complete = [one for one in trials if one.state == TrialState.COMPLETE]
    if len(complete) < FEWEST or len({one.value for one in complete}) == 1:
        return {}
    study = optuna.create_study(direction="maximize")
    study.add_trials(complete)
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)


def draw(shares: Mapping[str, float], path: Path) -> None:
    """Draw importances as bars, the largest above."""
    with files.whole_file(path) as unfinished, mpl.rc_context(mpl.rcParamsDefault):
        figure = Figure(figsize=(6, 3), layout="constrained")
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        names = list(shares)[::-1]
        axes.barh(names, [shares[name] for name in names], color="tab:blue")
        axes.set_xlabel("share of the variance of validation accuracy")
        figure.savefig(unfinished, format="png", dpi=120)
