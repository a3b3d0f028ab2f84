"""The GitHub workflows keep the rules that make it safe to run the code of strangers."""

import re
from typing import Any

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

WORKFLOWS = {path.name: path for path in sorted((ROOT / ".github/workflows").iterdir())}
CI = (ROOT / ".ci/run").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TESTED_ELSEWHERE = {"comment"}  # tests/test_comment.py runs it


def workflow(name: str) -> dict[str, Any]:
    return YAML(typ="safe").load(WORKFLOWS[name])


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in workflow(name)["jobs"].values() for step in job["steps"]]


def permissions(name: str) -> dict[str, str]:
    """What any job of a workflow may do."""
    content = workflow(name)
    found = dict(content["permissions"])
    for job in content["jobs"].values():
        found.update(job.get("permissions", {}))
    return found


def test_there_are_two() -> None:
    assert list(WORKFLOWS) == ["comment.yml", "review.yml"]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_to_a_full_commit_hash_and_says_its_version(name: str) -> None:
    used = re.findall(r"uses: (.*)", WORKFLOWS[name].read_text(encoding="utf-8"))
    assert len(used) >= 2
    for action in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_nothing_is_interpolated_into_shell(name: str) -> None:
    commands = [step["run"] for step in steps(name) if "run" in step]
    assert commands
    for command in commands:
        assert re.fullmatch(r"make [a-z]+( BASE=HEAD\^1)?", command)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_what_it_runs_is_a_make_target_that_ci_runs_too(name: str) -> None:
    run_by_ci = set(re.findall(r"^make ([a-z]+)", CI, re.MULTILINE))
    for step in steps(name):
        if "run" in step:
            target = step["run"].split()[1]
            assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)
            assert target in run_by_ci | TESTED_ELSEWHERE


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_checkout_leaves_no_token_behind(name: str) -> None:
    (checkout,) = (step for step in steps(name) if step.get("uses", "").startswith("actions/checkout@"))
    assert checkout["with"]["persist-credentials"] is False


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_job_ends_by_itself(name: str) -> None:
    assert all(job["timeout-minutes"] <= 60 for job in workflow(name)["jobs"].values())


def test_the_code_of_a_pull_request_runs_with_a_token_that_can_only_read() -> None:
    content = workflow("review.yml")
    assert set(content["on"]) == {"pull_request", "push"}  # not pull_request_target, which has secrets
    assert permissions("review.yml") == {"contents": "read"}
    assert "secrets" not in WORKFLOWS["review.yml"].read_text(encoding="utf-8")


def test_what_may_write_runs_no_code_of_a_pull_request() -> None:
    content = workflow("comment.yml")
    assert set(content["on"]) == {"workflow_run"}  # runs the files of the default branch
    assert permissions("comment.yml") == {"contents": "read", "actions": "read", "pull-requests": "write"}
    (checkout,) = (step for step in steps("comment.yml") if "checkout@" in step.get("uses", ""))
    assert "ref" not in checkout["with"]
    assert "repository" not in checkout["with"]


def test_the_review_does_what_a_reviewer_needs() -> None:
    commands = [step.get("run") or step["uses"].partition("@")[0] for step in steps("review.yml")]
    assert commands == [
        "actions/checkout", "actions/setup-python", "actions/cache", "make install", "make lint",
        "make repro", "make test", "make review BASE=HEAD^1", "actions/upload-artifact",
    ]  # fmt: skip
    cache = steps("review.yml")[2]["with"]
    assert cache["path"] == ".dvc/cache"
    assert "hashFiles('dvc.lock')" in cache["key"]
    upload = steps("review.yml")[-1]
    assert "always()" in upload["if"]  # when the gate has stopped the change, too
    assert upload["with"]["path"] == "review/"
