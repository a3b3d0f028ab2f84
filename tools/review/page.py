"""Report of a review as a web page in a single file, with the pictures."""

import base64

from jinja2.utils import htmlsafe_json_dumps
from markdown_it import MarkdownIt
from markupsafe import Markup

from tools.common import page
from tools.gallery import parts
from tools.review import report
from tools.review.review import Comparison, Picture, Review
from tools.review.statistics import Difference, Verdict

CLASSES = {
    Verdict.BETTER: "better",
    Verdict.WORSE: "worse",
    Verdict.AS_GOOD: "good",
    Verdict.CANNOT_TELL: "open",
}


def build(review: Review) -> str:
    """Return the page; it loads no other file."""
    summary = report.summarize(review)
    return page.render(
        "review/page.html.jinja",
        title=f"{review.base.name} → {review.later.name}",
        stopped=review.stopped,
        head=_render(summary["title"]),
        verdict=_render(summary["verdict"]),
        details=_render("\n\n".join(summary[name] for name in ("stale", "pipeline", "parameters"))),
        summaries=[_summarize(comparison) for comparison in review.comparisons],
        sections=[
            (comparison.dataset, _build_section(review, comparison), comparison.contents)
            for comparison in review.comparisons
            if report.describe_section(review, comparison)
        ],
        explanation=_render(report.explain(review)),
        base=review.base.name,
        style=parts.read(parts.STYLE),
        script=parts.read(parts.SCRIPT),
        dump=htmlsafe_json_dumps,
    )


def _summarize(comparison: Comparison) -> dict[str, object]:
    """Return the bar of a data set: its name, its state in words, and the verdict on each metric."""
    return {
        "dataset": comparison.dataset,
        "state": "worse" if comparison.obstacles else "",
        "words": "; ".join(comparison.obstacles) or ("" if comparison.differences else comparison.reason),
        "verdicts": [
            (
                difference.metric,
                f"{_describe_shift(difference)}{difference.verdict}",
                CLASSES[difference.verdict],
            )
            for difference in comparison.differences
        ],
    }


def _describe_shift(difference: Difference) -> str:
    """Return an accuracy before and after; other metrics stand in the table."""
    if difference.metric != "accuracy":
        return ""
    return f"{difference.before:.2%} → {difference.after:.2%}, "


def _build_section(review: Review, comparison: Comparison) -> Markup:
    """Return the section of a data set; a picture of confusions stands in place of their table."""
    parts = report.describe_section(review, comparison)
    drawn = [picture for picture in comparison.pictures if picture.path.stem.endswith("-confusion")]
    # In place of the galleries, the page has images to choose from.
    galleries = ("-right-to-wrong", "-wrong-to-right", "-mistakes")
    others = [
        picture
        for picture in comparison.pictures
        if picture not in drawn and not picture.path.stem.endswith(galleries)
    ]
    if drawn:
        parts["confusions"] = "### Confusions"
    blocks = []
    for name, text in parts.items():
        blocks.append(_render(text))
        if name == "confusions":
            blocks += map(_embed, drawn)
    blocks.append(Markup('<div class="pictures">') + Markup("").join(map(_embed, others)) + Markup("</div>"))
    if comparison.contents is None:
        blocks.append(
            _render(
                f"*The images are not drawn, as the {review.split} split of these predictions is not in this "
                f"folder. `dvc repro preprocess@{comparison.dataset}` makes the split.*"
            )
        )
    return Markup("").join(blocks)


def _render(text: str) -> Markup:
    html: str = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    wide = html.replace("<table>", '<div class="table"><table>').replace("</table>", "</table></div>")
    return Markup(wide)  # noqa: S704 - HTML in the text is escaped


def _embed(picture: Picture) -> Markup:
    """Return a picture as a figure, with the bytes in the page and the caption below."""
    data = base64.b64encode(picture.path.read_bytes()).decode()
    width = "half" if picture.is_half_wide else "full"
    return Markup(
        '<figure class="{}"><img alt="{}" src="data:image/png;base64,{}">'
        "<figcaption>{}</figcaption></figure>\n"
    ).format(width, picture.caption, data, picture.caption)
