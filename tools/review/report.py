"""A review as text: Markdown for a comment, and a web page of its own with the pictures in it."""

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markdown_it import MarkdownIt

from tools.common.markdown import table, text
from tools.common.revision import SHORT, Revision
from tools.review import changes
from tools.review.comparison import Comparison, Review
from tools.review.statistics import Difference, compare_classes, mcnemar

ROWS_SHOWN = 8  # of pairs and images: a comment is read, and the pictures show more
CHARACTERS_SHOWN = 80  # of a parameter's value

NOT_DRAWN = "The changed images are not drawn: their test split is not here. `dvc repro preprocess` makes it."

STYLE = """
body { font-family: sans-serif; line-height: 1.5; max-width: 1200px; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; margin: 1em 0 }
th, td { border: 1px solid #ccc; padding: 0.25em 0.75em; text-align: left; overflow-wrap: anywhere }
figure { margin: 2em 0 }
img { max-width: 100%; display: block }
figcaption { color: #666; font-size: small }
"""


def markdown(review: Review) -> str:
    """The report without its pictures."""
    sections = [_section(review, comparison) for comparison in review.comparisons if comparison.differences]
    parts = [_summary(review), *sections, _explanation(review)]
    return "\n\n".join(part for part in parts if part) + "\n"


def page(review: Review) -> str:
    """The report as a page that needs no other file."""
    render = MarkdownIt("commonmark", {"html": False}).enable("table").render
    body = [render(_summary(review))]
    for comparison in review.comparisons:
        if comparison.differences:
            body += [render(_section(review, comparison)), *map(_image, comparison.pictures)]
            if not any(picture.stem.endswith("-right-to-wrong") for picture in comparison.pictures):
                body.append(render(f"*{NOT_DRAWN}*"))
    body.append(render(_explanation(review)))
    title = html.escape(f"{review.base.name} → {review.later.name}")
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n{''.join(body)}</body>\n</html>\n"
    )


def _summary(review: Review) -> str:
    """What a reader must know: whether the change may pass, and a line for each data set."""
    base = text(review.base.name)
    worse = "; ".join(
        f"{text(dataset)}: {difference.metric} by more than {review.tolerance[difference.metric]:g}"
        for dataset, difference in review.too_much_worse()
    )
    untested = "; ".join(
        f"{text(one.dataset)}: {text(one.untested)}" for one in review.comparisons if one.untested
    )
    if worse:
        gate = f"**Stopped**: significantly worse than {base}: {worse}."
    elif not untested:
        gate = f"**Passed**: nothing is significantly worse than {base} by more than its tolerance."
    else:
        gate = "**Stopped**."
    if untested:
        gate += f" **Not tested**: {untested}."
    lines = [f"- {_line(comparison)}" for comparison in review.comparisons]
    lines += [
        f"- **Out of date**: the results of {text(comparison.dataset)} at {text(revision)}. Since they "
        f"were made, these have changed: {_names(found)}. Run `dvc repro evaluate@{comparison.dataset}` "
        "and commit."
        for comparison in review.comparisons
        for revision, found in comparison.stale.items()
        if found
    ]
    parts = [f"# {_title(review.base)} → {_title(review.later)}", gate, "\n".join(lines)]
    if review.pipeline:
        parts.append(f"Changed for every data set: {_names(review.pipeline)}.")
    if review.shared:
        parts.append(_parameters(review, review.shared))
    return "\n\n".join(parts)


def _title(revision: Revision) -> str:
    name = text(revision.name)
    if revision.commit is None or revision.name == revision.commit[:SHORT]:
        return name
    return f"{name} ({revision.commit[:SHORT]})"


def _line(comparison: Comparison) -> str:
    name = f"**{text(comparison.dataset)}**"
    if comparison.nothing_to_test is None:
        accuracy = comparison.differences[0]
        others = [f"{other.metric} {other.verdict}" for other in comparison.differences[1:]]
        shift = f"accuracy {accuracy.before:.2%} → {accuracy.after:.2%} {accuracy.verdict}"
        return f"{name}: {shift}; {', '.join(others)}"
    changed = [*comparison.parameters, *comparison.code, *comparison.data]
    return f"{name}: {text(comparison.nothing_to_test)}" + (
        f"; changed: {_names(changed)}" if changed else ""
    )


def _section(review: Review, comparison: Comparison) -> str:
    """All about a data set that changed."""
    before, after = comparison.before, comparison.after
    lost, gained = changes.changed_images(before, after)
    pairs = changes.changed_confusions(before, after)
    base, later = text(review.base.name), text(review.later.name)
    parts = [
        f"## {text(comparison.dataset)}",
        _parameters(review, comparison.parameters) if comparison.parameters else "Parameters: unchanged.",
        f"Code: {_names(comparison.code) or 'unchanged'}. Data: {_names(comparison.data) or 'unchanged'}.",
        table(
            ["metric", base, later, "difference", "95 % interval", "verdict"],
            [_row(difference) for difference in comparison.differences],
        ),
        f"Of {len(after):,} test images, {len(lost):,} are right at {base} alone and {len(gained):,} at "
        f"{later} alone: exact McNemar test, p = {mcnemar(len(lost), len(gained)):.2g}.",
        _spreads(review, comparison),
        f"### Classes\n\n{_classes(review, comparison)}",
        f"### Confusions that changed most\n\n{_confusions(pairs[pairs['before'] != pairs['after']])}",
        f"### Most confused now\n\n{_confusions(pairs.sort_values('after', ascending=False, kind='stable'))}",
        f"### Images right at {base}, wrong at {later}: {_count(lost)}\n\n{_images(review, lost)}",
        f"### Images wrong at {base}, right at {later}: {_count(gained)}\n\n{_images(review, gained)}",
    ]
    return "\n\n".join(part for part in parts if part)


def _parameters(review: Review, parameters: dict[str, tuple[Any, Any]]) -> str:
    rows = [[text(name), _value(old), _value(new)] for name, (old, new) in parameters.items()]
    return table(["parameter", text(review.base.name), text(review.later.name)], rows)


def _row(difference: Difference) -> list[str]:
    return [
        difference.metric,
        f"{difference.before:.4f}",
        f"{difference.after:.4f}",
        f"{difference.after - difference.before:+.4f}",
        f"{difference.low:+.4f} to {difference.high:+.4f}",
        _verdict(difference.verdict),
    ]


def _verdict(verdict: str) -> str:
    return verdict if verdict == "within noise" else f"**{verdict}**"


def _classes(review: Review, comparison: Comparison) -> str:
    rows = [
        [
            text(row["class"]),
            f"{row['images']:,}",
            f"{row['before']:.1%}",
            f"{row['after']:.1%}",
            f"{row['lost']:,}",
            f"{row['gained']:,}",
            f"{row['p']:.2g}",
            _verdict(row["verdict"]),
        ]
        for row in compare_classes(comparison.before, comparison.after).to_dict("records")
    ]
    recalls = [f"recall at {text(revision.name)}" for revision in (review.base, review.later)]
    return table(["class", "images", *recalls, "lost", "gained", "p", "verdict"], rows)


def _spreads(review: Review, comparison: Comparison) -> str:
    if not comparison.spreads:
        return ""
    rows = []
    for spread in comparison.spreads:
        metric, first, second, *rest = _row(spread.difference)
        rows.append(
            [
                metric,
                f"{first} ± {spread.deviation_before:.4f}",
                f"{second} ± {spread.deviation_after:.4f}",
                *rest,
            ]
        )
    names = [f"{text(revision.name)}, mean ± s.d." for revision in (review.base, review.later)]
    spreads = table(["metric", *names, "difference", "95 % interval", "verdict"], rows)
    seeds = comparison.spreads[0].seeds
    return f"### Over {seeds} training seeds each\n\n{spreads}\n\nVerdicts and intervals by Welch's t-test."


def _confusions(pairs: pd.DataFrame) -> str:
    lines = [
        f"- {text(pair.actual)} taken for {text(pair.predicted)}: {pair.before} → {pair.after}"
        for pair in pairs.head(ROWS_SHOWN).itertuples()
    ]
    return "\n".join(lines) or "None."


def _count(images: pd.DataFrame) -> str:
    return f"{len(images):,}" + (f", the first {ROWS_SHOWN}" if len(images) > ROWS_SHOWN else "")


def _images(review: Review, images: pd.DataFrame) -> str:
    if images.empty:
        return "None."
    rows = [
        [
            f"{image.Index}",
            text(image.actual),
            f"{text(image.predicted_before)}, {image.probability_before:.1%}",
            f"{text(image.predicted_after)}, {image.probability_after:.1%}",
        ]
        for image in images.head(ROWS_SHOWN).itertuples()
    ]
    return table(["image", "class", text(review.base.name), text(review.later.name)], rows)


def _explanation(review: Review) -> str:
    """What the verdicts mean, and what they don't cover."""
    tested = [difference for comparison in review.comparisons for difference in comparison.differences]
    if not tested:
        return ""
    allowed = ", ".join(f"{metric} {tolerance:g}" for metric, tolerance in review.tolerance.items())
    seeds = (
        "The tables over training seeds cover what the tests on images do not: how much another seed "
        "would change the result."
        if any(comparison.spreads for comparison in review.comparisons)
        else "**Not covered**: the spread between training seeds. Another seed alone moves these numbers; "
        "`make review SEEDS=5` measures by how much."
    )
    return "\n\n".join(
        [
            "## What the verdicts mean",
            "Both networks were scored on the same test images. The intervals say what the difference may "
            "be on other images of the same kind. A verdict other than “within noise” is significant at 5 "
            "%, by McNemar's exact test for accuracy, which may call noise what the interval just "
            f"excludes, and by a paired bootstrap for the others. Of the {len(tested)} verdicts here, one "
            "in twenty is expected to be better or worse by chance alone. Those on classes are by McNemar's "
            "test of each, its p adjusted for their number (Benjamini and Hochberg). For log_loss and "
            "calibration_error, less is better. Chance alone adds to a calibration_error: more where "
            "there are fewer images, or where a network is right less often. Images are numbered from 0, "
            "and those shown are the most confident mistakes.",
            f"The gate goes by these verdicts. It allows {allowed}, and what it allows is set at "
            f"{text(review.base.name)} or by --tolerance.",
            seeds,
        ]
    )


def _names(names: Sequence[str]) -> str:
    return ", ".join(text(name) for name in names)


def _value(value: Any) -> str:
    shown = "none" if value is None else str(value)
    return text(shown if len(shown) <= CHARACTERS_SHOWN else f"{shown[:CHARACTERS_SHOWN]}...")


def _image(picture: Path) -> str:
    data = base64.b64encode(picture.read_bytes()).decode()
    name = html.escape(picture.stem)
    image = f'<img alt="{name}" src="data:image/png;base64,{data}">'
    return f"<figure>{image}<figcaption>{name}</figcaption></figure>\n"
