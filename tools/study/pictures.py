"""The pictures of docs/accuracy.md."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter, StrMethodFormatter
from numpy.typing import NDArray

from stages.common import files
from stages.scoring import gallery
from tools.common.variations import DEFAULT
from tools.study.results import (
    Results,
    count_votes,
    find_common_mistakes,
    find_confused_pairs,
)

FOLDER = Path("docs/accuracy")


def draw_sizes(results_by_dataset: Mapping[str, Results]) -> None:
    """Draw the test error of `default` by the number of training images, with the deviation over seeds."""
    with files.atomic_file(FOLDER / "sizes.png") as new, mpl.rc_context(mpl.rcParamsDefault):
        figure = Figure(figsize=(6, 4), layout="constrained")
        axes = figure.subplots()
        for name, results in results_by_dataset.items():
            accuracies = results.accuracies_by_size()
            sizes = sorted(accuracies)
            errors = [100 * (1 - accuracies[size].mean()) for size in sizes]
            deviations = [100 * accuracies[size].std() if len(accuracies[size]) > 1 else 0 for size in sizes]
            axes.errorbar(sizes, errors, deviations, marker="o", capsize=3, label=name)
        axes.set(xscale="log", yscale="log", xlabel="training images", ylabel="test error, %")
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_formatter(ScalarFormatter())
        axes.yaxis.set_tick_params(which="minor", labelsize=7)
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        figure.savefig(new, format="png", dpi=120)


def draw_pairs(results: Results) -> None:
    """Draw, in a row for each pair of classes, the images that `default` confuses with most seeds."""
    configurations = results.list_configurations()
    labels, classes = results.test.labels, results.classes
    images: list[NDArray[Any] | None] = []
    captions: list[str] = []
    for pair in find_confused_pairs(results):
        votes = {name: count_votes(results, name, pair) for name in configurations}
        default_votes = votes[DEFAULT]
        rows = sorted(default_votes, key=lambda row: (-default_votes[row], row))[: gallery.COLUMNS]
        images.extend(results.test.images[rows])
        captions.extend(
            f"{_write_caption(row, classes[labels[row]], classes[sum(pair) - int(labels[row])])}\n"
            f"{', '.join(str(votes[name][row]) for name in configurations)}"
            for row in rows
        )
        for _ in range(gallery.COLUMNS - len(rows)):  # so that the next pair starts a row
            images.append(None)
            captions.append("")
    title = f"Taken for the other class of a pair by how many seeds of {', '.join(configurations)}"
    gallery.draw_gallery(
        FOLDER / f"{results.name}-pairs.png",
        title,
        images,
        captions,
    )


def draw_mistakes(results: Results) -> None:
    """Draw test images that every seed of every configuration misclassifies."""
    labels, classes = results.test.labels, results.classes
    mistakes = find_common_mistakes(results)
    rows = mistakes[: gallery.MOST_IMAGES]
    configurations = ", ".join(results.list_configurations())
    title = f"{len(rows)} of {len(mistakes)} images that every seed of {configurations} misses"
    captions = [
        _write_caption(row, classes[labels[row]], classes[_find_commonest_prediction(results, row)])
        for row in rows
    ]
    gallery.draw_gallery(FOLDER / f"{results.name}-mistakes.png", title, results.test.images[rows], captions)


def _find_commonest_prediction(results: Results, row: int) -> int:
    """Return the class that most seeds of `default` predict for a misclassified test image."""
    predictions = [mistakes[row] for mistakes in results.mistakes_of(DEFAULT) if row in mistakes]
    return Counter(predictions).most_common(1)[0][0]


def _write_caption(row: int, actual: str, predicted: str) -> str:
    return f"#{row} {actual}\nfor {predicted}"
