"""Contents of the page: predictions with their images, suspicious labels, and the network itself."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages import parameters
from stages.common import layout
from stages.common.errors import UserError
from stages.splits import arrays
from stages.splits.arrays import Split
from tools.common import settings
from tools.common.revision import WORKSPACE, Result, Revision, find_revision
from tools.explore import labels, network
from tools.gallery.contents import Json, describe_split
from tools.gallery.names import find_names
from tools.review.comparison import find_renamed_classes, rename_classes
from tools.review.inputs import find_split, find_stale, find_unlocked

TOLERANCE = 0.001  # of probabilities: rounded, and perhaps computed on another kind of processor


def collect(name: str, base: Revision | None) -> Json:
    """Return what the page of a data set has, as JSON.

    Args:
        name: the key of the data set.
        base: the revision to compare the predictions with; None for no comparison.

    Raises:
        UserError: if the results, the images and the network do not belong together and to the present
            parameters and code; or if there are no results at the base for the same images.
    """
    if base is not None and base.commit is None:
        raise UserError("the base: expected a commit, branch or tag, found the workspace; leave it out")
    section, about = parameters.load().dataset(name), settings.load().dataset(name).about
    workspace = find_revision(WORKSPACE)
    if stale := find_stale(workspace, name) or find_unlocked(workspace, name):
        raise UserError(
            f"{name}: expected the results of these parameters and this code, found changed since: "
            f"{', '.join(stale)}; run: dvc repro evaluate@{name}"
        )
    model = load_model(name)
    contents: Json = {
        "name": name,
        "title": about.title or name,
        "base": base.name if base else None,
        "comparedWith": f"{base.name} ({base.commit:.7}, {base.date()})" if base else None,
        "classes": section.classes,
        "largestPixel": section.largest_pixel,
        "background": about.background,
        "framing": about.framing.model_dump() if about.framing else None,
        "shape": model.input_shape[1:],
        "network": None,
        "obstacle": None,
        "splits": {},
    }
    try:
        contents["network"] = network.export(model)
    except network.UnsupportedNetworkError as error:
        contents["obstacle"] = str(error)
    splits = {}
    for split in layout.SCORED_SPLITS:
        result = _expect_result(workspace, name, split)
        before = _find_before(base, workspace, name, split) if base else None
        splits[split] = images = arrays.read(layout.processed(name, split))
        probabilities = _predict(name, split, model, images, result, section.classes)
        contents["splits"][split] = describe_split(
            result, before, images, section.classes, section.largest_pixel
        ) | {"suspicious": _find_suspicious(images, probabilities)}
    for split, names in find_names(name, splits).items():
        contents["splits"][split]["files"] = names
    return contents


def load_model(name: str) -> Any:
    """Load the network of a data set."""
    from stages.network import model_file  # noqa: PLC0415 - TensorFlow takes seconds to import

    return model_file.load(layout.model(name))


def _expect_result(revision: Revision, name: str, split: str) -> Result:
    result = revision.result(name, split)
    if result is None:
        raise UserError(
            f"{layout.predictions(name, split)} at {revision.name}: expected predictions, found no file; "
            + ("run: make repro" if revision.name == WORKSPACE else "name a later revision")
        )
    return result


def _find_before(base: Revision, workspace: Revision, name: str, split: str) -> Result:
    """Return the results at the base, under the present names of classes; they must be of the same images."""
    before = _expect_result(base, name, split)
    before = rename_classes(before, find_renamed_classes(base, workspace, name))
    now = _expect_result(workspace, name, split).predictions
    if find_split(base, name, split) != find_split(workspace, name, split) or not before.predictions[
        "actual"
    ].equals(now["actual"]):
        raise UserError(
            f"{layout.predictions(name, split)} at {base.name}: expected predictions for the present images, "
            "since each is compared with itself, found others; leave the base out, or name another revision"
        )
    return before


def _predict(
    name: str, split: str, model: Any, images: Split, result: Result, classes: list[str]
) -> NDArray[np.float32]:
    """Return the probabilities of the network for the images, shape (n, classes).

    Raises:
        UserError: if they are not those of the predictions, so that images or network are of another
            revision.
    """
    from stages import evaluate  # noqa: PLC0415 - TensorFlow takes seconds to import

    table = result.predictions
    actual = pd.Series([classes[label] for label in images.labels])
    if actual.equals(table["actual"].astype(actual.dtype)):
        probabilities = evaluate.predict(model, images)
        of_actual = probabilities[np.arange(len(images.labels)), images.labels]
        if np.allclose(of_actual, table["probability_of_actual"], rtol=0, atol=TOLERANCE):
            return probabilities
    raise UserError(
        f"{layout.predictions(name, split)}: expected predictions of {layout.model(name)} for the images in "
        f"{layout.processed(name, split)}, found those of another network or for other images; run: dvc "
        "checkout"
    )


def _find_suspicious(images: Split, probabilities: NDArray[np.float32]) -> list[list[float]]:
    """Return the rows of `labels.find_suspicious`: whole numbers, probabilities, and 1 for an issue."""
    rows = labels.find_suspicious(images.labels, probabilities).itertuples(index=False)
    return [
        [*map(int, row[:3]), *(round(float(value), 4) for value in row[3:5]), int(row[5])] for row in rows
    ]
