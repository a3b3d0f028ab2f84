"""The tables of docs/accuracy.md, in Markdown, by the mark at which each table stands."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from stages.common.errors import UserError
from tools.common import markdown
from tools.common.markdown import number_table
from tools.study.results import (
    Results,
    count_confusions,
    count_votes,
    estimate_interval,
    find_common_mistakes,
    find_confused_pairs,
)

PAGE = Path("docs/accuracy.md")


def list_datasets(page: str) -> list[str]:
    """Return the names of the data sets that have tables on a page.

    Raises:
        UserError: if a mark names an unknown table.
    """
    marks = [mark.partition(" of ") for mark in markdown.find_marks(page, PAGE)]
    for kind, _, name in marks:
        if kind not in TABLES:
            raise UserError(
                f"{PAGE}: expected a table of {', '.join(TABLES)}, found '{kind} of {name}'; mend the mark"
            )
    return list(dict.fromkeys(name for *_, name in marks))


def fill_page(page: str, results_by_dataset: Mapping[str, Results]) -> str:
    """Return a page with new tables.

    Args:
        page: its text, with each table between `<!-- KIND of DATASET -->` and `<!-- end -->`.
        results_by_dataset: the results of every data set of the page.
    """

    def make_table(mark: str) -> str:
        kind, _, name = mark.partition(" of ")
        return TABLES[kind](results_by_dataset[name])

    return markdown.fill_marks(page, PAGE, make_table)


def _format_percent(values: "pd.Series[float]") -> str:
    """Return the mean and, of several values, the standard deviation."""
    deviation = f" ± {100 * values.std():.2f}" if len(values) > 1 else ""
    return f"{100 * values.mean():.2f}{deviation}"


def configuration_table(results: Results) -> str:
    """Return the table of configurations: their scores on the test images, and their costs.

    The second accuracy is that of test-time augmentation: of the mean probabilities over shifts.
    """
    rows = []
    for name in results.list_configurations():
        runs = results.runs_of(name)
        low, high = estimate_interval(100 * runs["test.accuracy"])
        rows.append(
            [
                f"`{name}`",
                _format_percent(runs["test.accuracy"]),
                f"{low:.2f} to {high:.2f}" if low < high else "",
                _format_percent(runs["averaged.accuracy"]),
                f"{runs['test.log_loss'].mean():.4f}",
                f"{runs['test.calibration_error'].mean():.4f}",
                f"{runs['weights'].iloc[0]:,}",
                str(results.epochs_of(name)),
                f"{runs['seconds'].min():.0f} s",
                str(len(runs)),
            ]
        )
    head = [
        *("", "test accuracy, %", "95 % interval", "over shifts, %", "log loss", "calibration error"),
        *("weights", "epochs", "training", "seeds"),
    ]
    return number_table(head, rows)


def variant_table(results: Results) -> str:
    """Return the table of variants, compared on the validation images with their configurations.

    Only seeds that both a variant and its configuration were trained with are compared.
    """
    rows = []
    variants = results.list_variants()
    for configuration in dict.fromkeys(name for name, _ in variants):
        runs_by_title = {
            title: results.runs_of(configuration, title) for name, title in variants if name == configuration
        }
        seeds = set().union(*(runs.index for runs in runs_by_title.values()))
        base = results.runs_of(configuration)
        if base.empty:
            continue
        base = base.loc[base.index.isin(seeds)]
        rows.append(
            [f"`{configuration}`", _format_percent(base["validation.accuracy"]), "", "", "", str(len(base))]
        )
        for title, runs in runs_by_title.items():
            common_seeds = runs.index.intersection(base.index)
            change = runs.loc[common_seeds] - base.loc[common_seeds]
            rows.append(
                [
                    markdown.escape(title),
                    _format_percent(runs.loc[common_seeds, "validation.accuracy"]),
                    f"{100 * change['validation.accuracy'].mean():+.2f}",
                    f"{change['validation.log_loss'].mean():+.4f}",
                    f"{runs['seconds'].min():.0f} s",
                    str(len(common_seeds)),
                ]
            )
    return number_table(["", "validation accuracy, %", "change", "of log loss", "training", "seeds"], rows)


def pair_table(results: Results) -> str:
    """Return the table of the most confused pairs of classes, with the mean number of confusions."""
    configurations = results.list_configurations()
    classes = results.classes
    rows = [
        [
            f"{markdown.escape(classes[first])} and {markdown.escape(classes[second])}",
            *(f"{count_confusions(results, name, (first, second)):.1f}" for name in configurations),
        ]
        for first, second in find_confused_pairs(results)
    ]
    return number_table(["", *(f"`{name}`" for name in configurations)], rows)


def mistake_table(results: Results) -> str:
    """Return the table of misclassified test images: with a mean seed, with any seed, with every seed."""
    rows = []
    for name in results.list_configurations():
        seeds = len(results.mistakes_of(name))
        votes = count_votes(results, name).values()
        rows.append(
            [
                f"`{name}`",
                f"{sum(votes) / seeds:.1f}",
                str(len(votes)),
                str(sum(count == seeds for count in votes)),
            ]
        )
    rows.append(["all of them", "", "", str(len(find_common_mistakes(results)))])
    return number_table(["", "wrong, mean over seeds", "wrong with some seed", "wrong with every seed"], rows)


TABLES: dict[str, Callable[[Results], str]] = {
    "configurations": configuration_table,
    "variants": variant_table,
    "pairs": pair_table,
    "mistakes": mistake_table,
}
