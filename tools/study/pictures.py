"""The pictures of docs/accuracy.md."""

from collections import Counter
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter, StrMethodFormatter
from numpy.typing import NDArray

from stages.common import files
from stages.common.variations import DEFAULT
from stages.scoring import gallery
from tools.study import results
from tools.study.results import Results

FOLDER = Path("docs/accuracy")


def sizes(of: dict[str, Results]) -> None:
    """Draw the test error of `default` by the number of training images, with its deviation over seeds."""
    with files.whole_file(FOLDER / "sizes.png") as new, mpl.rc_context(mpl.rcParamsDefault):
        figure = Figure(figsize=(6, 4), layout="constrained")
        axes = figure.subplots()
        for name, found in of.items():
            tested = {
                run.images or found.training_images: found.of(DEFAULT, images=run.images)["test.accuracy"]
                for run, _ in found.runs
                if run.configuration == DEFAULT and run.tested
            }
            numbers = sorted(tested)
            errors = [100 * (1 - tested[number].mean()) for number in numbers]
            deviations = [100 * tested[number].std() if len(tested[number]) > 1 else 0 for number in numbers]
            axes.errorbar(numbers, errors, deviations, marker="o", capsize=3, label=name)
        axes.set(xscale="log", yscale="log", xlabel="training images", ylabel="test error, %")
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_formatter(ScalarFormatter())
        axes.yaxis.set_tick_params(which="minor", labelsize=7)
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        figure.savefig(new, format="png", dpi=120)


def pairs(found: Results) -> None:
    """Draw, in a row for each pair of classes, the images that most seeds of `default` take for the other."""
    names = found.configurations()
    chosen: list[NDArray[Any]] = []
    captions: list[str] = []
    for pair in results.pairs(found):
        votes = {name: results.votes(found, name, pair) for name in names}
        of_default = votes[DEFAULT]
        shown = sorted(of_default, key=lambda row: (-of_default[row], row))[: gallery.COLUMNS]
        chosen.extend(found.test.images[shown])
        captions.extend(
            f"{_caption(found, row, sum(pair) - int(found.test.labels[row]))}\n"
            f"{', '.join(str(votes[name][row]) for name in names)}"
            for row in shown
        )
        for _ in range(gallery.COLUMNS - len(shown)):  # so that the next pair has a row of its own
            chosen.append(np.zeros_like(found.test.images[0]))
            captions.append("")
    title = f"Taken for the other class of a pair by how many seeds of {', '.join(names)}"
    gallery.save(
        FOLDER / f"{found.name}-pairs.png",
        title,
        np.array(chosen).reshape(-1, *found.test.images.shape[1:]),
        captions,
    )


def mistakes(found: Results) -> None:
    """Draw test images that every seed of every configuration takes for another class."""
    every = results.always_wrong(found)
    shown = every[: gallery.LARGEST]
    title = (
        f"{len(shown)} of {len(every)} images that every seed of {', '.join(found.configurations())} misses"
    )
    captions = [_caption(found, row, _taken_for(found, row)) for row in shown]
    gallery.save(FOLDER / f"{found.name}-mistakes.png", title, found.test.images[shown], captions)


def _taken_for(found: Results, row: int) -> int:
    """What most seeds of `default` take a test image for, of those that are wrong."""
    return Counter(wrong[row] for wrong in found.mistakes(DEFAULT) if row in wrong).most_common(1)[0][0]


def _caption(found: Results, row: int, taken_for: int) -> str:
    return f"#{row} {found.classes[found.test.labels[row]]}\nfor {found.classes[taken_for]}"
