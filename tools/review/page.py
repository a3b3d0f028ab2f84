"""Report of a review as a web page in a single file, with the pictures."""

import base64
import html
from pathlib import Path

from markdown_it import MarkdownIt

from tools.review import report
from tools.review.comparison import Review

NOT_DRAWN = (
    "The changed images are not drawn, as the test split is not in this folder. "
    "`dvc repro preprocess` makes the split."
)

STYLE = """
body { font-family: sans-serif; line-height: 1.5; max-width: 1200px; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; margin: 1em 0 }
th, td { border: 1px solid #ccc; padding: 0.25em 0.75em; text-align: left; overflow-wrap: anywhere }
figure { margin: 2em 0 }
img { max-width: 100%; display: block }
figcaption { color: #666; font-size: small }
"""


def build(review: Review) -> str:
    """Return the page; it loads no other file."""
    render = MarkdownIt("commonmark", {"html": False}).enable("table").render
    body = [render(report.summarize(review))]
    for comparison in review.comparisons:
        if comparison.differences:
            body += [render(report.describe(review, comparison)), *map(_embed, comparison.pictures)]
            if not any(picture.stem.endswith("-right-to-wrong") for picture in comparison.pictures):
                body.append(render(f"*{NOT_DRAWN}*"))
    body.append(render(report.explain(review)))
    title = html.escape(f"{review.base.name} → {review.later.name}")
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n{''.join(body)}</body>\n</html>\n"
    )


def _embed(picture: Path) -> str:
    """Return a picture as a figure, with the bytes in the page and the name below."""
    data = base64.b64encode(picture.read_bytes()).decode()
    name = html.escape(picture.stem)
    image = f'<img alt="{name}" src="data:image/png;base64,{data}">'
    return f"<figure>{image}<figcaption>{name}</figcaption></figure>\n"
