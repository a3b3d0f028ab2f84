"""Report of a review in Markdown, for a comment on a pull request."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from tools.common.markdown import escape, table
from tools.common.revision import SHORT_HASH, Revision
from tools.review import predictions
from tools.review.comparison import Comparison, Outcome, Review
from tools.review.metrics import METRICS
from tools.review.statistics import Difference, compare_classes, mcnemar

MOST_ROWS = 8  # pairs of classes, or images: the pictures have more
MOST_CHARACTERS = 80  # of the value of a parameter


def build_markdown(review: Review) -> str:
    """Return the report without pictures."""
    sections = [describe(review, comparison) for comparison in review.comparisons if comparison.differences]
    parts = [summarize(review), *sections, explain(review)]
    return "\n\n".join(part for part in parts if part) + "\n"


def summarize(review: Review) -> str:
    """Return the head of the report: whether the change passes, and a line for each data set."""
    base = escape(review.base.name)
    worse = "; ".join(
        f"{escape(dataset)}: {difference.metric} by more than {review.tolerance[difference.metric]:g}"
        for dataset, difference in review.find_regressions()
    )
    untested = "; ".join(
        f"{escape(comparison.dataset)}: {escape(comparison.obstacle)}"
        for comparison in review.comparisons
        if comparison.obstacle
    )
    if worse:
        gate = f"**Stopped**: significantly worse than {base}: {worse}."
    elif not untested:
        gate = f"**Passed**: nothing is significantly worse than {base} by more than its tolerance."
    else:
        gate = "**Stopped**."
    if untested:
        gate += f" **Not tested**: {untested}."
    lines = [f"- {_summarize_dataset(comparison)}" for comparison in review.comparisons]
    lines += [
        f"- **Out of date**: the results of {escape(comparison.dataset)} at {escape(revision)}. Changed "
        f"after the last `dvc repro`: {_join(names)}. Run `dvc repro evaluate@{comparison.dataset}` and "
        "commit."
        for comparison in review.comparisons
        for revision, names in comparison.stale.items()
        if names
    ]
    parts = [f"# {_title(review.base)} → {_title(review.later)}", gate, "\n".join(lines)]
    if review.pipeline:
        parts.append(f"Changed for every data set: {_join(review.pipeline)}.")
    if review.shared:
        parts.append(_parameter_table(review, review.shared))
    return "\n\n".join(parts)


def describe(review: Review, comparison: Comparison) -> str:
    """Return the section of a data set whose predictions differ."""
    before, after = comparison.before, comparison.after
    lost, gained = predictions.find_changed_images(before, after)
    pairs = predictions.count_confusions(before, after)
    base, later = escape(review.base.name), escape(review.later.name)
    changed_most = _confusion_list(pairs[pairs["before"] != pairs["after"]])
    most_frequent = _confusion_list(pairs.sort_values("after", ascending=False, kind="stable"))
    parts = [
        f"## {escape(comparison.dataset)}",
        _parameter_table(review, comparison.parameters)
        if comparison.parameters
        else "Parameters: unchanged.",
        f"Code: {_join(comparison.code) or 'unchanged'}. Data: {_join(comparison.data) or 'unchanged'}.",
        table(
            ["metric", base, later, "difference", "95 % interval", "verdict"],
            [_difference_row(difference) for difference in comparison.differences],
        ),
        f"Of {len(after):,} test images, {len(lost):,} are right at {base} alone and {len(gained):,} at "
        f"{later} alone: exact McNemar test, p = {mcnemar(len(lost), len(gained)):.2g}.",
        _seed_section(review, comparison),
        f"### Classes\n\n{_class_table(review, comparison)}",
        f"### Confusions that changed most\n\n{changed_most}",
        f"### Most frequent confusions at {later}\n\n{most_frequent}",
        f"### Images right at {base}, wrong at {later}: {_count(lost)}\n\n{_image_table(review, lost)}",
        f"### Images wrong at {base}, right at {later}: {_count(gained)}\n\n{_image_table(review, gained)}",
    ]
    return "\n\n".join(part for part in parts if part)


def explain(review: Review) -> str:
    """Return the meaning of the verdicts, and the limits of the tests; nothing if there is no verdict."""
    differences = [difference for comparison in review.comparisons for difference in comparison.differences]
    if not differences:
        return ""
    base, later = escape(review.base.name), escape(review.later.name)
    smaller_is_better = [name for name, metric in METRICS.items() if not metric.larger_is_better]
    tolerances = ", ".join(
        f"{metric} {review.tolerance[metric]:g}" for metric in METRICS if metric in review.tolerance
    )
    without = ", ".join(metric for metric in METRICS if metric not in review.tolerance)
    seeds = (
        "The tests on images do not cover the spread between training seeds. The tables over training seeds "
        "do."
        if any(comparison.spreads for comparison in review.comparisons)
        else "**Not covered**: the spread between training seeds. Another seed alone moves these numbers; "
        "`make review SEEDS=5` measures by how much."
    )
    return "\n\n".join(
        [
            "## What the verdicts mean",
            "Both networks were scored on the same test images. An interval is a 95 % confidence interval of "
            "the difference on other images of the same kind. A verdict other than “within noise” is "
            "significant at 5 %. Accuracy is tested by McNemar's exact test, the other metrics by a paired "
            "bootstrap. McNemar's exact test is cautious: accuracy may be “within noise” although the "
            f"interval just excludes 0. By chance alone, one in twenty of the {len(differences)} verdicts on "
            "metrics is expected to be better or worse. Each class is tested by McNemar's exact test, with p "
            "adjusted for the number of classes (Benjamini and Hochberg). For "
            f"{' and '.join(smaller_is_better)}, smaller is better. A calibration_error is biased "
            "upwards, more with fewer images or a lower accuracy. Images are numbered from 0. The listed "
            "images are the most confident mistakes.",
            "The gate stops a change if a metric is significantly worse and all of the interval is worse by "
            f"more than the tolerance: {tolerances or 'none'}. The tolerances are those of {base}; where "
            f"{base} has none, {later} decides. `--tolerance` replaces both."
            + (f" The gate ignores metrics without a tolerance: {without}." if without else ""),
            seeds,
        ]
    )


def _title(revision: Revision) -> str:
    name = escape(revision.name)
    if revision.commit is None or revision.name == revision.commit[:SHORT_HASH]:
        return name
    return f"{name} ({revision.commit[:SHORT_HASH]})"


def _summarize_dataset(comparison: Comparison) -> str:
    name = f"**{escape(comparison.dataset)}**"
    if comparison.outcome is Outcome.COMPARED:
        accuracy, *others = comparison.differences
        shift = f"accuracy {accuracy.before:.2%} → {accuracy.after:.2%} {accuracy.verdict}"
        return f"{name}: {shift}; {', '.join(f'{other.metric} {other.verdict}' for other in others)}"
    changed = _join([*comparison.parameters, *comparison.code, *comparison.data])
    return f"{name}: {escape(comparison.reason)}" + (f"; changed: {changed}" if changed else "")


def _parameter_table(review: Review, parameters: dict[str, tuple[Any, Any]]) -> str:
    rows = [[escape(name), _format_value(old), _format_value(new)] for name, (old, new) in parameters.items()]
    return table(["parameter", escape(review.base.name), escape(review.later.name)], rows)


def _difference_row(difference: Difference) -> list[str]:
    return [
        difference.metric,
        f"{difference.before:.4f}",
        f"{difference.after:.4f}",
        f"{difference.after - difference.before:+.4f}",
        f"{difference.low:+.4f} to {difference.high:+.4f}",
        _emphasize(difference.verdict),
    ]


def _emphasize(verdict: str) -> str:
    return verdict if verdict == "within noise" else f"**{verdict}**"


def _class_table(review: Review, comparison: Comparison) -> str:
    rows = [
        [
            escape(row["class"]),
            f"{row['images']:,}",
            f"{row['before']:.1%}",
            f"{row['after']:.1%}",
            f"{row['lost']:,}",
            f"{row['gained']:,}",
            f"{row['p']:.2g}",
            _emphasize(row["verdict"]),
        ]
        for row in compare_classes(comparison.before, comparison.after).to_dict("records")
    ]
    recalls = [f"recall at {escape(revision.name)}" for revision in (review.base, review.later)]
    return table(["class", "images", *recalls, "lost", "gained", "p", "verdict"], rows)


def _seed_section(review: Review, comparison: Comparison) -> str:
    if not comparison.spreads:
        return ""
    rows = []
    for spread in comparison.spreads:
        metric, first, second, *rest = _difference_row(spread.difference)
        before, after = spread.deviation_before, spread.deviation_after
        rows.append([metric, f"{first} ± {before:.4f}", f"{second} ± {after:.4f}", *rest])
    names = [f"{escape(revision.name)}, mean ± s.d." for revision in (review.base, review.later)]
    spreads = table(["metric", *names, "difference", "95 % interval", "verdict"], rows)
    seeds = comparison.spreads[0].seeds
    return f"### Over {seeds} training seeds each\n\n{spreads}\n\nVerdicts and intervals by Welch's t-test."


def _confusion_list(pairs: pd.DataFrame) -> str:
    lines = [
        f"- {escape(pair.actual)} taken for {escape(pair.predicted)}: {pair.before} → {pair.after}"
        for pair in pairs.head(MOST_ROWS).itertuples()
    ]
    return "\n".join(lines) or "None."


def _count(images: pd.DataFrame) -> str:
    return f"{len(images):,}" + (f", the first {MOST_ROWS}" if len(images) > MOST_ROWS else "")


def _image_table(review: Review, images: pd.DataFrame) -> str:
    if images.empty:
        return "None."
    rows = [
        [
            f"{image.Index}",
            escape(image.actual),
            f"{escape(image.predicted_before)}, {image.probability_before:.1%}",
            f"{escape(image.predicted_after)}, {image.probability_after:.1%}",
        ]
        for image in images.head(MOST_ROWS).itertuples()
    ]
    return table(["image", "class", escape(review.base.name), escape(review.later.name)], rows)


def _join(names: Sequence[str]) -> str:
    return ", ".join(escape(name) for name in names)


def _format_value(value: Any) -> str:
    text = "none" if value is None else str(value)
    return escape(text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}...")
