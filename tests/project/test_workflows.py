"""The GitHub workflows keep the rules that make it safe to run the code of strangers."""

import re
from typing import Any

import pytest
from helpers import ROOT, targets_of_ci
from ruamel.yaml import YAML

WORKFLOWS = {path.name: path for path in sorted((ROOT / ".github/workflows").iterdir())}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
GIT_COMMANDS = ["git --no-pager diff --exit-code", "git worktree add --quiet --detach ../base HEAD^1"]
TOKEN = {"GITHUB_TOKEN": "${{ github.token }}"}
TESTED_ELSEWHERE = {"comment"}  # tests/tools/review/test_comment.py runs it


def workflow(name: str) -> dict[str, Any]:
    return YAML(typ="safe").load(WORKFLOWS[name])


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in workflow(name)["jobs"].values() for step in job["steps"]]


def test_there_are_three() -> None:
    assert list(WORKFLOWS) == ["audit.yml", "comment.yml", "review.yml"]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_to_a_full_commit_hash_and_says_its_version(name: str) -> None:
    used = re.findall(r"uses: (.*)", WORKFLOWS[name].read_text(encoding="utf-8"))
    assert len(used) >= 2
    for action in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)


# Every expression in the workflows. Those with what a stranger can choose, a branch's name, are never in a
# shell, in a step's environment or in the path of a file.
EXPRESSIONS = {
    "audit.yml": [],
    "review.yml": [
        "github.ref", "hashFiles('dvc.lock')", "!cancelled()",
        "!cancelled() && github.event_name == 'pull_request'", "!cancelled() && github.event_name == 'push'",
        "!cancelled()", "!cancelled()", "!cancelled()",
    ],
    "comment.yml": [
        "github.event.workflow_run.head_repository.full_name", "github.event.workflow_run.head_branch",
        "github.event.workflow_run.id", "github.token", "github.token",
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", WORKFLOWS)
def test_there_are_no_other_expressions(name: str) -> None:
    assert (
        re.findall(r"\$\{\{ ?(.*?) ?\}\}", WORKFLOWS[name].read_text(encoding="utf-8")) == EXPRESSIONS[name]
    )


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_has_no_keys_but_these(name: str) -> None:
    """Such as container, shell, defaults, env, services, secrets or continue-on-error."""
    content = workflow(name)
    assert set(content) == {"name", "on", "permissions", "concurrency", "jobs"}
    (job,) = content["jobs"].values()
    assert set(job) - {"if", "permissions"} == {"runs-on", "timeout-minutes", "steps"}
    for step in job["steps"]:
        assert set(step) - {"if"} in ({"run"}, {"run", "env"}, {"uses"}, {"uses", "with"})
        assert step.get("env", TOKEN) == TOKEN


@pytest.mark.parametrize("name", WORKFLOWS)
def test_nothing_is_interpolated_into_shell(name: str) -> None:
    commands = [step["run"] for step in steps(name) if "run" in step]
    assert commands
    for command in commands:
        assert command in GIT_COMMANDS or re.fullmatch(
            r"make (-f ../base/Makefile )?[a-z]+"
            r"( (BASE|LATER|CODE|ALL|SEEDS|SPLIT)=(HEAD(\^1)?|../base|\d|test))*",
            command,
        )


@pytest.mark.parametrize("name", WORKFLOWS)
def test_what_it_runs_is_a_make_target_that_ci_runs_too(name: str) -> None:
    run_by_ci = targets_of_ci()
    for step in steps(name):
        if "run" in step and step["run"] not in GIT_COMMANDS:
            target = re.sub(r"^make (-f ../base/Makefile )?", "", step["run"]).split()[0]
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
    # Not pull_request_target, which has secrets; and not some kinds of pull_request alone.
    assert content["on"] == {"pull_request": None, "push": {"branches": ["main"], "tags": ["*"]}}
    assert content["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in content["jobs"].values())
    assert "secrets" not in WORKFLOWS["review.yml"].read_text(encoding="utf-8")
    assert all("env" not in step for step in steps("review.yml"))


def test_what_may_write_runs_no_code_of_a_pull_request() -> None:
    content = workflow("comment.yml")
    # workflow_run: with the files of the default branch.
    assert content["on"] == {"workflow_run": {"workflows": ["review"], "types": ["completed"]}}
    assert content["permissions"] == {}
    (job,) = content["jobs"].values()
    assert job["permissions"] == {"contents": "read", "actions": "read", "pull-requests": "write"}
    assert job["if"] == "github.event.workflow_run.event == 'pull_request'"
    checkout, download, comment = job["steps"]
    assert set(checkout["with"]) == {"persist-credentials"}  # no other ref, no other repository
    assert download["with"]["path"] == "review"  # where it can take the place of no code
    assert comment == {"run": "make comment", "env": TOKEN}


def test_the_review_does_what_a_reviewer_needs() -> None:
    always = "${{ !cancelled() }}"  # a change that was stopped is tested, too
    of_pull_requests, of_pushes = (
        f"${{{{ !cancelled() && github.event_name == '{event}' }}}}" for event in ("pull_request", "push")
    )
    review = "make -f ../base/Makefile review CODE=../base BASE=HEAD^1 LATER=HEAD"
    done = [
        (step.get("run") or step["uses"].partition("@")[0], step.get("if")) for step in steps("review.yml")
    ]
    assert done == [
        ("actions/checkout", None),
        ("actions/setup-python", None),
        ("actions/cache", None),
        ("make install", None),
        ("make repro", None),
        (GIT_COMMANDS[0], None),
        (GIT_COMMANDS[1], always),
        (f"{review} SEEDS=3", of_pull_requests),
        (f"{review} SPLIT=test", of_pushes),
        ("make verify ALL=1", always),
        ("make lint", always),
        ("make test ALL=1", always),
        ("actions/upload-artifact", "always()"),
    ]
    checkout, _, cache, *_, upload = (step.get("with") for step in steps("review.yml"))
    assert checkout["fetch-depth"] == 2  # without which there is no HEAD^1
    assert cache["path"] == ".dvc/cache"
    assert cache["key"] == "dvc-${{ hashFiles('dvc.lock') }}"
    assert upload["path"] == "review/"
