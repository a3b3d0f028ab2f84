"""Text in Markdown: as itself, in tables, and in the marked parts of a page that a program writes."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from stages.common.errors import UserError

START, END = "<!-- ", "<!-- end -->"
BLOCK = re.compile(rf"{START}(\w[\w /]*) -->\n((?:(?!{START}).)*){END}", re.DOTALL)


def text(content: object) -> str:
    """Text as itself: no markup, no second line, and no mention of an account."""
    one_line = " ".join(str(content).split())
    # An underscore within a word, as in most names here, means nothing in Markdown.
    markup = r"[\\`*{}\[\]()#+!|<>~&]|(?<![^\W_])_|_(?![^\W_])"
    return re.sub(markup, r"\\\g<0>", one_line).replace("@", "@\u200b")  # followed by a space of no width


def table(head: Sequence[str], rows: Iterable[Sequence[str]], rule: str = "---") -> str:
    """A table whose cells are Markdown; `rule` says where those of all columns but the first stand."""
    rules = ["---", *[rule] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rules, *rows))


def number_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The same with numbers, which stand to the right, in all columns but the first."""
    return table(head, rows, "---:")


def marks(page: str, place: Path) -> list[str]:
    """The names of the parts of a page that stand between `<!-- NAME -->` and `<!-- end -->`.

    Args:
        page: its text.
        place: where it is, for an error.

    Raises:
        UserError: if one has no end, or no name of letters, numbers and spaces.
    """
    left = BLOCK.sub("", page)
    if START in left:
        found = left[left.index(START) :].partition("\n")[0]
        raise UserError(
            f"{place}: expected <!-- NAME --> and, after it, {END}, found {found!r} alone; mend that"
        )
    return [match[1] for match in BLOCK.finditer(page)]


def filled(page: str, place: Path, made: Callable[[str], str]) -> str:
    """A page with its marked parts as they are now.

    Args:
        page: its text.
        place: where it is, for an error.
        made: from the name of a part to its content.

    Raises:
        UserError: as `marks`.
    """
    marks(page, place)
    return BLOCK.sub(lambda match: f"<!-- {match[1]} -->\n\n{made(match[1])}\n\n<!-- end -->", page)
