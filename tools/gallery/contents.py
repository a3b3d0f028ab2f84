"""Predictions of a split with its images, as static/explorer.js reads them."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.splits.arrays import Split
from tools.common.revision import Result
from tools.gallery import sheets

Json = dict[str, Any]


def describe_split(
    result: Result,
    before: Result | None,
    images: Split,
    classes: list[str],
    largest_pixel: int,
    *,
    with_right: bool = True,
) -> Json:
    """Return the predictions of a split, and the sheets of its images.

    Args:
        result: predictions and metrics.
        before: those at the base, for the same images; None without a comparison.
        images: of the split.
        classes: names, in the order of the labels.
        largest_pixel: the pixel value that is white.
        with_right: whether to draw images, too, that are classified rightly, as before.
    """
    table = result.predictions
    drawn = sheets.build(images, _order(table, before, with_right=with_right), largest_pixel)
    return {
        "actual": _find_indices(table["actual"], classes),
        "predicted": _find_indices(table["predicted"], classes),
        "probability": table["probability"].tolist(),
        "before": _find_indices(before.predictions["predicted"], classes) if before else None,
        "metrics": result.metrics,
        "images": {
            "numbers": None if len(drawn.numbers) == len(table) else drawn.numbers.tolist(),
            "height": drawn.height,
            "width": drawn.width,
            "columns": sheets.COLUMNS,
            "imagesOfASheet": sheets.IMAGES_OF_A_SHEET,
            "sheets": drawn.addresses,
            "rule": _describe_order(before, with_right=with_right),
            # Whether the network can get its pixels from the sheets.
            "areExact": (drawn.height, drawn.width) == images.images.shape[1:3]
            and images.images.dtype.kind in "iu"
            and largest_pixel <= sheets.WHITE,
        },
    }


def _order(table: pd.DataFrame, before: Result | None, *, with_right: bool) -> NDArray[np.int64]:
    """Return the numbers of the images: mistakes, then changes, the surest first, then the least sure."""
    changed = before.predictions["predicted"] != table["predicted"] if before else np.zeros(len(table), bool)
    wrong = table["actual"] != table["predicted"]
    place = pd.DataFrame({"right": ~wrong, "same": ~changed})
    place["sure"] = table["probability"].where(place["right"] & place["same"], -table["probability"])
    if not with_right:
        place = place[~(place["right"] & place["same"])]
    return place.sort_values(["right", "same", "sure"], kind="stable").index.to_numpy()


def _describe_order(before: Result | None, *, with_right: bool) -> str:
    """Return in words which images are in the page, where it has not all of them."""
    first = "mistakes and changes" if before else "mistakes"
    return f"{first}, then the least sure" if with_right else f"{first} alone"


def _find_indices(names: pd.Series, classes: list[str]) -> list[int]:
    """Return the indices of classes; -1 for a class that there is no more."""
    return [int(index) for index in pd.Index(classes).get_indexer(pd.Index(names))]
