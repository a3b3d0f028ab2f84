"""Scripts and styles for web pages of the tools."""

from pathlib import Path

from markupsafe import Markup

FOLDER = Path(__file__).parent / "static"
SCRIPT, STYLE = FOLDER / "explorer.js", FOLDER / "explorer.css"


def read(*paths: Path) -> Markup:
    """Return scripts or styles, one behind the other, as a page has them."""
    return Markup("\n".join(path.read_text(encoding="utf-8") for path in paths))  # noqa: S704 - our own
