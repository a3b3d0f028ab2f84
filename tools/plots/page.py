"""Make the page of `dvc plots` in this clone, by data set and without the internet; needed once."""

import json
from pathlib import Path

import vl_convert
from markupsafe import Markup

from stages.common import command, files
from tools.common import dvc, page
from tools.plots.pictures import VEGA_LITE

PAGE = Path(".dvc/plots_page.html")

# The charts of a data set, in the order in which a reader wants them.
KINDS = ["confusion", "classes", "history", "reliability", "mistakes", "data"]


def main() -> None:
    """Write the page, with the drawing library in it, and have DVC use the page in this clone."""
    library = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    text = page.render(
        "plots/page.html.jinja",
        library=Markup(library),  # noqa: S704 - code, not text
        kinds=Markup(json.dumps(KINDS)),  # noqa: S704
        # What DVC replaces. Without {scripts}, it loads no library from the internet.
        plots="{plot_divs}",
        refresh="{refresh_tag}",
    )
    files.write_text(PAGE, text)
    # Not in .dvc/config: if the file that the configuration names is missing, DVC fails.
    dvc.run("config", "--local", "plots.html_template", PAGE.name)


if __name__ == "__main__":
    command.finish(main)
