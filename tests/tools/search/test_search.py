"""The search: the same trials and the same winner, whatever the number of workers and whichever is killed."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pandas as pd
import pytest
from distributed import Client
from helpers import ROOT, TWIN, Project, environment

from stages import parameters
from stages.common import layout
from stages.common.errors import UserError
from stages.common.variations import Choice, Range
from tools.search import cluster, configuration, report, space, trials
from tools.search.__main__ import main

SPACE = {
    "network.hidden": {"choices": [[128, 64], [32, 16]]},
    "training.learning_rate": {"low": 0.0001, "high": 0.01, "log": True},
    "network.dropout": {"low": 0.0, "high": 0.5},
}
TRIALS = 5  # two generations, and one trial of a third
WITHOUT_TIMES = [*("trial", "state", "val_accuracy", "epochs"), *SPACE]


@pytest.fixture
def searched(project: Project) -> Project:
    """A project with a small space to search in."""
    project.edit_parameters(
        lambda content: content.update(search={"seed": 3, "generation": 2, "space": SPACE})
    )
    project.edit_parameters(lambda content: content["datasets"][TWIN]["training"].update(epochs=4))
    return project


def start(project: Project, *command: str, **variables: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, cwd=project.folder, env=environment(**variables), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def kill(running: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()


@pytest.fixture
def scheduler(searched: Project) -> Iterator[str]:
    """The address of a Dask scheduler on this machine."""
    file = searched.folder / ".git/scheduler.json"
    command = [
        sys.executable,
        "-m",
        "dask",
        "scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--no-dashboard",
    ]
    running = start(searched, *command, "--scheduler-file", str(file))
    while not file.exists() or not file.read_text().strip():
        assert running.poll() is None
        time.sleep(0.1)
    yield json.loads(file.read_text())["address"]
    kill(running)


@pytest.fixture
def worker(searched: Project, scheduler: str) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start workers in a folder, the project's unless told otherwise."""
    started = []

    def begin(name: str, threads: int = 1, project: Project = searched) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", "worker", scheduler, "--no-nanny", "--no-dashboard"]
        started.append(start(project, *command, "--name", name, "--nthreads", str(threads)))
        return started[-1]

    yield begin
    for running in started:
        kill(running)


def table(project: Project) -> pd.DataFrame:
    return pd.read_csv(project.folder / f"searches/{TWIN}.csv")[WITHOUT_TIMES]


def ended(project: Project) -> list[int]:
    """The numbers of the trials in the record."""
    storage = f"sqlite:///{project.folder}/searches/{TWIN}.db"
    if not (project.folder / f"searches/{TWIN}.db").exists():
        return []
    names = optuna.get_all_study_names(storage)
    studies = [optuna.load_study(study_name=name, storage=storage) for name in names]
    return sorted(one.user_attrs[trials.NUMBER] for study in studies for one in study.get_trials())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_workers_and_a_killed_search_change_nothing(
    searched: Project, tmp_path: Path, scheduler: str, worker: Callable[..., subprocess.Popen[bytes]]
) -> None:
    undisturbed = searched.copy(tmp_path / "undisturbed")
    expected = undisturbed.here("tools.search", TWIN, "--trials", TRIALS)

    workers = {name: worker(name) for name in ("first", "second")}
    search = (sys.executable, "-m", "tools.search", TWIN, "--trials", str(TRIALS))
    running = start(searched, *search, DASK_SCHEDULER=scheduler)
    with Client(scheduler) as client:
        client.wait_for_workers(2)
        names = {address: info["name"] for address, info in client.scheduler_info()["workers"].items()}
        while len(busy := [names[address] for address, tasks in client.processing().items() if tasks]) < 2:
            assert running.poll() is None
            time.sleep(0.05)
    kill(workers[busy[0]])
    while len(ended(searched)) < 3:  # a generation, and the first of the next
        assert running.poll() is None
        time.sleep(0.05)
    kill(running)
    before = ended(searched)
    assert 3 <= len(before) < TRIALS
    again = searched.here("tools.search", TWIN, "--trials", TRIALS, DASK_SCHEDULER=scheduler)

    assert ended(searched) == list(range(TRIALS))
    pd.testing.assert_frame_equal(table(searched), table(undisturbed))
    line = expected.stdout.splitlines()[-1]
    assert again.stdout.splitlines()[-1] == line

    # The winner is an ordinary experiment: no other parameters than it names, and the accuracy that it had.
    searched.commit("A space to search in")
    best = table(searched).iloc[0]
    searched.run("bash", "-euc", line)
    history = pd.read_csv(searched.folder / f"plots/history/{TWIN}.csv")
    assert history["val_accuracy"].max() == pytest.approx(best["val_accuracy"], abs=1e-6)
    changed = searched.run("git", "diff", "--unified=0", "params.yaml").stdout
    removed = re.findall(r"^-([^-].*)$", changed, re.MULTILINE)
    assert 0 < len(removed) <= len(SPACE) + 1  # hidden has two lines


def test_the_draws_depend_on_the_seed_and_on_what_has_ended(searched: Project) -> None:
    content = parameters.load(searched.folder / "params.yaml")
    task = trials.Task(TWIN, content.dataset(TWIN), content.search, "0" * 64)
    first = trials.draw(task, [], range(3))
    assert trials.draw(task, [], range(3)) == first
    assert trials.draw(task, [], range(2)) == first[:2]
    now = content.dataset(TWIN)
    assert first[0] == {
        "network.hidden": json.dumps(now.network.hidden),
        "training.learning_rate": now.training.learning_rate,
        "network.dropout": now.network.dropout,
    }
    other = content.search.model_copy(update={"seed": 4})
    assert trials.draw(trials.Task(TWIN, now, other, "0" * 64), [], range(3))[1:] != first[1:]
    for values in trials.draw(task, [], range(3, 40)):
        assert 0.0001 <= values["training.learning_rate"] <= 0.01
        assert 0 <= values["network.dropout"] <= 0.5
        assert f"{values['network.dropout']:.3g}" == f"{values['network.dropout']:g}"


def test_another_space_or_other_code_is_another_search(searched: Project) -> None:
    content = parameters.load(searched.folder / "params.yaml")
    task = trials.Task(TWIN, content.dataset(TWIN), content.search, "0" * 64)
    other = content.search.model_copy(update={"seed": 4})
    names = {
        task.identity(),
        trials.Task(TWIN, task.dataset, other, "0" * 64).identity(),
        trials.Task(TWIN, task.dataset, task.search, "1" * 64).identity(),
        trials.Task(TWIN, task.dataset.model_copy(update={"seed": 9}), task.search, "0" * 64).identity(),
    }
    assert len(names) == 4


def test_misuse_is_one_line(finished: Project) -> None:
    done = finished.here("tools.search", TWIN, "--trials", 0, expect=2)
    assert "expected a number from 1, found '0'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_unknown_data_set_is_named(searched: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(searched.folder)
    with pytest.raises(UserError, match="expected one of digits, twin, found 'elephants'"):
        main("elephants", 1)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x", "tls://127.0.0.1:9"])
def test_a_scheduler_that_is_none_is_named(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_SCHEDULER", address)
    monkeypatch.setattr(cluster, "TIMEOUT", 0.5)
    message = f"DASK_SCHEDULER: expected the address of a Dask .* found '{address}'"
    with pytest.raises(UserError, match=message), cluster.connected():
        pass


def test_a_project_without_a_space_is_told_so(searched: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    searched.edit_parameters(lambda content: content.pop("search"))
    monkeypatch.chdir(searched.folder)
    with pytest.raises(UserError, match=r"params.yaml: search: expected a space to search in, found none"):
        main(TWIN, 1)


def test_data_that_are_not_there_are_one_line(searched: Project) -> None:
    searched.run("rm", "-r", f"data/processed/{TWIN}/validation")
    done = searched.here("tools.search", TWIN, "--trials", TRIALS, expect=2)
    assert f"data/processed/{TWIN}/validation/SHA256SUMS: expected a file, found none; run dvc" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_worker_with_other_code_or_several_threads_is_refused(
    searched: Project, tmp_path: Path, scheduler: str, worker: Callable[..., subprocess.Popen[bytes]]
) -> None:
    worker("wide", threads=2)
    done = searched.here("tools.search", TWIN, "--trials", TRIALS, expect=2, DASK_SCHEDULER=scheduler)
    assert "expected workers of one thread" in done.stderr
    with Client(scheduler) as client:
        client.retire_workers(names=["wide"])
    other = searched.copy(tmp_path / "other")
    with (other.folder / "stages/train.py").open("a") as file:
        file.write("# changed\n")
    worker("other", project=other)
    done = searched.here("tools.search", TWIN, "--trials", TRIALS, expect=2, DASK_SCHEDULER=scheduler)
    assert "expected the code and data of the search" in done.stderr.splitlines()[-1]
    assert ended(searched) == []


OF: dict[str, Range | Choice] = {
    "network.dropout": Range(low=0.0, high=0.5),
    "network.hidden": Choice(choices=[[8], [16]]),
}


def outcome(
    number: int, value: float | None, state: str, values: dict[str, object]
) -> optuna.trial.FrozenTrial:
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState[state],
        value=value,
        params=values,
        distributions=space.distributions(OF),
        intermediate_values={0: value or 0.0},
        user_attrs={"number": number, "seconds": 1.0, "error": None},
    )


def test_a_trial_that_was_stopped_does_not_win() -> None:
    low = {"network.dropout": 0.1, "network.hidden": "[8]"}
    high = {"network.dropout": 0.4, "network.hidden": "[16]"}
    several = [
        outcome(0, 0.99, "PRUNED", low),
        outcome(1, 0.90, "COMPLETE", high),
        outcome(2, 0.95, "COMPLETE", low),
        outcome(3, None, "FAIL", high),
        outcome(4, 0.95, "COMPLETE", high),
    ]
    best = report.winner(several)
    assert best is not None
    assert best.user_attrs["number"] == 2
    shown = report.table(several, OF)
    assert list(shown["trial"]) == [2, 4, 1, 0, 3]
    assert list(shown["network.hidden"]) == [[8], [16], [16], [8], [16]]


def test_what_mattered_is_what_changed_the_score() -> None:
    grid = [(wide, dropout) for dropout in (0.0, 0.1, 0.2, 0.3, 0.4) for wide in (0, 1)]
    several = [
        outcome(
            number,
            0.5 + wide * 0.2 + dropout / 1e6,
            "COMPLETE",
            {"network.dropout": dropout, "network.hidden": "[16]" if wide else "[8]"},
        )
        for number, (wide, dropout) in enumerate(grid)
    ]
    shares = report.importances(several, seed=0)
    assert shares["network.hidden"] > 0.9
    assert report.importances(several[:2], seed=0) == {}


def test_the_shipped_space_holds_what_is_shipped() -> None:
    content = parameters.load(ROOT / "params.yaml")
    for name in content.datasets:
        assert content.search is not None
        assert space.present(content.dataset(name), content.search.space) is not None


def test_a_configuration_becomes_an_experiment(project: Project) -> None:
    named = {"deep": {"network.convolutions": [[4], [8, 8]], "training.epochs": 3}}
    project.edit_parameters(lambda content: content["datasets"][TWIN].update(configurations=named))
    project.commit("A name for a network")

    done = project.run("make", "-o", ".venv/installed", "try", f"DATASET={TWIN}", "CONFIGURATION=deep")

    assert f"dvc exp run -S 'datasets.{TWIN}.network.convolutions=[[4], [8, 8]]' -S" in done.stdout
    changed = project.run("git", "diff", "-U0", "params.yaml").stdout
    assert "+      epochs: 3" in changed
    history = (project.folder / layout.history(TWIN)).read_text()
    assert len(history.splitlines()) == 1 + 3
    assert "Ran experiment" in done.stdout


def test_a_configuration_that_there_is_not_is_named(
    searched: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {"wide": {"network.hidden": [256, 256]}}
    searched.edit_parameters(lambda content: content["datasets"][TWIN].update(configurations=named))
    monkeypatch.chdir(searched.folder)
    message = f"params.yaml: datasets.{TWIN}.configurations: expected wide, found 'tall'"
    with pytest.raises(UserError, match=re.escape(message)):
        configuration.experiment(TWIN, "tall")
