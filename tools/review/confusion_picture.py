"""Picture of the confusion matrices of a review: before, after, and the difference."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stages.common import files
from tools.review import predictions
from tools.review.review import Comparison, Picture, Review
from tools.review.sections import format_count
from tools.review.statistics import Verdict

MOST_CLASSES = 50  # of more, the table of confusions that changed is left
MOST_CLASSES_ABREAST = 14  # in matrices side by side; others stand one under the other
WIDEST = 14.0  # inches, of a matrix
INCHES_PER_CLASS = 0.42
LONGEST_LABEL = 14  # characters
BLUE, GREEN, RED = "#08519c", "#1a7f37", "#c62828"
DARK = 0.55  # from this strength of a colour on, text on it is white


def draw(review: Review, comparison: Comparison, folder: Path) -> list[Picture]:
    """Draw the confusion matrices of a data set; nothing if it has too many classes.

    In the difference, green is better and red is worse. The strength of a colour is 1 - p, to the third
    power, p being the p-value of the cell alone: the paler, the weaker the evidence. A frame marks what is
    better or worse, allowing for the number of cells.
    """
    tables = {
        revision.name: [result.predictions for result in results]
        for revision, results in ((review.base, comparison.before), (review.later, comparison.after))
        if results
    }
    names = comparison.classes
    if len(names) > MOST_CLASSES:
        return []
    panels = len(tables) + (len(tables) > 1)
    size = min(max(INCHES_PER_CLASS * len(names), 2.0), WIDEST)
    rows, columns = (1, panels) if len(names) <= MOST_CLASSES_ABREAST else (panels, 1)
    path = folder / f"{comparison.dataset}-confusion.png"
    with files.atomic_file(path) as new, mpl.rc_context(mpl.rcParamsDefault):
        figure = Figure(figsize=(columns * (size + 1.0), rows * (size + 1.2)), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for panel, (name, side) in zip(axes, tables.items(), strict=False):
            matrix = predictions.average_confusions(side).reindex(index=names, columns=names, fill_value=0)
            _draw_counts(panel, matrix, name)
        if len(tables) > 1:
            _draw_difference(axes[-1], comparison)
        figure.savefig(new, format="png", dpi=110)
    caption = (
        "Confusion matrices, and their difference: green is better, red is worse, the paler the weaker the "
        "evidence; a frame marks what is better or worse even allowing for the number of cells"
        if len(tables) > 1
        else "Confusion matrix"
    )
    return [Picture(path, caption)]


def _draw_counts(panel: Axes, matrix: pd.DataFrame, title: str) -> None:
    counts = matrix.to_numpy(dtype=np.float64)
    shares = np.sqrt(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))
    texts = [[format_count(count) if count else "" for count in row] for row in counts]
    _draw_cells(panel, [str(name) for name in matrix.columns], shares, np.full(counts.shape, BLUE), texts)
    panel.set_title(title, parse_math=False)


def _draw_difference(panel: Axes, comparison: Comparison) -> None:
    names, count = comparison.classes, len(comparison.classes)
    strength, texts = np.zeros((count, count)), [[""] * count for _ in names]
    colours = np.full((count, count), GREEN)
    frames = []

    def put(actual: str, predicted: str, change: float, p: float, verdict: str, *, good: bool) -> None:
        row, column = names.index(actual), names.index(predicted)
        if format_count(change) != "0":
            texts[row][column] = f"{'+' if change > 0 else '-'}{format_count(abs(change))}"
            strength[row, column] = (1 - p) ** 3
            colours[row, column] = GREEN if good else RED
        if verdict in (Verdict.BETTER, Verdict.WORSE):
            frames.append((row, column))

    for cell in comparison.changes_of_classes.to_dict("records"):
        change = cell["gained"] - cell["lost"]
        put(cell["class"], cell["class"], change, cell["p"], cell["verdict"], good=change > 0)
    for cell in comparison.changes_of_confusions.to_dict("records"):
        change = cell["after"] - cell["before"]
        put(cell["actual"], cell["predicted"], change, cell["p"], cell["verdict"], good=change < 0)
    _draw_cells(panel, names, strength, colours, texts)
    for row, column in frames:
        panel.add_patch(
            mpl.patches.Rectangle(
                (column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="black", linewidth=1.5
            )
        )
    panel.set_title("difference")


def _draw_cells(
    panel: Axes,
    names: list[str],
    strength: NDArray[np.float64],
    colours: NDArray[np.str_],
    texts: list[list[str]],
) -> None:
    """Draw a matrix of cells, each with a text, in a colour mixed with white.

    Args:
        panel: the axes to draw on.
        names: the classes.
        strength: of the colour of each cell, from 0 (white) to 1, shape (classes, classes).
        colours: shape (classes, classes).
        texts: rows of texts.
    """
    full = np.array([[mpl.colors.to_rgb(colour) for colour in row] for row in colours])
    panel.imshow(1 - strength[..., None] * (1 - full))
    labels = [name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 3]}..." for name in names]
    panel.set_xticks(range(len(names)), labels, rotation=45, ha="right", parse_math=False)
    panel.set_yticks(range(len(names)), labels, parse_math=False)
    panel.set_xlabel("predicted")
    panel.set_ylabel("actual")
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            colour = "white" if strength[row, column] > DARK else "black"
            panel.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
