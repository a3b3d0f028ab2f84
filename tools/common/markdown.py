"""Markdown: escaped text, tables, and the marked parts of a page that a program writes."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from stages.common.errors import UserError
from stages.common.fields import UNSEEN

START, END = "<!-- ", "<!-- end -->"
BLOCK = re.compile(rf"{START}(\w[\w /]*) -->\n((?:(?!{START}).)*){END}", re.DOTALL)


MARKUP = r"[\\`*{}\[\]()#+!|<>~&]|(?<![^\W_])_|_(?![^\W_])"
NO_WIDTH = "\u200b"  # a space


def escape(content: object) -> str:
    """Escape text: no markup, no second line, and no mention of an account."""
    one_line = UNSEEN.sub(lambda found: ascii(found[0])[1:-1], " ".join(str(content).split()))
    # An underscore within a word, as in most names here, means nothing in Markdown.
    return re.sub(MARKUP, r"\\\g<0>", one_line).replace("@", f"@{NO_WIDTH}")


def unescape(text: str) -> str:
    """Return Markdown for a terminal: as it is, but for what `escape` added."""
    return re.sub(r"\\([\\`*{}\[\]()#+!|<>~&_])", r"\1", text).replace(NO_WIDTH, "")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], rule: str = "---") -> str:
    """Return a table of Markdown cells; `rule` aligns all columns but the first."""
    rules = ["---", *[rule] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rules, *rows))


def number_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with numbers, aligned to the right, in all columns but the first."""
    return table(head, rows, "---:")


def find_marks(page: str, place: Path) -> list[str]:
    """Return the names of the parts of a page between `<!-- NAME -->` and `<!-- end -->`.

    Args:
        page: its text.
        place: the path of the page, for an error.

    Raises:
        UserError: if a part has no end, or a name with other characters than letters, numbers and spaces.
    """
    rest = BLOCK.sub("", page)
    if START in rest:
        unpaired = rest[rest.index(START) :].partition("\n")[0]
        raise UserError(
            f"{place}: expected <!-- NAME --> and, after it, {END}, found {unpaired!r} alone; mend that"
        )
    return [match[1] for match in BLOCK.finditer(page)]


def fill_marks(page: str, place: Path, make: Callable[[str], str]) -> str:
    """Return a page with new content in its marked parts.

    Args:
        page: its text.
        place: the path of the page, for an error.
        make: the function from the name of a part to its content.

    Raises:
        UserError: as `find_marks`.
    """
    find_marks(page, place)
    return BLOCK.sub(lambda match: f"<!-- {match[1]} -->\n\n{make(match[1])}\n\n<!-- end -->", page)
