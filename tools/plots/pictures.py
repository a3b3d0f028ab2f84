"""Pictures of the plots of a data set: python -m tools.plots.pictures DATASET."""

import json
import subprocess
import sys
from pathlib import Path

import vl_convert

from tools.review.pictures import SCALE, VEGA_LITE


def main(dataset: str) -> None:
    """Write the confusion matrix and the learning curves as PNG files beside this one."""
    plots = [f"plots/{kind}/{dataset}.csv" for kind in ("confusion", "history")]
    command = ["dvc", "plots", "show", "--json", *plots]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for plot in plots:
        (chart,) = json.loads(shown)["data"][plot]
        png = vl_convert.vegalite_to_png(chart["content"], vl_version=VEGA_LITE, scale=SCALE)
        Path(__file__).with_name(f"{Path(plot).parent.name}.png").write_bytes(png)


if __name__ == "__main__":
    main(sys.argv[1])
