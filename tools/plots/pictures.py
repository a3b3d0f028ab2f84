"""Draw two plots of a data set for the README: docs/confusion.png and docs/history.png."""

from pathlib import Path
from typing import Any

import vl_convert

from stages.common import command, files, layout
from tools.common import dvc

FOLDER = Path("docs")
VEGA_LITE = "6.4"  # the version that the templates in .dvc/plots are tested with
SCALE = 1.5  # pixels of the picture per pixel of the chart, so that text is sharp on a dense screen


def draw_chart(chart: dict[str, Any]) -> bytes:
    """Draw a chart of `tools.common.dvc.read_charts` as a PNG file, and return the bytes."""
    png: bytes = vl_convert.vegalite_to_png(chart["content"], vl_version=VEGA_LITE, scale=SCALE)
    return png


def main(dataset: str) -> None:
    """Draw the confusion matrix and the learning curves of a data set."""
    plots = [layout.confusion(dataset), layout.history(dataset)]
    charts = dvc.read_charts("show", *(path.as_posix() for path in plots))
    for path in plots:
        (chart,) = charts[path.as_posix()]
        with files.atomic_file(FOLDER / f"{path.parent.name}.png") as new:
            new.write_bytes(draw_chart(chart))


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.plots.pictures", description=__doc__)
    parser.add_argument("dataset", help="a key under `datasets:` in params.yaml")
    arguments = parser.parse_args()
    command.finish(lambda: main(arguments.dataset))
