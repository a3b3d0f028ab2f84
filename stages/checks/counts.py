"""Counts of what may be wrong with the images and labels of a data set, and which images they are."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.checks import twins
from stages.splits.arrays import Split, count_rows_per_chunk

MOST_LISTED = 1000  # of the images of one kind; more are counted, not named
CONTRADICTIONS = "identical with different labels"

Rows = NDArray[np.int64]
Pairs = tuple[Rows, Rows]
Content = dict[str, Any]


class Examined(NamedTuple):
    """A split to examine.

    Attributes:
        part: a whole part of the data set, with indices of classes as labels.
        rows: those of the split in it.
        names: of each image of the split, as a person knows it.
        sizes: height and width of the picture that each image was made of, shape (n, 2); None if unknown.
    """

    part: Split
    rows: Rows
    names: Sequence[str]
    sizes: NDArray[np.int64] | None = None


def examine(splits: Mapping[str, Examined], classes: Sequence[str]) -> Content:
    """Count what may be wrong with the images and labels of a data set.

    Args:
        splits: by name, `train` first.
        classes: the names of the classes.

    Returns:
        The content of the JSON file: numbers of images of each class, of identical and nearly identical
        images, of images of one colour, the mean brightness of each split, and the median size of its
        pictures, if it was made of pictures. `which` names the images.
    """
    labels = {name: split.part.labels[split.rows] for name, split in splits.items()}
    counts = {name: np.bincount(values, minlength=len(classes)) for name, values in labels.items()}
    digests = {name: twins.digest(split.part.images, split.rows) for name, split in splits.items()}
    identical = _find_identical(digests)
    near = _find_near(splits, digests)
    groups = _find_contradictions(digests, labels)
    flat = {name: _find_flat(split) for name, split in splits.items()}
    which = {
        **{f"identical: {pair}": _name_pairs(splits, pair, found) for pair, found in identical.items()},
        **{f"nearly identical: {pair}": _name_pairs(splits, pair, found) for pair, found in near.items()},
        CONTRADICTIONS: [[splits[name].names[row] for name, row in group] for group in groups[:MOST_LISTED]],
        **{f"of one colour: {name}": _name(splits[name], rows) for name, rows in flat.items()},
    }
    return {
        "images": {name: dict(zip(classes, map(int, counts[name]), strict=True)) for name in splits},
        "identical": {pair: len(rows) for pair, (rows, _) in identical.items()},
        "nearly identical": {pair: len(rows) for pair, (rows, _) in near.items()},
        CONTRADICTIONS: sum(map(len, groups)),
        "of one colour": {name: len(rows) for name, rows in flat.items()},
        "brightness": {name: _describe_brightness(split) for name, split in splits.items()},
        "height and width of the pictures": {
            name: np.median(split.sizes, axis=0).tolist()
            for name, split in splits.items()
            if split.sizes is not None
        },
        "which": {kind: names for kind, names in which.items() if names},
    }


def _name(split: Examined, rows: Rows) -> list[str]:
    return [split.names[row] for row in rows[:MOST_LISTED]]


def _name_pairs(splits: Mapping[str, Examined], pair: str, found: Pairs) -> list[list[str]]:
    later, _, earlier = pair.partition(" in ")
    other = splits[later if earlier == "itself" else earlier]
    return [list(names) for names in zip(_name(splits[later], found[0]), _name(other, found[1]), strict=True)]


def _list_pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return each split with each of those before it."""
    return [(later, earlier) for position, later in enumerate(names) for earlier in names[:position]]


def _find_identical(digests: Mapping[str, NDArray[np.uint64]]) -> dict[str, Pairs]:
    """Return which images equal one of an earlier split, or an earlier one of the same split, and which."""
    found = {}
    for later, earlier in _list_pairs(list(digests)):
        values, firsts = np.unique(digests[earlier], return_index=True)
        places = np.searchsorted(values, digests[later]).clip(max=len(values) - 1)
        rows = np.flatnonzero(values[places] == digests[later])
        found[f"{later} in {earlier}"] = (rows, firsts[places[rows]])
    for name, values in digests.items():
        _, firsts, groups = np.unique(values, return_index=True, return_inverse=True)
        rows = np.flatnonzero(firsts[groups] != np.arange(len(values)))
        found[f"{name} in itself"] = (rows, firsts[groups][rows])
    return found


def _find_near(splits: Mapping[str, Examined], digests: Mapping[str, NDArray[np.uint64]]) -> dict[str, Pairs]:
    """Return which images nearly, not wholly, equal an image of an earlier split, and which."""
    taken = {name: twins.take_evenly(len(split.rows)) for name, split in splits.items()}
    features = {
        name: twins.extract_features(split.part.images, split.rows[taken[name]])
        for name, split in splits.items()
    }
    found = {}
    for later, earlier in _list_pairs(list(splits)):
        are_near, nearest = twins.find_near_twins(features[later], features[earlier])
        rows = np.flatnonzero(are_near & ~np.isin(digests[later][taken[later]], digests[earlier]))
        found[f"{later} in {earlier}"] = (taken[later][rows], taken[earlier][nearest[rows]])
    return found


def _find_contradictions(
    digests: Mapping[str, NDArray[np.uint64]], labels: Mapping[str, NDArray[Any]]
) -> list[list[tuple[str, int]]]:
    """Return the groups of identical images with different labels; of each image its split and its row."""
    images = [(name, row) for name, values in digests.items() for row in range(len(values))]
    _, groups = np.unique(np.concatenate(list(digests.values())), return_inverse=True)
    classes = np.concatenate(list(labels.values())).astype(np.int64)
    of_group = np.bincount(np.unique(np.stack([groups, classes]), axis=1)[0])  # how many labels
    members: dict[int, list[tuple[str, int]]] = {}
    for position in np.flatnonzero(of_group[groups] > 1):
        members.setdefault(int(groups[position]), []).append(images[position])
    return list(members.values())


def _find_flat(split: Examined) -> Rows:
    """Return the rows, among those of the split, of images of one colour."""
    images, rows = split.part.images, split.rows
    step, are_flat = count_rows_per_chunk(images), [np.zeros(0, bool)]
    for start in range(0, len(rows), step):
        pixels = images[rows[start : start + step]].reshape(
            -1, images.shape[1] * images.shape[2], images[0][0, 0].size
        )
        are_flat.append((pixels.max(axis=1) == pixels.min(axis=1)).all(axis=1))
    return np.flatnonzero(np.concatenate(are_flat))


def _describe_brightness(split: Examined) -> dict[str, float]:
    """Return the mean and the deviation of the mean pixel of each image."""
    images, rows = split.part.images, split.rows
    step = count_rows_per_chunk(images)
    values = np.concatenate(
        [
            images[rows[start : start + step]].reshape(-1, images[0].size).mean(axis=1, dtype=np.float64)
            for start in range(0, len(rows), step)
        ]
    )
    return {"mean": round(float(values.mean()), 3), "deviation": round(float(values.std()), 3)}
