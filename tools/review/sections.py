"""Sections of a report, one for each data set whose results are new or differ, in Markdown."""

from collections.abc import Callable
from math import inf

import pandas as pd

from tools.common.markdown import escape, number_table
from tools.review import statistics
from tools.review.estimates import POWER
from tools.review.metrics import METRICS
from tools.review.review import Comparison, Review
from tools.review.statistics import Difference, Verdict

MOST_CLASSES = 12  # of a confusion matrix that a comment can hold
FEW_SEEDS = 5  # fewer say little of how much seeds matter
MOST_ROWS = 12  # of the other tables; the first rows are those that matter most
NONE = "·"  # in a cell of a confusion matrix, where a 0 would catch the eye
MOST_CHARACTERS = 40  # of a name
MOST_CHARACTERS_OF_PARAMETERS = 80  # of their dotted names and of their values


def shorten(content: object, characters: int = MOST_CHARACTERS) -> str:
    """Return text for a cell: escaped, and of bounded length."""
    text = str(content)
    return escape(text if len(text) <= characters else f"{text[: characters - 3]}...")


def describe(review: Review, comparison: Comparison) -> dict[str, str]:
    """Return the parts of the section of a data set whose predictions differ, by their names, in order."""
    return {
        "title": f"## {shorten(comparison.dataset)}",
        "parameters": describe_parameters(review, comparison.parameters) or "Parameters: unchanged.",
        "inputs": f"Code: {join(comparison.code) or 'unchanged'}. "
        f"Data: {join(comparison.data) or 'unchanged'}.",
        "metrics": _metric_table(review, comparison),
        "power": _describe_power(review, comparison.differences),
        "confusions": f"### Confusions\n\n{_describe_confusions(review, comparison)}",
        "classes": f"### Classes\n\n{_class_table(review, comparison.changes_of_classes)}",
    }


def describe_alone(review: Review, comparison: Comparison) -> dict[str, str]:
    """Return the parts of the section of a data set whose results have nothing to be compared with."""
    (result,) = comparison.after
    table = result.predictions
    intervals = statistics.estimate_intervals(table)
    rows = []
    for name, value in result.metrics.items():
        _, low, high = intervals.get(name, (0.0, None, None))
        rows.append([shorten(name), f"{value:.4f}", "" if low is None else f"{low:.4f} to {high:.4f}"])
    frequent = table["actual"].value_counts().iloc[0] / len(table)
    counts = table.groupby(["actual", "predicted"]).size().to_dict()
    if len(comparison.classes) <= MOST_CLASSES:
        matrix = f"{_describe_sides(review)}.\n\n" + _matrix(
            comparison.classes, lambda *pair: f"{counts[pair]:,}" if pair in counts else NONE
        )
    else:
        matrix = _frequent_confusions(table)
    return {
        "title": f"## {shorten(comparison.dataset)}",
        "reason": f"There is nothing to compare with: {escape(comparison.reason)}. These are the results at "
        f"{shorten(review.later.name)}, on {len(table):,} {review.split} images. Always naming the "
        f"most frequent class is right in {frequent:.1%} of them.",
        "metrics": number_table(["metric", "value", "95 % interval"], rows),
        "confusions": f"### Confusions\n\n{matrix}",
    }


def describe_parameters(review: Review, parameters: dict[str, tuple[object, object]]) -> str:
    """Return the table of parameters that differ, of bounded length; nothing if there are none."""
    if not parameters:
        return ""
    rows = [
        [
            shorten(text, MOST_CHARACTERS_OF_PARAMETERS)
            for text in (name, *("none" if value is None else value for value in values))
        ]
        for name, values in list(parameters.items())[:MOST_ROWS]
    ]
    table = number_table(["parameter", shorten(review.base.name), shorten(review.later.name)], rows)
    return _count_left(table, len(parameters) - len(rows))


def join(names: list[str]) -> str:
    """Return names in one line, of bounded length."""
    text = ", ".join(shorten(name) for name in names[:MOST_ROWS])
    return text if len(names) <= MOST_ROWS else f"{text} and {len(names) - MOST_ROWS} more"


def emphasize(verdict: Verdict) -> str:
    """Return a verdict, bold if it is better or worse."""
    return f"**{verdict}**" if verdict in (Verdict.BETTER, Verdict.WORSE) else verdict


def format_count(count: float) -> str:
    """Return a number of images; the mean over seeds may be no whole number."""
    tenths = round(count, 1)
    return f"{tenths:,.0f}" if tenths == round(tenths) else f"{tenths:,.1f}"


def _metric_table(review: Review, comparison: Comparison) -> str:
    rows = []
    for difference in comparison.differences:
        low, high = difference.interval
        rows.append(
            [
                difference.metric,
                f"{difference.before:.4f}",
                f"{difference.after:.4f}",
                f"{difference.after - difference.before:+.4f}",
                f"{low:+.4f} to {high:+.4f}",
                emphasize(difference.verdict),
            ]
        )
    for name, before, after in comparison.list_other_metrics():
        values = ["none" if value is None else f"{value:.4f}" for value in (before, after)]
        change = "" if before is None or after is None else f"{after - before:+.4f}"
        missing = [
            revision.name
            for revision, value in ((review.base, before), (review.later, after))
            if value is None
        ]
        verdict = f"not at {', '.join(map(shorten, missing))}" if missing else "no verdict"
        rows.append([shorten(name), *values, change, "", verdict])
    head = ["metric", shorten(review.base.name), shorten(review.later.name), "difference", "95 % interval"]
    return number_table([*head, "verdict"], rows)


def _describe_power(review: Review, differences: list[Difference]) -> str:
    """Return the differences that the review can find, for metrics without an answer."""
    unanswered = [difference for difference in differences if difference.verdict is Verdict.CANNOT_TELL]
    if not unanswered:
        return ""
    lines = []
    for difference in unanswered:
        detectable, tolerance = difference.estimate.detectable, difference.tolerance
        if detectable > METRICS[difference.metric].largest:
            lines.append(f"- {difference.metric}: none, from so few images.")
        elif tolerance and tolerance < detectable:
            needed = f"to find {tolerance:g}, the tolerance: {_count_needed(review, difference)}"
            lines.append(f"- {difference.metric}: {detectable:.4f}; {needed}.")
        else:
            lines.append(f"- {difference.metric}: {detectable:.4f}.")
    rough = " (a rough figure, from so few seeds)" if 1 < review.seeds < FEW_SEEDS else ""
    return (
        "Where this review cannot tell, it would have found a true difference of about this size in "
        f"{10 * POWER:g} of 10 cases{rough}:\n\n" + "\n".join(lines)
    )


def _count_needed(review: Review, difference: Difference) -> str:
    """Return how many seeds or images would find a difference as large as the tolerance."""
    estimate, size = difference.estimate, difference.tolerance or 0.0
    images, seeds = estimate.count_images_for(size), estimate.count_seeds_for(size)
    texts = []
    if seeds < inf:
        texts.append(f"about {_round(seeds):,} seeds each")
    if images < inf:
        texts.append(f"about {_round(images):,} {review.split} images")
    return " or ".join(texts) or "more seeds and more images"


def _round(count: float) -> int:
    """Return a number with two figures, which are more than such an estimate has."""
    return int(float(f"{count:.2g}"))


def _describe_confusions(review: Review, comparison: Comparison) -> str:
    base, later = shorten(review.base.name), shorten(review.later.name)
    names, pairs = comparison.classes, comparison.changes_of_confusions
    if len(names) > MOST_CLASSES:
        changed = pairs[pairs["before"] != pairs["after"]]
        rows = [
            [
                shorten(pair["actual"]),
                shorten(pair["predicted"]),
                format_count(pair["before"]),
                format_count(pair["after"]),
                emphasize(pair["verdict"]),
            ]
            for pair in changed.head(MOST_ROWS).to_dict("records")
        ]
        table = number_table(["class", "taken for", base, later, "verdict"], rows)
        return _count_left(table, len(changed) - len(rows)) if rows else "None changed."
    cells = {(pair["actual"], pair["predicted"]): pair for pair in pairs.to_dict("records")}
    right = {row["class"]: row for row in comparison.changes_of_classes.to_dict("records")}

    def describe_cell(actual: str, predicted: str) -> str:
        if actual == predicted:
            row = right.get(actual)
            if row is None:
                return NONE
            after, change = row["after"] * row["images"], row["gained"] - row["lost"]
            verdict = row["verdict"]
        else:
            pair = cells.get((actual, predicted))
            if pair is None:
                return NONE
            after, change, verdict = pair["after"], pair["after"] - pair["before"], pair["verdict"]
        text = format_count(after)
        if format_count(change) != "0":
            text += f" ({'+' if change > 0 else '-'}{format_count(abs(change))})"
        return f"**{text} {verdict}**" if verdict in (Verdict.BETTER, Verdict.WORSE) else text

    return (
        f"{_describe_sides(review)}; in brackets the change from {base}, bold where it is too much for "
        "chance.\n\n" + _matrix(names, describe_cell)
    )


def _describe_sides(review: Review) -> str:
    return f"Rows are the classes of the images, columns the predictions at {shorten(review.later.name)}"


def _matrix(names: list[str], describe_cell: Callable[[str, str], str]) -> str:
    rows = [[shorten(actual), *(describe_cell(actual, predicted) for predicted in names)] for actual in names]
    return number_table(["", *map(shorten, names)], rows)


def _frequent_confusions(table: pd.DataFrame) -> str:
    wrong = table[table["actual"] != table["predicted"]]
    counts = wrong.groupby(["actual", "predicted"]).size().sort_values(ascending=False, kind="stable")
    frequent = counts.head(MOST_ROWS).reset_index(name="images").to_dict("records")
    rows = [[shorten(row["actual"]), shorten(row["predicted"]), f"{row['images']:,}"] for row in frequent]
    text = number_table(["class", "taken for", "images"], rows)
    return _count_left(text, len(counts) - len(rows)) if rows else "None."


def _class_table(review: Review, classes: pd.DataFrame) -> str:
    rows = [
        [
            shorten(row["class"]),
            f"{row['images']:,}",
            f"{row['before']:.1%}",
            f"{row['after']:.1%}",
            f"{100 * (row['after'] - row['before']):+.1f}",
            format_count(row["lost"]),
            format_count(row["gained"]),
            emphasize(row["verdict"]),
        ]
        for row in classes.head(MOST_ROWS).to_dict("records")
    ]
    base, later = shorten(review.base.name), shorten(review.later.name)
    recalls = [f"recall at {name}" for name in (base, later)]
    table = number_table(["class", "images", *recalls, "points", "lost", "gained", "verdict"], rows)
    return (
        f"The surest change first. Lost are images that only {base} has right, gained those that only "
        f"{later} has right.\n\n{_count_left(table, len(classes) - len(rows))}"
    )


def _count_left(table: str, left: int) -> str:
    """Return a table, with the number of rows that are left out."""
    return f"{table}\n\nAnd {left:,} more." if left else table
