"""Reports of a bounded length, whatever is compared."""

import re

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt

from stages.scoring import scores
from tools.common.markdown import unescape
from tools.common.revision import Result, Revision
from tools.review.comment import MOST_CHARACTERS
from tools.review.comparison import compare_results
from tools.review.report import build_markdown
from tools.review.review import Comparison, Outcome, Review

TOLERANCE = {"accuracy": 0.002, "log_loss": 0.01}


def results(classes: list[str], images: int, seed: int) -> Result:
    """Return the results of a network that is right in about half of the images."""
    random = np.random.default_rng(seed)
    labels = np.arange(images) % len(classes)
    guesses = np.where(random.random(images) < 0.5, labels, random.integers(0, len(classes), images))
    table = pd.DataFrame({"actual": np.array(classes)[labels], "predicted": np.array(classes)[guesses]})
    table["probability"] = 0.5
    table["probability_of_actual"] = np.where(guesses == labels, 0.5, 0.1)
    table["sum_of_squares"] = 0.3
    return Result(table, {"accuracy": float((guesses == labels).mean())})


def compared(dataset: str, classes: list[str], images: int, parameters: int = 0) -> Comparison:
    before, after = ([results(classes, images, seed)] for seed in (0, 1))
    changed = {f"datasets.{dataset}.network.{number}": (number, "x" * 500) for number in range(parameters)}
    comparison = Comparison(dataset, changed, [], [], {}, Outcome.COMPARED, "", [], before, after)
    comparison.differences = compare_results(before, after, TOLERANCE)
    comparison.classes = classes
    return comparison


def report(*comparisons: Comparison) -> str:
    base, later = Revision("main", None), Revision("workspace", None)
    return build_markdown(Review(base, later, "validation", list(comparisons), {}, [], TOLERANCE))


@pytest.mark.parametrize(
    "comparisons",
    [
        [compared(f"set_{number}", [f"class {name}" for name in range(12)], 240) for number in range(25)],
        [compared("many", [f"class {name}" for name in range(10_000)], 20_000)],
        [compared("long", [f"{name} " + "long name " * 100 for name in range(12)], 240, parameters=50)],
    ],
    ids=["25 data sets", "10,000 classes", "long names and 50 parameters"],
)
def test_a_report_fits_into_a_comment_and_keeps_its_explanation(comparisons: list[Comparison]) -> None:
    text = report(*comparisons)
    assert len(text) < MOST_CHARACTERS
    assert text.index("**Passed**") < text.index("| accuracy |") < text.index("## What the verdicts mean")
    assert text.rstrip().endswith("`--tolerance` replaces both.")


def test_what_is_left_out_is_named() -> None:
    classes = [f"class {name}" for name in range(12)]
    text = report(*(compared(f"set_{number}", classes, 240) for number in range(25)))
    shown = [number for number in range(25) if f"\n## set_{number}\n" in text]
    assert 5 < len(shown) < 25
    left = f"Left out here, for its length: {', '.join(f'set_{number}' for number in range(len(shown), 25))}"
    assert left[:80] in text
    assert all(f"- **set_{number}**: accuracy" in text for number in range(25))


def test_parameters_beyond_a_dozen_are_counted() -> None:
    text = report(compared("many", ["a", "b"], 40, parameters=50))
    assert text.count("| datasets.many.network.") == 12
    assert "And 38 more." in text


def test_of_many_confusions_the_surest_come_first_and_the_rest_are_counted() -> None:
    """Many pairs change by many images and back, which may be chance; one changes by fewer, which is not."""
    names = [f"class {number:02d}" for number in range(14)]
    actual = np.repeat(names, 600)
    before = pd.DataFrame({"actual": actual, "predicted": actual})
    after = before.copy()
    for number in range(13):
        rows, wrong = np.flatnonzero(actual == names[number]), names[(number + 1) % 14]
        before.loc[rows[:300], "predicted"] = wrong
        after.loc[rows[275:600], "predicted"] = wrong
    after.loc[np.flatnonzero(actual == names[13])[:22], "predicted"] = names[0]
    sides = [[Result(table, {"accuracy": 0.5})] for table in (before, after)]
    comparison = Comparison("many", {}, [], [], {}, Outcome.COMPARED, "", [], *sides)
    comparison.differences, comparison.classes = compare_results(*sides, TOLERANCE), names
    lines = report(comparison).splitlines()
    first = lines.index("| class | taken for | main | workspace | verdict |") + 2
    assert lines[first] == "| class 13 | class 00 | 0 | 22 | **worse** |"
    assert lines[first + 12 : first + 14] == ["", "And 2 more."]


def test_a_metric_that_has_a_tolerance_and_no_verdict_is_named() -> None:
    comparison = compared("some", ["a", "b"], 40)
    table = comparison.after[0].predictions.drop(columns="probability_of_actual")
    comparison.after = [Result(table, comparison.after[0].metrics)]
    comparison.differences = compare_results(comparison.before, comparison.after, TOLERANCE)
    assert "by more than its tolerance. Without a verdict: some: log_loss." in report(comparison)


def test_what_is_compared_with_nothing_is_named_beside_passed() -> None:
    new = compared("new", ["a", "b"], 40)
    new.before, new.differences = [], []
    assert "by more than its tolerance. **Compared with nothing**: new." in report(new)
    assert "Compared with nothing" not in report(compared("old", ["a", "b"], 40))


def test_the_rows_of_a_matrix_are_said_to_be_the_classes_of_the_images_with_a_base_or_without() -> None:
    new, old = compared("new", ["a", "b"], 40), compared("old", ["a", "b"], 40)
    new.before, new.differences = [], []
    rows = "Rows are the classes of the images, columns the predictions at workspace"
    assert f"### Confusions\n\n{rows}.\n\n|  | a | b |\n" in report(new)
    assert f"### Confusions\n\n{rows}; in brackets the change from main, bold " in report(old)
    many = compared("many", [f"class {name}" for name in range(14)], 240)
    many.before, many.differences = [], []
    assert "### Confusions\n\n| class | taken for | images |\n" in report(many)
    wrong = many.after[0].predictions.query("actual != predicted")
    assert f"\n\nAnd {len(wrong.groupby(['actual', 'predicted'])) - 12} more.\n" in report(many)


def test_results_that_lack_a_column_are_shown_without_its_intervals() -> None:
    comparison = compared("some", ["a", "b"], 40)
    table = comparison.after[0].predictions.drop(columns="sum_of_squares")
    comparison.before, comparison.differences = [], []
    comparison.after = [Result(table, {"accuracy": 0.5, "brier_score": 0.5})]
    comparison.outcome = Outcome.NEW
    text = report(comparison)
    assert "\n| brier_score | 0.5000 |  |\n" in text
    assert "\n| accuracy | 0.5000 | 0." in text


def test_what_a_review_could_not_find_is_said_with_what_would() -> None:
    small = report(compared("some", ["a", "b"], 2))
    assert "- accuracy: none, from so few images." in small
    large = report(compared("some", ["a", "b"], 2000))
    assert re.search(
        r"- accuracy: 0\.0\d{3}; to find 0\.002, the tolerance: about [\d,]+ validation images\.", large
    )


def test_every_cell_of_a_confusion_matrix_is_a_cell_of_the_table() -> None:
    html = (
        MarkdownIt("commonmark").enable("table").render(report(compared("some", ["a|b", "*c*", "_d_"], 60)))
    )
    assert '<th style="text-align:right">a|b</th>' in html
    assert "<td>*c*</td>" in html


def test_a_terminal_shows_no_escapes() -> None:
    text = report(compared("some", ["a|b", "*c*", "@user"], 60))
    assert r"a\|b" in text
    plain = unescape(text)
    assert "a|b" in plain
    assert "*c*" in plain
    assert "@user" in plain
    assert "\\" not in plain


def test_scores_of_a_table_are_those_of_the_evaluation() -> None:
    """The tables made here are such as the evaluation makes."""
    columns = set(scores.prediction_table(np.array([0]), np.eye(2, dtype=np.float32)[:1], ["a", "b"]))
    assert set(results(["a", "b"], 10, 0).predictions) == columns
