"""Make the page of `dvc plots` work without the internet: `python -m tools.plots.page`, once, at set-up."""

from pathlib import Path

import vl_convert

from stages.common import command, files
from tools.common.programs import dvc
from tools.review.pictures import VEGA_LITE

PAGE = Path(".dvc/plots_page.html")

# DVC puts its charts where {plot_divs} is. Without {scripts}, it does not ask for them on the internet.
TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{{refresh_tag}}
<title>DVC plots</title>
<link rel="icon" href="data:,">
<style>body {{ font-family: sans-serif }} table {{ border-spacing: 15px }}
.vega-embed {{ display: block }}</style>
<script>(() => {{ {library} }})()</script>
</head>
<body>
{{plot_divs}}
</body>
</html>
"""


def main() -> None:
    """Write the page with Vega, Vega-Lite and Vega-Embed in it, and tell DVC to use it in this clone."""
    library = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    files.write_text(PAGE, TEMPLATE.format(library=library))
    # Not in .dvc/config: DVC fails where the file that it names is missing.
    dvc("config", "--local", "plots.html_template", PAGE.name)


if __name__ == "__main__":
    command.finish(main)
