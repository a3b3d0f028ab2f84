"""Findings about a data set before training, such as leaks between its splits, and what is said of them."""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.checks import twins
from stages.common.errors import UserError
from stages.splits.arrays import Split, count_rows_per_chunk

FEW_IMAGES = 10  # of a class for training; fewer say little of it
# The difference of the mean brightness of two splits, in standard deviations of the training images, from
# which they seem to be of different origin.
LARGEST_SHIFT = 0.5
STANDARD_ERRORS = 3.0  # up to which few images differ by chance
SMALLEST_SHIFT = 0.05  # of the mean, however little the images deviate
MOST_NAMES_SHOWN = 5

Rows = NDArray[np.int64]
Content = dict[str, Any]


class Finding(NamedTuple):
    """Something to know about a data set before training.

    Attributes:
        text: in one line.
        is_grave: whether metrics would mislead, so that a strict check stops here.
    """

    text: str
    is_grave: bool = False


def examine(splits: Mapping[str, tuple[Split, Rows]], classes: Sequence[str]) -> Content:
    """Count what may be wrong with the images and labels of a data set.

    Args:
        splits: by name, a whole part of the data set, with indices of classes as labels, and the rows in it.
        classes: the names of the classes.

    Returns:
        The content of the JSON file: numbers of images of each class, of identical and nearly identical
        images, of images of one colour, and the mean brightness of each split.
    """
    names = list(splits)
    labels = {name: part.labels[rows] for name, (part, rows) in splits.items()}
    digests = {name: twins.digest(part.images, rows) for name, (part, rows) in splits.items()}
    counts = {name: np.bincount(values, minlength=len(classes)) for name, values in labels.items()}
    pairs = [(later, earlier) for position, later in enumerate(names) for earlier in names[:position]]
    identical = {
        f"{later} in {earlier}": int(np.isin(digests[later], digests[earlier]).sum())
        for later, earlier in pairs
    }
    return {
        "images": {name: dict(zip(classes, map(int, counts[name]), strict=True)) for name in names},
        "identical": {
            **identical,
            **{f"{name} in itself": len(digests[name]) - len(np.unique(digests[name])) for name in names},
        },
        "nearly identical": _count_near_twins(splits, digests),
        "identical with different labels": _count_contradictions(
            np.concatenate(list(digests.values())), np.concatenate(list(labels.values()))
        ),
        **_describe_pixels(splits),
    }


def _count_near_twins(
    splits: Mapping[str, tuple[Split, Rows]], digests: Mapping[str, NDArray[np.uint64]]
) -> dict[str, int]:
    """Return how many images of a split nearly, not wholly, equal an image of an earlier split."""
    taken = {name: twins.take_evenly(len(rows)) for name, (_, rows) in splits.items()}
    features = {
        name: twins.extract_features(part.images, rows[taken[name]]) for name, (part, rows) in splits.items()
    }
    names, counts = list(splits), {}
    for position, later in enumerate(names):
        for earlier in names[:position]:
            are_near = twins.find_near_twins(features[later], features[earlier])
            are_identical = np.isin(digests[later][taken[later]], digests[earlier])
            counts[f"{later} in {earlier}"] = int((are_near & ~are_identical).sum())
    return counts


def _count_contradictions(digests: NDArray[np.uint64], labels: NDArray[Any]) -> int:
    """Return how many images equal another image that has another label."""
    _, groups = np.unique(digests, return_inverse=True)
    pairs = np.unique(np.stack([groups, labels.astype(np.int64)]), axis=1)
    labels_of_group = np.bincount(pairs[0])
    return int((labels_of_group[groups] > 1).sum())


def _describe_pixels(splits: Mapping[str, tuple[Split, Rows]]) -> Content:
    """Return the number of images of one colour, and the mean and deviation of brightness, of each split."""
    of_one_colour, brightness = {}, {}
    for name, (part, rows) in splits.items():
        step, means, flat = count_rows_per_chunk(part.images), [], 0
        for start in range(0, len(rows), step):
            chunk = part.images[rows[start : start + step]]
            pixels = chunk.reshape(len(chunk), chunk.shape[1] * chunk.shape[2], -1)
            flat += int((pixels.max(axis=1) == pixels.min(axis=1)).all(axis=1).sum())
            means.append(pixels.mean(axis=(1, 2), dtype=np.float64))
        values = np.concatenate(means)
        of_one_colour[name] = flat
        brightness[name] = {
            "mean": round(float(values.mean()), 3),
            "deviation": round(float(values.std()), 3),
        }
    return {"of one colour": of_one_colour, "brightness": brightness}


def list_findings(content: Content) -> list[Finding]:
    """Return what is to be known of the counts that `examine` returns, the gravest first."""
    findings = []
    for kind in ("identical", "nearly identical"):
        for pair, count in content[kind].items():
            later, _, earlier = pair.partition(" in ")
            if count and earlier != "itself":
                total = sum(content["images"][later].values())
                findings.append(
                    Finding(f"{later} images {kind} to {_name_split(earlier)}: {count:,} of {total:,}", True)
                )
    for name, count in content["of one colour"].items():
        total = sum(content["images"][name].values())
        if count:
            findings.append(Finding(f"{name} images of one colour: {count:,} of {total:,}", count == total))
    if count := content["identical with different labels"]:
        findings.append(Finding(f"images identical to one with another label: {count:,}"))
    if count := content["identical"]["train in itself"]:
        findings.append(Finding(f"training images identical to another one: {count:,}"))
    findings += _list_rare_classes(content)
    findings += _list_shifts(content)
    return sorted(findings, key=lambda finding: not finding.is_grave)


def _name_split(name: str) -> str:
    return "a training image" if name == "train" else f"a {name} image"


def _list_rare_classes(content: Content) -> list[Finding]:
    findings = []
    rare = [name for name, count in content["images"]["train"].items() if count < FEW_IMAGES]
    if rare:
        findings.append(Finding(f"fewer than {FEW_IMAGES} training images of {_join(rare)}"))
    missing = {
        split: [name for name, count in content["images"][split].items() if count == 0]
        for split in ("validation", "test")
    }
    return findings + [
        Finding(f"no {split} images of {_join(names)}") for split, names in missing.items() if names
    ]


def _list_shifts(content: Content) -> list[Finding]:
    training = content["brightness"]["train"]
    findings = []
    for name in ("validation", "test"):
        difference = content["brightness"][name]["mean"] - training["mean"]
        counts = (sum(content["images"][split].values()) for split in ("train", name))
        by_chance = STANDARD_ERRORS * training["deviation"] * sqrt(sum(1 / count for count in counts))
        least = max(LARGEST_SHIFT * training["deviation"], SMALLEST_SHIFT * training["mean"], by_chance)
        if abs(difference) > least:
            word = "brighter" if difference > 0 else "darker"
            findings.append(
                Finding(
                    f"{name} images are {word} than training images: mean pixel "
                    f"{content['brightness'][name]['mean']:.4g} beside {training['mean']:.4g}"
                )
            )
    return findings


def _join(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES_SHOWN
    return ", ".join(names[:MOST_NAMES_SHOWN]) + (f" and {more:,} more classes" if more > 0 else "")


def expect_nothing_grave(findings: Sequence[Finding], place: str) -> None:
    """Raise a UserError if findings are so grave that metrics would mislead."""
    if grave := [finding.text for finding in findings if finding.is_grave]:
        raise UserError(
            f"{place}: expected images that measure what they seem to, found: {'; '.join(grave)}; remove "
            "such images at the source, or set checks.strict in params.yaml to false"
        )
