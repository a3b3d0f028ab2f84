"""The comparison of training with other programs and with the floor of the machine."""

import math
import re
from argparse import ArgumentTypeError

import pytest
from helpers import ROOT, Project

from stages.common.errors import UserError
from stages.network import build
from stages.network.schema import Network
from stages.parameters import Dataset, load
from tools.benchmarks import floors, pipeline, race, shapes, training
from tools.benchmarks.__main__ import parse_goal
from tools.benchmarks.programs import KERAS, NATIVE, PORTABLE, SCRIPTS, SKLEARN, Case
from tools.benchmarks.race import Goal
from tools.common import settings

SHAPE = (28, 28)
CLASSES = 10
RESIDUAL = {
    "convolutions": [[3, 3, 3], [7] * 5],
    "residual": True,
    "average_pooling": True,
    "hidden": [],
    "dropout": 0.0,
}


@pytest.fixture
def digits() -> Dataset:
    return load(ROOT / "params.yaml").dataset("digits")


@pytest.mark.parametrize(
    "chosen",
    [
        {"hidden": [6, 4]},
        {"convolutions": [[3, 5], [7]], "hidden": [6, 4]},
        RESIDUAL,
    ],
)
def test_the_products_are_those_of_the_layers(digits: Dataset, chosen: dict[str, object]) -> None:
    network = digits.network.model_copy(update=chosen)
    model = build.build_network(Network.model_validate(network.model_dump()), SHAPE, 16, CLASSES, 0)
    products = 0
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            places = math.prod(layer.output.shape[1:-1])  # where the kernel is used in an image
            products += places * math.prod(layer.kernel.shape)
    dataset = digits.model_copy(update={"network": network})
    assert floors.count_operations(dataset, 100, SHAPE) == 6 * 100 * products


@pytest.mark.slow
def test_a_program_with_other_kernels_than_the_page_says_is_refused(
    finished: Project, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.folder)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")  # as a shell may have it
    case = Case("digits", "digits", digits)
    assert {"matmul", "inner_product"} & case.find_kernels(NATIVE)
    monkeypatch.setitem(SCRIPTS, PORTABLE, SCRIPTS[KERAS])
    with pytest.raises(
        UserError, match=r"digits, portable: expected no kernels of oneDNN, found .*inner_product"
    ):
        case.find_kernels(PORTABLE)


@pytest.mark.slow
def test_a_script_of_keras_trains_convolutions_without_residual_connections(
    finished: Project, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.folder)
    network = digits.network.model_copy(update={"convolutions": [[3, 5], [7]], "hidden": [6, 4]})
    case = Case("digits", "digits", digits.model_copy(update={"network": network}), images=100)
    result, _ = case.train(KERAS, epochs=1)
    assert result["weights"] == build.count_weights(network, (8, 8), CLASSES)


def test_programs_with_other_layers_are_refused() -> None:
    training.check_weights("digits, default", {PORTABLE: 1234, NATIVE: 1234, KERAS: 1234})
    message = "digits, default: expected the same number of weights in each program, found portable 1,234, K"
    with pytest.raises(UserError, match=message):
        training.check_weights("digits, default", {PORTABLE: 1234, KERAS: 1235})


@pytest.mark.slow
def test_an_epoch_is_compared_with_other_programs_and_with_distortions(
    project: Project, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {**{f"network.{name}": value for name, value in RESIDUAL.items()}, "network.hidden": [6, 4]}
    values["training.augmentation.shift"] = 1
    project.edit_tools(lambda content: content["datasets"]["digits"].update(configurations={"small": values}))
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr(training, "ROUNDS", 1)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")  # as a shell may have it, of a program that must not
    section = training.compare({"digits": digits}, settings.load(load()))
    values_by_title = {target.title: target.value for target in section.targets}
    assert values_by_title[f"digits, default: portable, times as fast as {KERAS}"] > 0
    assert values_by_title["digits, small: with distortions, times as long as without"] > 0
    seconds, _ = section.text.split("\n\n", 1)
    columns, _, default, small = (
        [cell.strip() for cell in line.split("|")[1:-1]] for line in seconds.splitlines()
    )
    # scikit-learn has no convolutions, the default has no distortions, and so few images have no floor.
    for row, missing in (
        (default, {training.DISTORTED, training.FLOOR, training.PORTABLE_FLOOR}),
        (small, {SKLEARN, training.FLOOR, training.PORTABLE_FLOOR}),
    ):
        absent = {column for column, cell in zip(columns, row, strict=True) if cell == "-"}
        assert absent - {"PyTorch loop"} == missing


@pytest.mark.slow
def test_the_race_is_run_by_dvc_and_leaves_the_project_as_it_was(
    project: Project, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr(race, "ROUNDS", 1)
    before = project.files("params.yaml", "dvc.lock", "metrics/*", "models/*")
    section = race.race([Goal("digits", "default", 0.9)], {"digits": digits}, settings.load(load()))
    assert project.files("params.yaml", "dvc.lock", "metrics/*", "models/*") == before
    (target,) = (target for target in section.targets if KERAS in target.title)
    assert target.value > 0
    assert f"after {digits.training.epochs}" in section.text


def test_fetch_and_preprocess_are_compared_with_their_input_and_output(
    project: Project, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    before = project.files("**/*")
    titles = [target.title for target in pipeline.compare_with_floors("digits", digits)]
    assert titles == [
        f"digits: {stage}, in times of its raw input and output" for stage in ("fetch", "preprocess")
    ]
    assert project.files("**/*") == before


@pytest.mark.slow
def test_many_shapes_are_compared_with_a_trend_and_a_step_has_parts(
    finished: Project, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.folder)
    monkeypatch.setattr(shapes, "WIDTHS", (16, 64))
    monkeypatch.setattr(shapes, "DEPTHS", (1, 2))
    section = shapes.sweep("digits", digits)
    assert section.text.startswith(f"{2 * 2 * len(shapes.KINDS)} shapes, ")
    assert re.search(r"2 x 64, dropout and batch normalisation \| +\d", section.text)
    (target,) = section.targets
    assert target.value >= 1  # the slowest shape, in times of the trend
    table = shapes.profile({"digits": digits}).text
    for computation in ("portable", "native"):
        assert re.search(rf"digits, {computation} \| matrix products \| +0\.\d*[1-9]", table)


def test_a_goal_names_a_network_of_the_project(digits: Dataset) -> None:
    assert parse_goal("digits:quick=0.985") == Goal("digits", "quick", 0.985)
    assert parse_goal("digits=0.9") == Goal("digits", "default", 0.9)
    for text in ("digits", "digits=98", "digits=nan", "digits=0"):
        with pytest.raises(
            ArgumentTypeError, match=f"expected DATASET:CONFIGURATION=ACCURACY, .* found '{text}'"
        ):
            parse_goal(text)
    tools = settings.load(load(ROOT / "params.yaml"), ROOT / "tools.yaml")
    with pytest.raises(UserError, match="--reach: expected one of digits, found letters"):
        race.find_dataset(Goal("letters", "default", 0.9), {"digits": digits}, tools)
    with pytest.raises(UserError, match=r"--reach: expected a configuration of digits in tools\.yaml"):
        race.find_dataset(Goal("digits", "quick", 0.9), {"digits": digits}, tools)
    assert race.find_dataset(Goal("digits", "default", 0.9), {"digits": digits}, tools) == digits


def test_a_goal_that_was_missed_has_no_median() -> None:
    assert race.format_times([31.2, 33.0, 40.1]) == "33 s (31 to 40)"
    assert race.format_times([31.2, race.NEVER, 40.1]) == "31 to 40 s, in 2 of 3 rounds"
    assert race.format_times([race.NEVER, race.NEVER]) == "not reached"


def test_ranges_have_two_figures() -> None:
    assert training.format_range([0.8712, 0.851, 0.913], " s") == "0.87 s (0.85 to 0.91)"
    assert training.format_range([12.81, 9.96, 13.6]) == "13 (10 to 14)"
    assert training.format_range([]) == "-"
    assert training.divide([3.0, 4.0], [2.0, 1.0]) == [1.5, 4.0]
