"""Text in Markdown: as itself, in tables, and in the marked parts of a page that a program writes."""

import re
from collections.abc import Callable, Iterable, Sequence

BLOCK = re.compile(r"<!-- (?!end -->)(\w[\w ]*) -->\n.*?<!-- end -->", re.DOTALL)


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


def marks(page: str) -> list[str]:
    """The names of the parts of a page that stand between `<!-- NAME -->` and `<!-- end -->`."""
    return BLOCK.findall(page)


def filled(page: str, made: Callable[[str], str]) -> str:
    """A page with its marked parts as they are now.

    Args:
        page: the text of it.
        made: from the name of a part to its content.
    """
    return BLOCK.sub(lambda match: f"<!-- {match[1]} -->\n\n{made(match[1])}\n\n<!-- end -->", page)
