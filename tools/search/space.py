"""The space of hyperparameters: its distributions, values drawn from it, and an experiment with them."""

import json
from collections.abc import Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from stages.common.variations import Choice, Range
from stages.parameters import Dataset

DIGITS = 3  # of a number that was drawn: as many as tell a better one, and can be read
PLACE = "params.yaml: search: space"
Space = Mapping[str, Range | Choice]  # by hyperparameter, such as network.dropout
Values = dict[str, Any]  # likewise


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """What Optuna draws from. It knows no lists as choices, so a choice is JSON."""
    return {name: _distribution(one) for name, one in space.items()}


def _distribution(of: Range | Choice) -> BaseDistribution:
    if isinstance(of, Choice):
        return CategoricalDistribution([json.dumps(choice) for choice in of.choices])
    if isinstance(of.low, int) and isinstance(of.high, int):
        return IntDistribution(of.low, of.high, log=of.log)
    return FloatDistribution(of.low, of.high, log=of.log)


def rounded(drawn: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """What was drawn, with numbers that can be read, and are still in the space."""
    values = dict(drawn)
    for name, one in space.items():
        if isinstance(one, Range) and isinstance(values[name], float):
            values[name] = min(max(float(f"{values[name]:.{DIGITS}g}"), float(one.low)), float(one.high))
    return values


def present(dataset: Dataset, space: Space) -> dict[str, Any] | None:
    """The values that a data set has now, as if they were drawn; None if one of them is not in the space."""
    found = {}
    for name, one in space.items():
        value: Any = dataset.model_dump()
        for part in name.split("."):
            value = value[part]
        if isinstance(one, Choice):
            if value not in one.choices:
                return None
            found[name] = json.dumps(one.choices[one.choices.index(value)])
        else:
            if not one.low <= value <= one.high:
                return None
            found[name] = value
    return found


def values(drawn: Mapping[str, Any], space: Space) -> Values:
    """What was drawn, as params.yaml has it."""
    return {
        name: json.loads(value) if isinstance(space[name], Choice) else value for name, value in drawn.items()
    }


def expect_hyperparameters(space: Space, dataset: Dataset) -> None:
    """Raise a UserError unless a data set may have every choice, and both ends of every range."""
    for name, one in space.items():
        for value in one.choices if isinstance(one, Choice) else (one.low, one.high):
            dataset.varied({name: value}, PLACE)


def experiment(name: str, of: Values) -> list[str]:
    """The command that makes an experiment of some values."""
    options = [
        part
        for hyperparameter, value in of.items()
        for part in ("-S", f"datasets.{name}.{hyperparameter}={json.dumps(value)}")
    ]
    return ["dvc", "exp", "run", *options, f"evaluate@{name}"]
