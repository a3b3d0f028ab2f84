"""Draw the README's pictures from the committed plots, as `dvc plots show` draws them."""

import json
import subprocess
from pathlib import Path

import vl_convert

PICTURES = {
    "plots/confusion/fashion_mnist.csv": "confusion.png",
    "plots/history/fashion_mnist.csv": "history.png",
}


def main() -> None:
    """Write each picture beside this file."""
    command = ["dvc", "plots", "show", "--json", *PICTURES]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    for plot, picture in PICTURES.items():
        (chart,) = json.loads(shown)["data"][plot]
        png = vl_convert.vegalite_to_png(chart["content"], scale=1.5)
        Path(__file__).with_name(picture).write_bytes(png)


if __name__ == "__main__":
    main()
