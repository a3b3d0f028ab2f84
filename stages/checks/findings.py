"""Findings about a data set before training, such as leaks between its splits, and what is said of them."""

from collections.abc import Sequence
from math import prod, sqrt
from typing import NamedTuple

from stages.checks.counts import CONTRADICTIONS, Content
from stages.common.errors import UserError
from stages.common.wording import join_names

FEW_IMAGES = 10  # of a class for training; fewer say little of it
# The difference of the mean brightness of two splits from which they seem to be of different origin: in
# standard deviations of the training images, and, however little these deviate, as a share of their mean.
LARGEST_SHIFT, SMALLEST_SHIFT = 0.5, 0.05
STANDARD_ERRORS = 3.0  # up to which the brightness of few images differs by chance
LARGEST_SCALE = 1.5  # the ratio of the sides of two splits' pictures, likewise


class Finding(NamedTuple):
    """Something to know about a data set before training.

    Attributes:
        text: in one line.
        is_grave: whether metrics would mislead, so that a strict check stops here.
    """

    text: str
    is_grave: bool = False


def list_findings(content: Content) -> list[Finding]:
    """Return what is to be known of the counts that `examine` returns, the gravest first."""
    findings, which = [], content["which"]
    for kind in ("identical", "nearly identical"):
        for pair, count in content[kind].items():
            later, _, earlier = pair.partition(" in ")
            if count and earlier != "itself":
                total = sum(content["images"][later].values())
                text = f"{later} images {kind} to {_name_split(earlier)}: {count:,} of {total:,}"
                findings.append(Finding(f"{text}, as {' and '.join(which[f'{kind}: {pair}'][0])}", True))
    for name, count in content["of one colour"].items():
        total = sum(content["images"][name].values())
        if count:
            text = f"{name} images of one colour: {count:,} of {total:,}"
            findings.append(Finding(f"{text}, as {which[f'of one colour: {name}'][0]}", count == total))
    if count := content[CONTRADICTIONS]:
        text = f"images identical to one with another label: {count:,}"
        findings.append(Finding(f"{text}, as {' and '.join(which[CONTRADICTIONS][0][:2])}"))
    if count := content["identical"]["train in itself"]:
        text = f"training images identical to another one: {count:,}"
        findings.append(Finding(f"{text}, as {' and '.join(which['identical: train in itself'][0])}"))
    findings += _list_rare_classes(content)
    findings += _list_shifts(content)
    findings += _list_other_sizes(content)
    return sorted(findings, key=lambda finding: not finding.is_grave)


def _name_split(name: str) -> str:
    return "a training image" if name == "train" else f"a {name} image"


def _list_rare_classes(content: Content) -> list[Finding]:
    findings = []
    rare = [name for name, count in content["images"]["train"].items() if count < FEW_IMAGES]
    if rare:
        findings.append(Finding(f"fewer than {FEW_IMAGES} training images of {join_names(rare)}"))
    missing = {
        split: [name for name, count in content["images"][split].items() if count == 0]
        for split in ("validation", "test")
    }
    return findings + [
        Finding(f"no {split} images of {join_names(names)}") for split, names in missing.items() if names
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


def _list_other_sizes(content: Content) -> list[Finding]:
    sizes, findings = content["height and width of the pictures"], []
    for name in ("validation", "test") if sizes else ():
        scale = sqrt(prod(sizes[name]) / prod(sizes["train"]))
        if max(scale, 1 / scale) > LARGEST_SCALE:
            there, here = (f"{height:g} x {width:g}" for height, width in (sizes[name], sizes["train"]))
            word = "larger" if scale > 1 else "smaller"
            findings.append(
                Finding(
                    f"{name} pictures are {word} than training pictures: median {there} beside {here} pixels"
                )
            )
    return findings


def expect_nothing_grave(findings: Sequence[Finding], place: str) -> None:
    """Raise a UserError if findings are so grave that metrics would mislead."""
    if grave := [finding.text for finding in findings if finding.is_grave]:
        raise UserError(
            f"{place}: expected images that measure what they seem to, found: {'; '.join(grave)}; remove "
            "such images at the source, or set checks.strict in params.yaml to false"
        )
