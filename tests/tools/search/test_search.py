"""The search: neither the number of workers nor lost workers change its trials or its winner."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
import pandas as pd
import pytest
from dask_cluster import kill, start, wait_until_busy
from distributed import Client
from helpers import ROOT, TWIN, Project

from stages import parameters
from stages.common import layout
from stages.common.errors import UserError
from tools.common import cluster, settings
from tools.common.variations import Choice, Objective, Range, Space
from tools.review import statistics
from tools.review.estimates import Estimate
from tools.search import confirmation, report, space, trial, trials
from tools.search.__main__ import main

SPACE = {
    "network.hidden": {"choices": [[128, 64], [32, 16]]},
    "training.learning_rate": {"low": 0.0001, "high": 0.01, "log": True},
    "network.dropout": {"low": 0.0, "high": 0.5},
}
TRIALS = 5  # two generations, and one trial of a third
COLUMNS_WITHOUT_TIMES = [*("trial", "state", "accuracy", "epochs"), *SPACE]
SETTINGS = {"objective": "accuracy", "seeds": 2, "seed": 3, "generation": 2, "space": SPACE}


def edit_rate(project: Project, learning_rate: float) -> None:
    training = {"learning_rate": learning_rate}
    project.edit_parameters(lambda content: content["datasets"][TWIN]["training"].update(training))


@pytest.fixture
def search_project(project: Project) -> Project:
    """A project with a small space to search in."""
    project.edit_tools(lambda content: content.update(search=SETTINGS))
    project.edit_parameters(lambda content: content["datasets"][TWIN]["training"].update(epochs=4))
    return project


def read_table(project: Project) -> pd.DataFrame:
    return pd.read_csv(project.folder / f"searches/{TWIN}.csv")[COLUMNS_WITHOUT_TIMES]


def read_numbers(project: Project) -> list[int]:
    """Return the numbers of the trials in the database."""
    path = project.folder / f"searches/{TWIN}.db"
    if not path.exists():
        return []
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    try:
        studies = storage.get_all_studies()
        found = [trial for study in studies for trial in storage.get_all_trials(study._study_id)]
        return sorted(trial.user_attrs[trials.NUMBER] for trial in found)
    finally:
        storage.remove_session()
        storage.engine.dispose()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_workers_and_a_killed_search_change_nothing(
    search_project: Project,
    tmp_path: Path,
    scheduler: str,
    start_worker: Callable[..., subprocess.Popen[bytes]],
) -> None:
    undisturbed = search_project.copy(tmp_path / "undisturbed")
    expected = undisturbed.here("tools.search", TWIN, "--trials", TRIALS)

    workers = {name: start_worker(name) for name in ("first", "second")}
    command = (sys.executable, "-m", "tools.search", TWIN, "--trials", str(TRIALS))
    search = start(search_project, *command, DASK_SCHEDULER=scheduler)
    busy, _ = wait_until_busy(scheduler, 2, search)
    kill(workers[busy])
    while len(read_numbers(search_project)) < 3:  # a generation, and the first trial of the next
        assert search.poll() is None
        time.sleep(0.05)
    kill(search)
    assert 3 <= len(read_numbers(search_project)) < TRIALS
    repeated = search_project.here("tools.search", TWIN, "--trials", TRIALS, DASK_SCHEDULER=scheduler)

    assert read_numbers(search_project) == list(range(TRIALS))
    pd.testing.assert_frame_equal(read_table(search_project), read_table(undisturbed))
    (experiment,) = re.findall("^dvc exp run .*", expected.stdout, re.MULTILINE)
    assert repeated.stdout.partition(experiment)[2] == expected.stdout.partition(experiment)[2]

    # The winner is an ordinary experiment: it changes no other parameters, and has the accuracy of the trial.
    search_project.commit("A space to search in")
    best = read_table(search_project).iloc[0]
    search_project.run("bash", "-euc", experiment)
    history = pd.read_csv(search_project.folder / f"plots/history/{TWIN}.csv")
    assert history["val_accuracy"].iloc[-1] == pytest.approx(best["accuracy"], abs=1e-6)
    difference = search_project.run("git", "diff", "--unified=0", "params.yaml").stdout
    removed_lines = re.findall(r"^-([^-].*)$", difference, re.MULTILINE)
    assert 0 < len(removed_lines) <= len(SPACE) + 1  # hidden has two lines


@pytest.mark.slow
def test_a_native_search_computes_with_other_kernels_and_is_another_search(search_project: Project) -> None:
    edit_rate(search_project, 1e-9)  # so that the other trial is better
    of_one_dnn = "onednn_verbose,v1,primitive,exec,cpu"  # which oneDNN prints of each kernel that runs
    command = ("python", "-m", "tools.search", TWIN, "--trials")
    assert of_one_dnn not in search_project.run(*command, "1", ONEDNN_VERBOSE="1").stdout
    done = search_project.run(*command, "2", "--native", ONEDNN_VERBOSE="1")
    assert of_one_dnn in done.stdout
    assert read_numbers(search_project) == [0, 0, 1]
    (experiment,) = re.findall("^dvc exp run .*", done.stdout, re.MULTILINE)
    assert "The best trial, as an experiment, which computes as params.yaml says:" in done.stdout
    assert "computation" not in experiment
    confirmed = done.stdout.partition(experiment)[2]
    assert "on the validation images" in confirmed
    assert of_one_dnn not in confirmed


@pytest.fixture
def task(search_project: Project) -> trials.Task:
    """A search that needs no data."""
    content = parameters.load(search_project.folder / "params.yaml")
    search = settings.load(content, search_project.folder / "tools.yaml").search
    assert search is not None
    return trials.Task(TWIN, content.dataset(TWIN), search, "0" * 64)


def test_a_generation_depends_on_the_seed_and_on_earlier_trials(task: trials.Task) -> None:
    first = trials.draw_generation(task, [], range(3))
    assert trials.draw_generation(task, [], range(3)) == first
    assert trials.draw_generation(task, [], range(2)) == first[:2]
    assert first[0] == {
        "network.hidden": task.dataset.network.hidden,
        "training.learning_rate": task.dataset.training.learning_rate,
        "network.dropout": task.dataset.network.dropout,
    }
    other = replace(task, search=task.search.model_copy(update={"seed": 4}))
    assert trials.draw_generation(other, [], range(3))[1:] != first[1:]
    for values in trials.draw_generation(task, [], range(3, 40)):
        assert 0.0001 <= values["training.learning_rate"] <= 0.01
        assert 0 <= values["network.dropout"] <= 0.5
        assert f"{values['network.dropout']:.3g}" == f"{values['network.dropout']:g}"


@pytest.mark.slow
@pytest.mark.parametrize(("objective", "scaled"), [("brier_score", False), ("log_loss", True)])
def test_the_first_trial_has_the_score_that_evaluate_reports_of_values_outside_the_space(
    search_project: Project, objective: Objective, scaled: bool
) -> None:
    edit_rate(search_project, 0.02)
    search_project.edit_tools(lambda content: content["search"].update(objective=objective))
    network = {"temperature_scaling": scaled}
    search_project.edit_parameters(lambda content: content["datasets"][TWIN]["network"].update(network))
    search_project.here("tools.search", TWIN, "--trials", 1)
    search_project.run("dvc", "repro", f"evaluate@{TWIN}")
    metrics = json.loads((search_project.folder / f"metrics/{TWIN}.json").read_text())["validation"]
    table = pd.read_csv(search_project.folder / f"searches/{TWIN}.csv")
    assert table[objective].item() == pytest.approx(metrics[objective], abs=2e-6)
    assert table["state"].item() == "complete"
    assert table["training.learning_rate"].item() == 0.02


@pytest.mark.slow
def test_the_best_trial_is_compared_with_other_seeds(search_project: Project) -> None:
    """The values of params.yaml learn nothing, so that another trial is sure to be better."""
    edit_rate(search_project, 1e-9)
    fast = {"training.learning_rate": {"low": 0.005, "high": 0.01}}
    settings_of_search = {"objective": "log_loss", "seeds": 3, "space": fast}
    search_project.edit_tools(lambda content: content["search"].update(settings_of_search))
    done = search_project.here("tools.search", TWIN, "--trials", 3)
    *_, last = done.stdout.splitlines()
    assert last == (
        "The best trial is better than params.yaml, with 3 other seeds each, on the validation images."
    )
    predictions = search_project.files(f"searches/{TWIN}/*.csv")
    assert len(predictions) == 2 * 3
    assert len(set(predictions.values())) == 2 * 3  # seeds that differ
    killed, *kept = (search_project.folder / name for name in predictions)
    killed.unlink()
    times = [path.stat().st_mtime_ns for path in kept]
    again = search_project.here("tools.search", TWIN, "--trials", 3)
    assert again.stdout == done.stdout
    assert search_project.files(f"searches/{TWIN}/*.csv") == predictions
    assert [path.stat().st_mtime_ns for path in kept] == times, "a training was run again"


def test_a_better_objective_with_a_worse_metric_is_not_called_better(task: trials.Task) -> None:
    def make(metric: str, mean: float, tolerance: float) -> statistics.Difference:
        estimate = Estimate(mean, 5, 1000, 1e-6, 1e-6, 1.0)
        return statistics.Difference(metric, 0.5, 0.5 + mean, estimate, tolerance)

    better, worse = make("accuracy", 0.1, 0.01), make("log_loss", 0.1, 0.01)
    unclear = make("accuracy", 0.0001, 0.01)
    for differences, words in (
        ([better], "The best trial is better than params.yaml"),
        ([better, worse], "but a worse log_loss: a review would stop it."),
        ([unclear], "was not shown to be better than params.yaml"),
    ):
        assert words in confirmation.describe(differences, task.search)[-1]


def test_another_space_or_other_code_is_another_search(task: trials.Task) -> None:
    identities = {
        task.identity(),
        replace(task, search=task.search.model_copy(update={"seed": 4})).identity(),
        replace(task, fingerprint="1" * 64).identity(),
        replace(task, dataset=task.dataset.model_copy(update={"seed": 9})).identity(),
        replace(task, search=task.search.model_copy(update={"seeds": 9})).identity(),  # the first again
    }
    assert len(identities) == 4


def test_the_fingerprint_covers_all_code_of_a_training() -> None:
    code = """
import sys, stages.train
print(*(module.__file__ for name, module in sys.modules.items() if name.startswith("stages.")))
"""
    completed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = {file for pattern in trial.CODE for file in map(str, ROOT.glob(pattern))}
    assert {*completed.stdout.split(), trial.__file__} <= files


def test_misuse_is_one_line(finished: Project) -> None:
    completed = finished.here("tools.search", TWIN, "--trials", 0, expect=2)
    assert "expected a number from 1, found '0'" in completed.stderr
    assert completed.stderr.count("\n") == 1


def test_an_unknown_data_set_is_named(search_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(search_project.folder)
    with pytest.raises(UserError, match="expected one of digits, twin, found 'elephants'"):
        main("elephants", 1)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x", "tls://127.0.0.1:9"])
def test_an_address_without_a_scheduler_is_named(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_SCHEDULER", address)
    monkeypatch.setattr(cluster, "TIMEOUT", 0.5)
    message = f"DASK_SCHEDULER: expected the address of a Dask .* found '{address}'"
    with pytest.raises(UserError, match=message), cluster.connect():
        pass


def test_a_project_without_a_space_is_refused(
    search_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    search_project.edit_tools(lambda content: content.pop("search"))
    monkeypatch.chdir(search_project.folder)
    with pytest.raises(UserError, match=r"tools.yaml: search: expected a space to search in, found none"):
        main(TWIN, 1)


def test_missing_data_are_reported_in_one_line(search_project: Project) -> None:
    search_project.run("rm", "-r", f"data/processed/{TWIN}/validation")
    completed = search_project.here("tools.search", TWIN, "--trials", TRIALS, expect=2)
    message = f"data/processed/{TWIN}/validation/SHA256SUMS: expected a file, found none; run dvc"
    assert message in completed.stderr
    assert completed.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_worker_with_other_code_or_several_threads_is_refused(
    search_project: Project,
    tmp_path: Path,
    scheduler: str,
    start_worker: Callable[..., subprocess.Popen[bytes]],
) -> None:
    search = ("tools.search", TWIN, "--trials", TRIALS)
    (tmp_path / "empty").mkdir()
    start_worker("without code", project=Project(tmp_path / "empty"))
    completed = search_project.here(*search, expect=2, DASK_SCHEDULER=scheduler)
    assert "found one without: No module named" in completed.stderr.splitlines()[-1]
    with Client(scheduler) as client:
        client.retire_workers(names=["without code"])
    start_worker("two threads", threads=2)
    completed = search_project.here(*search, expect=2, DASK_SCHEDULER=scheduler)
    assert "expected workers of one thread" in completed.stderr
    with Client(scheduler) as client:
        client.retire_workers(names=["two threads"])
    other = search_project.copy(tmp_path / "other")
    with (other.folder / "stages/train.py").open("a") as file:
        file.write("# changed\n")
    start_worker("other", project=other)
    completed = search_project.here(*search, expect=2, DASK_SCHEDULER=scheduler)
    assert "expected the code and data of the search" in completed.stderr.splitlines()[-1]
    assert read_numbers(search_project) == []


SMALL_SPACE: Space = {
    "network.dropout": Range(low=0.0, high=0.5),
    "network.hidden": Choice(choices=[[8], [16]]),
}


def make_trial(
    number: int, value: float | None, state: str, params: dict[str, object]
) -> optuna.trial.FrozenTrial:
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState[state],
        value=value,
        params=params,
        distributions=space.build_distributions(SMALL_SPACE),
        intermediate_values={0: value or 0.0},
        user_attrs={
            "number": number,
            "values": space.decode_values(params, SMALL_SPACE),
            "seconds": 1.0,
            "error": None,
        },
    )


@pytest.mark.parametrize("objective", ["accuracy", "log_loss"])
def test_a_trial_that_was_stopped_early_does_not_win(task: trials.Task, objective: Objective) -> None:
    low = {"network.dropout": 0.1, "network.hidden": "[8]"}
    high = {"network.dropout": 0.4, "network.hidden": "[16]"}
    extreme = {"accuracy": 0.99, "log_loss": 0.01}[objective]
    middle = {"accuracy": 0.95, "log_loss": 0.05}[objective]
    made_trials = [
        make_trial(0, extreme, "PRUNED", low),
        make_trial(1, 0.90, "COMPLETE", high),
        make_trial(2, middle, "COMPLETE", low),
        make_trial(3, None, "FAIL", high),
        make_trial(4, middle, "COMPLETE", high),
    ]
    task = replace(task, search=task.search.model_copy(update={"objective": objective}))
    best = report.find_best(made_trials, task)
    assert best is not None
    assert best.user_attrs["number"] == 2
    table = report.build_table(made_trials, task)
    assert list(table["trial"]) == [2, 4, 1, 0, 3]
    assert list(table[objective])[:4] == [middle, middle, 0.90, extreme]
    assert list(table["network.hidden"]) == [[8], [16], [16], [8], [16]]


def test_a_hyperparameter_that_changes_the_score_is_important() -> None:
    grid = [(wide, dropout) for dropout in (0.0, 0.1, 0.2, 0.3, 0.4) for wide in (0, 1)]
    made_trials = [
        make_trial(
            number,
            0.5 + wide * 0.2 + dropout / 1e6,
            "COMPLETE",
            {"network.dropout": dropout, "network.hidden": "[16]" if wide else "[8]"},
        )
        for number, (wide, dropout) in enumerate(grid)
    ]
    importances = report.estimate_importances(made_trials, seed=0)
    assert importances["network.hidden"] > 0.9
    assert report.estimate_importances(made_trials[:2], seed=0) == {}


def test_the_space_in_git_contains_the_parameters_in_git() -> None:
    content = parameters.load(ROOT / "params.yaml")
    search = settings.load(content, ROOT / "tools.yaml").search
    assert search is not None
    for dataset in content.datasets.values():
        assert space.encode_values(space.read_values(dataset, search.space), search.space) is not None


@pytest.mark.slow
def test_a_configuration_becomes_an_experiment(project: Project) -> None:
    """Also with keys that params.yaml does not have."""

    def leave_out(content: dict) -> None:
        del content["datasets"][TWIN]["training"]["augmentation"]

    project.edit_parameters(leave_out)
    deep = {"network.convolutions": [[4], [8, 8]], "training.epochs": 3}
    new_keys = {"training.augmentation.shift": 1, "network.temperature_scaling": True}
    configurations = {"deep": {**deep, **new_keys}}
    project.edit_tools(lambda content: content["datasets"][TWIN].update(configurations=configurations))
    project.commit("A name for a network")

    completed = project.run("make", "-o", ".venv/installed", "try", f"DATASET={TWIN}", "CONFIGURATION=deep")

    assert f"dvc exp run -S 'datasets.{TWIN}.network.convolutions=[[4], [8, 8]]' -S" in completed.stdout
    difference = project.run("git", "diff", "-U0", "params.yaml").stdout
    assert "+      epochs: 3" in difference
    history = (project.folder / layout.history(TWIN)).read_text()
    assert len(history.splitlines()) == 1 + 3
    assert "Ran experiment" in completed.stdout
    dataset = parameters.load(project.folder / "params.yaml").dataset(TWIN)
    assert dataset.training.augmentation.shift == 1
    assert dataset.network.temperature_scaling is True


def test_an_unknown_configuration_is_named(search_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    configurations = {"wide": {"network.hidden": [256, 256]}}
    search_project.edit_tools(lambda content: content["datasets"][TWIN].update(configurations=configurations))
    monkeypatch.chdir(search_project.folder)
    message = f"tools.yaml: datasets.{TWIN}.configurations: expected wide, found 'tall'"
    with pytest.raises(UserError, match=re.escape(message)):
        settings.find_configuration(TWIN, "tall")
