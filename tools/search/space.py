"""The search space: its distributions, the values drawn from them, and experiments with these values.

Optuna draws no lists, so its parameters (`params`) hold each choice as JSON; `Values` are as in params.yaml.
"""

import json
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import getitem
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from stages.common.params_file import read_yaml
from stages.parameters import FILE, Dataset
from tools.common import settings
from tools.common.variations import Choice, Range, Space, Values, vary

SIGNIFICANT_DIGITS = 3  # of a drawn number; more would be harder to read and no better
PLACE = f"{settings.FILE}: search.space"


def build_distributions(space: Space) -> dict[str, BaseDistribution]:
    """Return the distribution of each hyperparameter."""
    return {name: _build_distribution(dimension) for name, dimension in space.items()}


def _build_distribution(dimension: Range | Choice) -> BaseDistribution:
    if isinstance(dimension, Choice):
        return CategoricalDistribution([json.dumps(choice) for choice in dimension.choices])
    if isinstance(dimension.low, int) and isinstance(dimension.high, int):
        return IntDistribution(dimension.low, dimension.high, log=dimension.log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def round_values(params: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Round drawn numbers to a few decimals, without leaving their ranges."""
    readable = dict(params)
    for name, dimension in space.items():
        if isinstance(dimension, Range) and isinstance(params[name], float):
            value = float(f"{params[name]:.{SIGNIFICANT_DIGITS}g}")
            readable[name] = min(max(value, float(dimension.low)), float(dimension.high))
    return readable


def read_values(dataset: Dataset, space: Space) -> Values:
    """Return the values that a data set has of the hyperparameters in the space."""
    content = dataset.model_dump()
    return {name: reduce(getitem, name.split("."), content) for name in space}


def encode_values(values: Values, space: Space) -> dict[str, Any] | None:
    """Return values as Optuna's parameters, or None if one is outside the space."""
    params = {}
    for name, dimension in space.items():
        value = values[name]
        if isinstance(dimension, Choice):
            if value not in dimension.choices:
                return None
            params[name] = json.dumps(dimension.choices[dimension.choices.index(value)])
        else:
            if value is None or not dimension.low <= value <= dimension.high:
                return None
            params[name] = value
    return params


def decode_values(params: Mapping[str, Any], space: Space) -> Values:
    """Return Optuna's parameters as params.yaml would have them."""
    return {
        name: json.loads(value) if isinstance(space[name], Choice) else value
        for name, value in params.items()
    }


def check_space(space: Space, dataset: Dataset) -> None:
    """Raise a UserError unless a data set may have every choice and both ends of every range."""
    for name, dimension in space.items():
        values = dimension.choices if isinstance(dimension, Choice) else (dimension.low, dimension.high)
        for value in values:
            vary(dataset, {name: value}, PLACE)


def build_experiment(dataset: str, values: Values) -> list[str]:
    """Return the arguments of DVC that run an experiment with some values of a data set.

    DVC adds a key that params.yaml does not have, and that therefore has its default, only after `++`.
    """
    content = read_yaml(FILE)
    arguments = []
    for hyperparameter, value in values.items():
        name = f"datasets.{dataset}.{hyperparameter}"
        sign = "" if _has_key(content, name.split(".")) else "++"
        arguments += ["-S", f"{sign}{name}={json.dumps(value)}"]
    return ["exp", "run", *arguments, f"evaluate@{dataset}"]


def _has_key(content: Any, path: Sequence[str]) -> bool:
    return not path or (path[0] in content and _has_key(content[path[0]], path[1:]))
