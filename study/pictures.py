"""The pictures of docs/accuracy.md."""

from collections import Counter
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from stages import files, gallery
from study import results
from study.results import Results
from study.runs import DEFAULT

FOLDER = Path("docs/accuracy")
ROWS = gallery.LARGEST // gallery.COLUMNS


def sizes(of: dict[str, Results]) -> None:
    """Draw the test error of `default` by the number of training images, with its deviation over seeds."""
    with files.whole_file(FOLDER / "sizes.png") as new, mpl.rc_context(mpl.rcParamsDefault):
        figure = Figure(figsize=(6, 4), layout="constrained")
        axes = figure.subplots()
        for name, found in of.items():
            tested = {run.images for run, _ in found.runs if run.configuration == DEFAULT and run.tested}
            groups = [found.of(DEFAULT, images=images) for images in tested]
            points = sorted(
                (
                    runs["images"].iloc[0],
                    100 * (1 - runs["test.accuracy"].mean()),
                    100 * runs["test.accuracy"].std(ddof=1) if len(runs) > 1 else 0.0,
                )
                for runs in groups
            )
            numbers, errors, deviations = zip(*points, strict=True)
            axes.errorbar(numbers, errors, deviations, marker="o", capsize=3, label=name)
        axes.set(xscale="log", yscale="log", xlabel="training images", ylabel="test error, %")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(ScalarFormatter())
            axis.set_minor_formatter(ScalarFormatter())
            axis.set_tick_params(which="minor", labelsize=7)
        axes.xaxis.set_minor_formatter("")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        figure.savefig(new, format="png", dpi=120)


def pairs(found: Results) -> None:
    """Draw, in a row for each pair of classes, the images that most seeds of `default` take for the other."""
    names = found.configurations()
    votes = {name: results.votes(found, name) for name in names}
    chosen, captions = [], []
    for pair in results.pairs(found)[:ROWS]:
        inside = [
            row
            for row in votes[DEFAULT]
            if {int(found.test.labels[row]), _taken_for(found, row)} == set(pair)
        ]
        for row in sorted(inside, key=lambda row: (-votes[DEFAULT][row], row))[: gallery.COLUMNS]:
            chosen.append(row)
            captions.append(f"{_caption(found, row)}\n{', '.join(str(votes[name][row]) for name in names)}")
    title = f"Confused by how many seeds of {', '.join(names)}"
    gallery.save(FOLDER / f"{found.name}-pairs.png", title, found.test.images[chosen], captions)


def mistakes(found: Results) -> None:
    """Draw test images that every seed of every configuration takes for another class."""
    every = results.always_wrong(found)
    shown = every[: gallery.LARGEST]
    title = (
        f"{len(shown)} of {len(every)} images that every seed of {', '.join(found.configurations())} misses"
    )
    captions = [_caption(found, row) for row in shown]
    gallery.save(FOLDER / f"{found.name}-mistakes.png", title, found.test.images[shown], captions)


def _taken_for(found: Results, row: int) -> int:
    """What most seeds of `default` take a test image for, of those that are wrong."""
    return Counter(wrong[row] for wrong in found.mistakes(DEFAULT) if row in wrong).most_common(1)[0][0]


def _caption(found: Results, row: int) -> str:
    names = found.classes
    return f"#{row} {names[found.test.labels[row]]}\nfor {names[_taken_for(found, row)]}"
