"""Comparison of two revisions, one data set after the other."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stages.common import layout
from stages.common.errors import UserError
from tools.common.revision import Result, Revision
from tools.review import gate, inputs, statistics
from tools.review.metrics import METRICS
from tools.review.review import OPTIONS, Comparison, Outcome, Review, Rules
from tools.review.statistics import Difference

ROUNDING = 1e-3  # of a metric that is computed from rounded probabilities


def list_datasets(base: Revision, later: Revision) -> list[str]:
    """Return the keys of the data sets of either revision, in the order of params.yaml."""
    return list(dict.fromkeys(name for revision in (later, base) for name in revision.datasets()))


def compare_revisions(
    base: Revision, later: Revision, changed: dict[str, tuple[Any, Any]], rules: Rules
) -> Review:
    """Compare every data set of two revisions.

    Args:
        base: the earlier revision.
        later: the later revision.
        changed: parameters, as `inputs.find_changed_parameters` returns them.
        rules: of the review.
    """
    tolerance = {**gate.read_tolerance(base, later), **rules.tolerance}
    comparisons = []
    for dataset in list_datasets(base, later):
        comparison = compare_dataset(dataset, base, later, changed, rules)
        if comparison.outcome is Outcome.COMPARED:
            comparison.differences = compare_results(comparison.before, comparison.after, tolerance)
        comparisons.append(comparison)
    of_datasets = {name for comparison in comparisons for name in comparison.parameters}
    shared = {name: values for name, values in changed.items() if name not in of_datasets}
    return Review(
        base,
        later,
        rules.split,
        comparisons,
        {**shared, **gate.find_changed_tolerance(base, later)},
        inputs.find_changed_pipeline(base, later),
        tolerance,
    )


def compare_results(
    before: Sequence[Result], after: Sequence[Result], tolerance: dict[str, float]
) -> list[Difference]:
    """Compare the predictions of two revisions, one result for each training seed."""
    first, second = ([result.predictions for result in results] for results in (before, after))
    return statistics.compare(first, second, tolerance)


def compare_dataset(
    dataset: str, base: Revision, later: Revision, changed: dict[str, tuple[Any, Any]], rules: Rules
) -> Comparison:
    """Find out what of a data set has changed between two revisions, and read the results.

    Args:
        dataset: the key.
        base: the earlier revision.
        later: the later revision.
        changed: parameters of any data set, as `inputs.find_changed_parameters` returns them.
        rules: of the review.
    """
    revisions = (base, later)
    stale = {
        revision.name: inputs.find_stale(revision, dataset) if dataset in revision.datasets() else []
        for revision in revisions
    }
    before, after = (_read_result(revision, dataset, rules.split) for revision in revisions)
    hashes = {inputs.find_split(revision, dataset, rules.split) for revision in revisions} - {None}
    renamed = find_renamed_classes(base, later, dataset) if len(hashes) <= 1 else {}
    before = rename_classes(before, renamed) if before else None
    outcome = _find_outcome(dataset, revisions, (before, after), rules.split)
    reason = outcome.value.format(
        base=base.name,
        later=later.name,
        images=len(after.predictions) if after else 0,
        split=rules.split,
        dataset=dataset,
    )
    unlocked = inputs.find_unlocked(later, dataset) if dataset in later.datasets() else []
    comparison = Comparison(
        dataset,
        {name: values for name, values in changed.items() if name.startswith(f"datasets.{dataset}.")},
        [] if unlocked else inputs.find_changed_code(base, later, dataset),
        [] if unlocked else inputs.find_changed_data(base, later, dataset),
        stale,
        outcome,
        reason,
        _find_obstacles(dataset, base, later, unlocked) if dataset in later.datasets() else [],
        renamed=renamed,
    )
    if outcome is Outcome.PREDICTIONS_MISSING:
        comparison.obstacles.insert(0, reason)
    if outcome in OPTIONS and not rules.accept(outcome, dataset):
        comparison.obstacles.insert(0, f"{reason}; {_name_option(outcome, dataset)} accepts that")
    if after:
        comparison.obstacles += find_false_metrics(dataset, after)
    if renamed.keys() & set(renamed.values()) and not rules.accept(Outcome.OTHER_IMAGES, dataset):
        accept = f"{_name_option(Outcome.OTHER_IMAGES, dataset)} accepts that"
        comparison.obstacles.append(f"names of classes stand for other classes than before; {accept}")
    for split in layout.SCORED_SPLITS:
        if split != rules.split and before and after and not rules.accept(Outcome.OTHER_IMAGES, dataset):
            hashes = {inputs.find_split(revision, dataset, split) for revision in revisions} - {None}
            if len(hashes) > 1:
                accept = f"{_name_option(Outcome.OTHER_IMAGES, dataset)} accepts that"
                comparison.obstacles.append(f"the {split} images differ; {accept}")
    is_comparable = outcome in (Outcome.COMPARED, Outcome.SAME_PREDICTIONS)
    comparison.before = [before] if before and is_comparable else []
    comparison.after = [after] if after else []
    comparison.classes = _order_classes(later, dataset, [*comparison.before, *comparison.after])
    return comparison


def find_renamed_classes(base: Revision, later: Revision, dataset: str) -> dict[str, str]:
    """Return the new name of each class that has another name at the later revision, by its old name.

    A class is its number, which its place in params.yaml tells. Another number of classes is no renaming.
    """
    if any(dataset not in revision.datasets() for revision in (base, later)):
        return {}
    old, new = (_list_classes(revision, dataset) for revision in (base, later))
    if len(old) != len(new):
        return {}
    return {before: after for before, after in zip(old, new, strict=True) if before != after}


def rename_classes(result: Result, renamed: Mapping[str, str]) -> Result:
    """Return a result with other names of classes in its predictions."""
    if not renamed:
        return result
    table = result.predictions
    columns = {
        column: table[column].map(lambda name: renamed.get(name, name)) for column in ("actual", "predicted")
    }
    return result._replace(predictions=table.assign(**columns))


def _name_option(outcome: Outcome, dataset: str) -> str:
    """Return the option, and the variable of make, by which a person accepts an outcome for a data set."""
    option = OPTIONS[outcome]
    return f"{option} {dataset} (make review {option.strip('-').replace('-', '_').upper()}={dataset})"


def find_false_metrics(dataset: str, result: Result) -> list[str]:
    """Return reasons not to believe a result: metrics that do not follow from its predictions."""
    table, reasons = result.predictions, []
    for name, metric in METRICS.items():
        if name in result.metrics and set(metric.columns) <= set(table):
            value = float(metric.compute_values(table).mean())
            if not abs(value - result.metrics[name]) <= ROUNDING:
                reasons.append(
                    f"{layout.metrics(dataset)} says {name} {result.metrics[name]:.4f}, the predictions say "
                    f"{value:.4f}; run dvc repro --force evaluate@{dataset}"
                )
    return reasons


def _find_outcome(
    dataset: str,
    revisions: tuple[Revision, Revision],
    results: tuple[Result | None, Result | None],
    split: str,
) -> Outcome:
    before, after = results
    if after is None:
        return Outcome.PREDICTIONS_MISSING if dataset in revisions[1].datasets() else Outcome.REMOVED
    if before is None:
        return Outcome.NEW
    hashes = {inputs.find_split(revision, dataset, split) for revision in revisions} - {None}
    if before.predictions["actual"].tolist() != after.predictions["actual"].tolist() or len(hashes) > 1:
        return Outcome.OTHER_IMAGES
    columns = [name for name in before.predictions if name in after.predictions]
    metrics = before.metrics.keys() & after.metrics.keys()
    same_metrics = all(before.metrics[name] == after.metrics[name] for name in metrics)
    if same_metrics and before.predictions[columns].equals(after.predictions[columns]):
        return Outcome.SAME_PREDICTIONS
    return Outcome.COMPARED


def _find_obstacles(dataset: str, base: Revision, later: Revision, unlocked: list[str]) -> list[str]:
    """Return the reasons for not believing the results of a data set that the later revision has."""
    obstacles = []
    if unlocked:
        obstacles.append(f"not in dvc.lock: {', '.join(unlocked)}; run dvc repro evaluate@{dataset}")
    elif inputs.find_stale(later, dataset):
        obstacles.append("its results are out of date")
    if unexplained := inputs.find_unexplained(base, later, dataset):
        obstacles.append(
            f"other results from the same inputs: {', '.join(unexplained)}; "
            f"run dvc repro --force evaluate@{dataset}"
        )
    return obstacles


def _list_classes(revision: Revision, dataset: str) -> list[str]:
    """Return the names of the classes in params.yaml of a revision."""
    classes = revision.datasets().get(dataset, {}).get("classes", [])
    if not isinstance(classes, int | list):
        raise UserError(
            f"params.yaml at {revision.name}: datasets.{dataset}.classes: expected a number or names, found "
            f"{classes!r:.80}"
        )
    return list(map(str, range(classes) if isinstance(classes, int) else classes))


def _order_classes(revision: Revision, dataset: str, results: Sequence[Result]) -> list[str]:
    """Return the names of classes in results, in the order of params.yaml, then those that it lacks."""
    positions = {name: position for position, name in enumerate(_list_classes(revision, dataset))}
    names = {name for result in results for name in np.unique(result.predictions[["actual", "predicted"]])}
    return sorted(names, key=lambda name: (positions.get(name, len(positions)), name))


def _read_result(revision: Revision, dataset: str, split: str) -> Result | None:
    """Return the results, None also for those that a removed data set has left behind."""
    return revision.result(dataset, split) if dataset in revision.datasets() else None
