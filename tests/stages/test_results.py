"""The results in this folder, committed or just made: good enough, complete, and as the README says."""

import json
import subprocess
import sys
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
import vl_convert
from helpers import ROOT
from ruamel.yaml import YAML

DATASETS = YAML(typ="safe").load(ROOT / "params.yaml")["datasets"]
FLOORS = {"digits": 0.93, "mnist": 0.988, "fashion_mnist": 0.903}
MOST_LOG_LOSS = {"digits": 0.2, "mnist": 0.035, "fashion_mnist": 0.28}  # nats
MOST_CALIBRATION_ERROR = {"digits": 0.05, "mnist": 0.005, "fashion_mnist": 0.015}
TEST_IMAGES = {"digits": 360, "mnist": 10_000, "fashion_mnist": 10_000}


def metrics(dataset: str, split: str = "test") -> dict[str, float]:
    return json.loads((ROOT / "metrics" / f"{dataset}.json").read_text())[split]


@pytest.mark.parametrize("dataset", FLOORS)
def test_the_accuracy_is_above_its_floor(dataset: str) -> None:
    assert metrics(dataset)["accuracy"] >= FLOORS[dataset]


@pytest.mark.parametrize("dataset", FLOORS)
def test_the_probabilities_are_what_they_say(dataset: str) -> None:
    assert metrics(dataset)["log_loss"] <= MOST_LOG_LOSS[dataset]
    assert metrics(dataset)["calibration_error"] <= MOST_CALIBRATION_ERROR[dataset]


@pytest.mark.parametrize("dataset", FLOORS)
def test_the_confusion_matrix_agrees_with_the_accuracy(dataset: str) -> None:
    table = pd.read_csv(ROOT / "plots/confusion" / f"{dataset}.csv", dtype={"actual": str, "predicted": str})
    classes = DATASETS[dataset]["classes"]
    assert table["actual"].tolist() == [name for name in classes for _ in classes]
    assert table["predicted"].tolist() == classes * len(classes)
    assert table["count"].sum() == TEST_IMAGES[dataset]
    right = table.loc[table["actual"] == table["predicted"], "count"].sum()
    assert right / TEST_IMAGES[dataset] == pytest.approx(metrics(dataset)["accuracy"], abs=1e-6)


def test_the_drawn_confusion_matrix_has_the_classes_in_order_and_the_counts() -> None:
    plot = "plots/confusion/fashion_mnist.csv"
    dvc = [sys.executable, "-m", "dvc", "plots", "show", "--json", plot]
    shown = subprocess.run(dvc, cwd=ROOT, capture_output=True, check=True).stdout
    (chart,) = json.loads(shown)["data"][plot]
    drawing = ET.fromstring(vl_convert.vegalite_to_svg(chart["content"]))
    texts = ["".join(text.itertext()) for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
    classes = DATASETS["fashion_mnist"]["classes"]
    assert [text for text in texts if text in classes] == classes * 2  # one axis after the other
    counts = pd.read_csv(ROOT / plot)["count"].astype(str).tolist()
    assert [text for text in texts if text.isdigit()] == counts


@pytest.mark.parametrize("dataset", FLOORS)
def test_the_history_has_every_epoch(dataset: str) -> None:
    table = pd.read_csv(ROOT / "plots/history" / f"{dataset}.csv")
    assert table["epoch"].tolist() == list(range(1, DATASETS[dataset]["training"]["epochs"] + 1))
    accuracy = metrics(dataset, "validation")["accuracy"]
    assert table["val_accuracy"].iloc[-1] == pytest.approx(accuracy, abs=1e-6)  # of the last epoch


def test_the_docs_say_what_the_checks_have_found() -> None:
    page = (ROOT / "docs/datasets.md").read_text(encoding="utf-8")
    for dataset in FLOORS:
        found = json.loads((ROOT / "plots/data" / f"{dataset}.json").read_text(encoding="utf-8"))
        near = found["nearly identical"]
        columns = (near[pair] for pair in ("validation in train", "test in train", "test in validation"))
        numbers = " | ".join(map(str, [sum(found["identical"].values()), *columns]))
        assert f"| {dataset} | {numbers} |" in page
        assert found["images"]["test"].keys() == set(map(str, DATASETS[dataset]["classes"]))
        assert sum(found["images"]["test"].values()) == TEST_IMAGES[dataset]
