"""tools.yaml: the committed file is valid, and every mistake is one line that names the key."""

from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT, dump
from ruamel.yaml import YAML

from stages import parameters
from stages.common.errors import UserError
from tools.common import settings
from tools.common.variations import training_identity, vary


@pytest.fixture
def content() -> Any:
    return YAML(typ="safe").load(ROOT / "tools.yaml")


def load_error(folder: Path, text: str) -> str:
    path = folder / "tools.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as error:
        settings.load(parameters.load(ROOT / "params.yaml"), path)
    return str(error.value).removeprefix(f"{path}: ")


def test_the_committed_file_fits_the_committed_params_yaml() -> None:
    loaded = settings.load(parameters.load(ROOT / "params.yaml"), ROOT / "tools.yaml")
    assert set(loaded.dataset("mnist").configurations) == {"best", "convolutional", "quick"}
    assert loaded.dataset("digits").about.background == "dark"


SPACE = "search.space."
CONFIGURATION = "datasets.mnist.configurations."
STUDY = "study."


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            f"{SPACE}network.colour",
            {"low": 0.0, "high": 1.0},
            "expected one of network.convolutions, network.residual, network.average_pooling, network.hidden",
        ),
        (f"{SPACE}network.dropout", {"low": 1.0, "high": 0.5}, "expected low less than high"),
        (f"{SPACE}network.dropout", {"low": 0.5, "high": 0.5}, "expected low less than high"),
        (f"{SPACE}network.dropout", {"low": 0.0, "high": 0.5, "log": True}, "low above 0"),
        (f"{SPACE}network.dropout", {"choices": [0.1]}, "expected at least 2 items, found [0.1]"),
        (f"{SPACE}network.dropout", {"choice": [0.1, 0.2]}, "expected a value, found nothing"),
        (f"{CONFIGURATION}default", {"network.dropout": 0.1}, "expected another name than default"),
        (f"{CONFIGURATION}Wide", {"network.dropout": 0.1}, "expected small letters, numbers and _"),
        (f"{CONFIGURATION}wide", {}, "wide: expected at least one item, found {}"),
        (f"{CONFIGURATION}wide", {"network.colour": 1}, "expected one of network.convolutions"),
        (
            f"{CONFIGURATION}wide",
            {"network.dropout": 2.0},
            "configurations.wide: network.dropout: expected less than 1, found 2.0",
        ),
        (
            f"{CONFIGURATION}wide",
            {"training.epochs": 1, "training.warmup_epochs": 1},
            "expected warmup_epochs less than epochs",
        ),
        (f"{STUDY}seeds", 1, "study.seeds: expected greater than or equal to 2, found 1"),
        (f"{STUDY}shift", 11, "study.shift: expected less than or equal to 10, found 11"),
        (f"{STUDY}variant_seeds", 6, "expected at most as many variant_seeds as seeds (5)"),
        (f"{STUDY}training_images", [300, 300], "expected numbers of training_images that differ"),
    ],
)
def test_a_wrong_value_is_named_with_key_expectation_and_finding(
    tmp_path: Path, content: Any, key: str, value: object, message: str
) -> None:
    section, name = key.split(".", 1)
    place = content[section]
    for part in ("space", "mnist", "configurations"):
        if name.startswith(f"{part}."):
            place, name = place[part], name.removeprefix(f"{part}.")
    place[name] = value
    assert message in load_error(tmp_path, dump(content))


def test_what_a_later_version_added_is_part_of_an_identity_where_it_is_used() -> None:
    dataset = parameters.load(ROOT / "params.yaml").dataset("mnist")
    values = {
        "network.temperature_scaling": True,
        "training.balance": 0.5,
        "training.augmentation.fill": "edge",
    }
    used = training_identity(vary(dataset, values, "here"))
    assert used["network"]["temperature_scaling"] is True
    assert used["training"]["balance"] == 0.5
    assert used["training"]["augmentation"]["fill"] == "edge"
    unused = training_identity(vary(dataset, {"network.temperature_scaling": False}, "here"))
    assert not {"temperature_scaling", "residual", "average_pooling"} & unused["network"].keys()
    assert not {"momentum", "balance"} & unused["training"].keys()
    assert not {"colour", "fill", "erasing"} & unused["training"]["augmentation"].keys()


def test_a_varied_data_set_is_the_same_otherwise() -> None:
    dataset = parameters.load(ROOT / "params.yaml").dataset("mnist")
    varied = vary(dataset, {"network.hidden": [8], "training.epochs": 5}, "here")
    assert (varied.network.hidden, varied.training.epochs) == ([8], 5)
    expected = training_identity(dataset)
    expected["network"]["hidden"], expected["training"]["epochs"] = [8], 5
    assert training_identity(varied) == expected
    assert set(expected) == {"network", "training", "seed", "largest_pixel"}
    with pytest.raises(UserError, match=r"^here: training\.epochs: expected greater than 0, found 0"):
        vary(dataset, {"training.epochs": 0}, "here")


def test_settings_of_an_unknown_data_set_are_refused(tmp_path: Path, content: Any) -> None:
    content["datasets"]["letters"] = {"about": {"title": "Letters"}}
    assert load_error(tmp_path, dump(content)) == (
        "datasets: expected data sets of params.yaml, digits, mnist, fashion_mnist, found 'letters'; "
        "remove it, or add the data set there"
    )


def test_a_data_set_without_settings_has_empty_ones(tmp_path: Path, content: Any) -> None:
    del content["datasets"]
    (tmp_path / "tools.yaml").write_text(dump(content))
    assert settings.load(path=tmp_path / "tools.yaml").dataset("digits") == settings.DatasetSettings()
