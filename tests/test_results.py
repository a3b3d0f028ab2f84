"""The results in this folder, committed or just made: good enough, complete, and as the README says."""

import json

import pandas as pd
import pytest
from conftest import ROOT
from ruamel.yaml import YAML

DATASETS = YAML(typ="safe").load(ROOT / "params.yaml")["datasets"]
FLOORS = {"digits": 0.93, "mnist": 0.985, "fashion_mnist": 0.90}
TEST_IMAGES = {"digits": 360, "mnist": 10_000, "fashion_mnist": 10_000}


def metrics(dataset: str) -> dict[str, float]:
    return json.loads((ROOT / "metrics" / f"{dataset}.json").read_text())


@pytest.mark.parametrize("dataset", FLOORS)
def test_the_accuracy_is_above_its_floor(dataset: str) -> None:
    assert metrics(dataset)["accuracy"] >= FLOORS[dataset]


@pytest.mark.parametrize("dataset", FLOORS)
def test_the_confusion_matrix_agrees_with_the_accuracy(dataset: str) -> None:
    table = pd.read_csv(ROOT / "plots/confusion" / f"{dataset}.csv", dtype={"actual": str, "predicted": str})
    classes = DATASETS[dataset]["classes"]
    assert table["actual"].tolist() == [name for name in classes for _ in classes]
    assert table["predicted"].tolist() == classes * len(classes)
    assert table["count"].sum() == TEST_IMAGES[dataset]
    right = table.loc[table["actual"] == table["predicted"], "count"].sum()
    assert right / TEST_IMAGES[dataset] == pytest.approx(metrics(dataset)["accuracy"], abs=1e-6)


@pytest.mark.parametrize("dataset", FLOORS)
def test_the_history_has_every_epoch(dataset: str) -> None:
    table = pd.read_csv(ROOT / "plots/history" / f"{dataset}.csv")
    assert table["epoch"].tolist() == list(range(1, DATASETS[dataset]["training"]["epochs"] + 1))
    assert table["val_accuracy"].max() == pytest.approx(metrics(dataset)["accuracy"], abs=0.03)
