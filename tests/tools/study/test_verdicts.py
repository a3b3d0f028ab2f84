"""The review, reviewed: false alarms and power, on networks whose differences are known."""

import re

import numpy as np
import pandas as pd
import pytest
from helpers import ROOT

from tools.review.metrics import METRICS
from tools.study import verdicts
from tools.study.verdicts import Networks

TOLERANCE = {"accuracy": 0.005, "macro_f1": 0.005, "log_loss": 0.02, "brier_score": 0.01}


def networks(luck: float, images: int = 800) -> Networks:
    """Return ten networks whose accuracies differ by the luck of their seeds, a standard deviation."""
    random = np.random.default_rng(0)
    actual = np.array(["a", "b", "c"])[np.arange(images) % 3]
    difficulty = random.normal(size=images)
    tables = []
    for _ in range(verdicts.SEEDS):
        wrong = difficulty + random.normal(0, 0.3, images) > 1.3 + random.normal(0, luck)
        table = pd.DataFrame({"actual": actual, "predicted": np.where(wrong, "a", actual)})
        right = (table["actual"] == table["predicted"]).to_numpy()
        table["probability"] = random.uniform(0.6, 0.9, images)
        table["probability_of_actual"] = np.where(right, table["probability"], 0.1)
        table["sum_of_squares"] = table["probability"] ** 2 + 0.01
        tables.append(table)
    return Networks("made", "default", tables)


def share(cell: str) -> float:
    return float(cell.rstrip("%")) / 100


def test_pairs_are_of_different_networks() -> None:
    assert len(verdicts.draw_pairs(10, 1)) == 45
    pairs = verdicts.draw_pairs(10, 3)
    assert len(pairs) == len(set(pairs)) == verdicts.MOST_PAIRS
    assert all(len({*one, *other}) == 6 for one, other in pairs)


def test_seeds_find_out_that_only_luck_differs() -> None:
    one_seed, three_seeds = verdicts.count_false_alarms(networks(luck=0.4), TOLERANCE)
    assert one_seed[:3] == ["made, `default`", "1", "45"]
    assert share(one_seed[3]) > 0.2  # another seed alone gives another network
    assert share(three_seeds[3]) <= 0.1
    assert share(three_seeds[-1]) <= 0.05


@pytest.mark.slow
def test_a_larger_loss_is_found_more_often() -> None:
    for row in verdicts.measure_power(networks(luck=0.02), TOLERANCE):
        assert row[2] == "-"  # 0.2 points of 800 images are no whole number of them
        found = [share(cell.split(", ")[0]) for cell in row[3:]]
        assert found == sorted(found)
        assert found[0] < 0.3 < found[-1]


@pytest.mark.parametrize("loss", [0.01, 0.05])
def test_worsening_takes_away_as_much_accuracy_as_it_says(loss: float) -> None:
    table = networks(luck=0.1).tables[0]
    worse = verdicts.worsen(table, loss, np.random.default_rng(0))
    accuracy = [(rows["actual"] == rows["predicted"]).mean() for rows in (table, worse)]
    assert accuracy[1] == pytest.approx(accuracy[0] - loss, abs=1e-3)
    changed = table["predicted"] != worse["predicted"]
    assert (worse["probability_of_actual"][changed] < worse["probability"][changed]).all()
    pd.testing.assert_frame_equal(table[~changed], worse[~changed])


def test_the_page_has_no_more_false_alarms_than_it_promises() -> None:
    page = (ROOT / verdicts.PAGE).read_text(encoding="utf-8")
    block = page.split("<!-- false alarms -->")[1].split("<!-- end -->")[0]
    rows = re.findall(r"^\| \w+, `\w+` \| (\d) \| (\d+) \|(.*)\|$", block, re.MULTILINE)
    assert len(rows) >= 6
    for _, pairs, cells in rows:
        *of_metrics, stops = (share(cell.strip()) for cell in cells.split("|"))
        assert len(of_metrics) == len(METRICS)
        error = np.sqrt(0.025 * 0.975 / int(pairs))
        assert stops <= 0.025 + 2 * error
