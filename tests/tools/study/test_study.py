"""The trainings of a study: a killed one continues, and workers with other code are refused."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dask_cluster import kill, start, wait_until_busy
from helpers import TWIN, Project
from study_plan import RECORDS, STUDY, TRAININGS, read_lines

from stages.common.errors import UserError
from tools.common import lock
from tools.study import __main__ as study
from tools.study import records

pytestmark = pytest.mark.slow  # the fixture alone takes half a minute


def remove_times(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return lines of records in the order of their keys, without what chance decides."""
    without = [{name: value for name, value in line.items() if name != "seconds"} for line in lines]
    return sorted(without, key=lambda line: records.build_key(line["run"]))


def test_a_killed_study_continues_and_ends_with_the_records_of_an_undisturbed_one(
    studied_project: Project, planned_project: Project
) -> None:
    # Only the last four trainings are missing.
    lines = (studied_project.folder / RECORDS).read_bytes().splitlines(keepends=True)
    (planned_project.folder / RECORDS).write_bytes(b"".join(lines[:-4]))
    process = start(planned_project, *STUDY, TWIN)
    while len(read_lines(planned_project)) <= TRAININGS - 4:
        assert process.poll() is None
        time.sleep(0.01)
    kill(process)
    before = read_lines(planned_project)
    assert len(before) < TRAININGS

    planned_project.here("tools.study", TWIN)

    assert read_lines(planned_project)[: len(before)] == before, "a training that had ended was run again"
    assert remove_times(read_lines(planned_project)) == remove_times(read_lines(studied_project))


def test_each_way_to_compute_has_workers_of_its_own(
    studied_project: Project, planned_project: Project
) -> None:
    # Of the portable trainings, only the last is missing.
    lines = (studied_project.folder / RECORDS).read_bytes().splitlines(keepends=True)
    portable = [line for line in lines if len(json.loads(line)["run"]["network"]["hidden"]) > 1]
    (planned_project.folder / RECORDS).write_bytes(b"".join(portable[:-1]))
    native = {"network.hidden": [16], "computation": "native"}
    planned_project.edit_tools(
        lambda content: content["datasets"][TWIN]["configurations"].update(small=native)
    )
    planned_project.here("tools.study", TWIN)
    ways = [line["run"].get("computation") for line in read_lines(planned_project)]
    assert sorted(ways, key=str) == [None] * 6 + ["native"] * 4


def test_a_killed_worker_loses_no_training(
    studied_project: Project,
    planned_project: Project,
    scheduler: str,
    start_worker: Callable[..., subprocess.Popen[bytes]],
) -> None:
    workers = {name: start_worker(name) for name in ("first", "second")}
    process = start(planned_project, *STUDY, TWIN, DASK_SCHEDULER=scheduler)
    lost, _ = wait_until_busy(scheduler, 2, process)
    kill(workers[lost])
    assert process.wait() == 0
    # Which training ends first is chance.
    assert remove_times(read_lines(planned_project)) == remove_times(read_lines(studied_project))
    predictions = planned_project.files("studies/**/*.csv")
    assert len(predictions) == 2 * 2 * 2  # configurations, seeds, splits
    assert predictions == studied_project.files("studies/**/*.csv")


def change_code(project: Project) -> None:
    with (project.folder / "stages/scoring/scores.py").open("a") as file:
        file.write("# changed\n")


def go_back_in_time(project: Project) -> None:
    (project.folder / "tools/common/worker.py").unlink()


@pytest.mark.parametrize(
    ("make_other", "expected"),
    [
        (
            change_code,
            "expected the code and packages of the study, found others; git pull,",
        ),
        (
            go_back_in_time,
            "expected workers with the code of this command, found one without: No module",
        ),
    ],
)
def test_a_worker_with_other_code_is_refused(
    planned_project: Project,
    tmp_path: Path,
    make_other: Callable[[Project], None],
    expected: str,
    scheduler: str,
    start_worker: Callable[..., subprocess.Popen[bytes]],
) -> None:
    other = planned_project.copy(tmp_path / "other")
    make_other(other)
    start_worker("other", project=other)
    completed = planned_project.run(*STUDY, expect=2, DASK_SCHEDULER=scheduler)
    assert "Traceback" not in completed.stderr
    assert completed.stderr.splitlines()[-1].startswith("error: ")
    assert expected in completed.stderr.splitlines()[-1]
    assert not read_lines(planned_project)


def test_a_second_study_at_the_same_time_is_refused(planned_project: Project) -> None:
    with lock.exclusive_lock(planned_project.folder / f"tools/study/records/{TWIN}.lock", "other"):
        completed = planned_project.here("tools.study", expect=2)
    assert f"expected no other study of {TWIN}, found one" in completed.stderr
    assert not read_lines(planned_project)


def test_a_training_that_fails_is_named_and_the_others_are_run(
    planned_project: Project, studied_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (studied_project.folder / RECORDS).read_bytes().splitlines(keepends=True)
    (planned_project.folder / RECORDS).write_bytes(b"".join(lines[:-1]))
    fast = {"fast": {"training.learning_rate": 1e30}}
    planned_project.edit_tools(lambda content: content["study"]["variants"].update(default=fast))
    monkeypatch.chdir(planned_project.folder)
    with pytest.raises(UserError) as error:
        study.main([], page_only=False)
    first, second = str(error.value).split(f"; {TWIN}")
    assert first.startswith(
        f"{TWIN}, default, fast, seed 0: params.yaml: training: expected a loss that stays"
    )
    assert second.startswith(", default, fast, seed 1: ")
    assert len(read_lines(planned_project)) == TRAININGS, "the trainings after the failed ones are run"
