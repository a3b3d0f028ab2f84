"""Make the page of `dvc plots` in this clone work without the internet; needed once."""

from pathlib import Path

import vl_convert

from stages.common import command, files
from tools.common import dvc
from tools.plots.pictures import VEGA_LITE

PAGE = Path(".dvc/plots_page.html")

# DVC puts the charts in place of {plot_divs}. Without {scripts}, DVC loads no library from the internet.
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
    """Write the page, with the drawing library in it, and have DVC use the page in this clone."""
    library = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    files.write_text(PAGE, TEMPLATE.format(library=library))
    # Not in .dvc/config: if the file that the configuration names is missing, DVC fails.
    dvc.run("config", "--local", "plots.html_template", PAGE.name)


if __name__ == "__main__":
    command.finish(main)
