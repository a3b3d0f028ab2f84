"""Page of a data set's predictions: a single file that loads no other."""

from pathlib import Path

from jinja2.utils import htmlsafe_json_dumps

from tools.common import page
from tools.gallery import parts
from tools.gallery.contents import Json

FOLDER = Path(__file__).parent / "static"
NAMES = ("pixels.js", "ink.js", "network.js", "threshold.js", "labels.js", "trial.js")


def build(contents: Json) -> str:
    """Return the page.

    Args:
        contents: as `contents.collect` returns them.
    """
    return page.render(
        "explore/page.html.jinja",
        contents=contents,
        json=htmlsafe_json_dumps(contents),
        script=parts.read(parts.SCRIPT, *(FOLDER / name for name in NAMES)),
        style=parts.read(parts.STYLE, FOLDER / "explore.css"),
    )
