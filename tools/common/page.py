"""Web pages of the tools: one design, page.html.jinja, which the template of each tool extends."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parents[1]  # tools/


def render(template: str, **values: object) -> str:
    """Return a page; it loads no other file.

    Args:
        template: the path of the template in tools/.
        values: what the template names. Text is escaped, unless it is `markupsafe.Markup`.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)
