"""The parts of docs/accuracy.md that are measured: tables in Markdown, by the mark at which each stands."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from stages.common.errors import UserError
from stages.common.variations import DEFAULT
from tools.common import markdown
from tools.common.markdown import number_table
from tools.study import results
from tools.study.results import Results

PAGE = Path("docs/accuracy.md")


def names(page: str) -> list[str]:
    """The data sets whose tables a page has.

    Raises:
        UserError: if a mark names a table that there is not.
    """
    found = [mark.partition(" of ") for mark in markdown.marks(page, PAGE)]
    for kind, _, name in found:
        if kind not in TABLES:
            raise UserError(
                f"{PAGE}: expected a table of {', '.join(TABLES)}, found '{kind} of {name}'; mend the mark"
            )
    return list(dict.fromkeys(name for *_, name in found))


def filled(page: str, of: dict[str, Results]) -> str:
    """The page with its tables as they are now.

    Args:
        page: its text, where a table stands between `<!-- kind of data_set -->` and `<!-- end -->`.
        of: the results, by data set, of all that the page has.
    """

    def made(mark: str) -> str:
        kind, _, name = mark.partition(" of ")
        return TABLES[kind](of[name])

    return markdown.filled(page, PAGE, made)


def _percent(values: "pd.Series[float]") -> str:
    """Mean and standard deviation."""
    spread = f" ± {100 * values.std():.2f}" if len(values) > 1 else ""
    return f"{100 * values.mean():.2f}{spread}"


def configurations(found: Results) -> str:
    """How well each does on the test images, and what it costs."""
    rows = []
    for name in found.configurations():
        runs = found.of(name)
        low, high = results.interval(100 * runs["test.accuracy"])
        rows.append(
            [
                f"`{name}`",
                _percent(runs["test.accuracy"]),
                f"{low:.2f} to {high:.2f}" if low < high else "",
                f"{runs['test.log_loss'].mean():.4f}",
                f"{runs['test.calibration_error'].mean():.4f}",
                f"{runs['weights'].iloc[0]:,}",
                str(found.epochs(name)),
                f"{runs['seconds'].min():.0f} s",
                str(len(runs)),
            ]
        )
    head = [
        *("", "test accuracy, %", "95 % interval", "log loss", "calibration error"),
        *("weights", "epochs", "training", "seeds"),
    ]
    return number_table(head, rows)


def shifts(found: Results) -> str:
    """What it brings to score the mean of the probabilities over shifts of each test image."""
    rows = []
    for name in found.configurations():
        runs = found.of(name)
        change = runs["averaged.accuracy"] - runs["test.accuracy"]
        rows.append(
            [
                f"`{name}`",
                _percent(runs["averaged.accuracy"]),
                f"{100 * change.mean():+.2f}",
                f"{runs['averaged.log_loss'].mean():.4f}",
                f"{runs['averaged.calibration_error'].mean():.4f}",
            ]
        )
    return number_table(["", "test accuracy, %", "change", "log loss", "calibration error"], rows)


def variants(found: Results) -> str:
    """What each change does to the validation images, against the same seeds without it."""
    rows = []
    for configuration in dict.fromkeys(name for name, _ in found.variants()):
        changed = {
            title: found.of(configuration, title) for name, title in found.variants() if name == configuration
        }
        seeds = set().union(*(runs.index for runs in changed.values()))
        unchanged = found.of(configuration)
        if unchanged.empty:
            continue
        before = unchanged.loc[unchanged.index.isin(seeds)]
        rows.append(
            [f"`{configuration}`", _percent(before["validation.accuracy"]), "", "", "", str(len(before))]
        )
        for title, after in changed.items():
            both = after.index.intersection(before.index)
            of = after.loc[both] - before.loc[both]
            rows.append(
                [
                    markdown.text(title),
                    _percent(after.loc[both, "validation.accuracy"]),
                    f"{100 * of['validation.accuracy'].mean():+.2f}",
                    f"{of['validation.log_loss'].mean():+.4f}",
                    f"{after['seconds'].min():.0f} s",
                    str(len(both)),
                ]
            )
    return number_table(["", "validation accuracy, %", "change", "of log loss", "training", "seeds"], rows)


def sizes(found: Results) -> str:
    """The accuracy of `default` by the number of training images."""
    numbers = sorted({run.images for run, _ in found.runs if run.images is not None})
    rows = []
    for images in [*numbers, None]:
        runs = found.of(DEFAULT, images=images)
        if len(runs):
            number = found.training_images if images is None else images
            rows.append([f"{number:,}", _percent(runs["test.accuracy"]), str(len(runs))])
    return number_table(["training images", "test accuracy, %", "seeds"], rows)


def pairs(found: Results) -> str:
    """How many test images of the most confused classes are taken for the other, the mean over the seeds."""
    names = found.configurations()
    rows = [
        [
            f"{markdown.text(found.classes[first])} and {markdown.text(found.classes[second])}",
            *(f"{results.confusions(found, name, (first, second)):.1f}" for name in names),
        ]
        for first, second in results.pairs(found)
    ]
    return number_table(["", *(f"`{name}`" for name in names)], rows)


def mistakes(found: Results) -> str:
    """How many test images some, most and all seeds take for another class."""
    rows = []
    for name in found.configurations():
        seeds = len(found.mistakes(name))
        counts = results.votes(found, name).values()
        rows.append(
            [
                f"`{name}`",
                f"{sum(counts) / seeds:.1f}",
                str(len(counts)),
                str(sum(count == seeds for count in counts)),
            ]
        )
    rows.append(["all of them", "", "", str(len(results.always_wrong(found)))])
    return number_table(["", "wrong, mean over seeds", "wrong with some seed", "wrong with every seed"], rows)


TABLES: dict[str, Callable[[Results], str]] = {
    "configurations": configurations,
    "shifts": shifts,
    "variants": variants,
    "sizes": sizes,
    "pairs": pairs,
    "mistakes": mistakes,
}
