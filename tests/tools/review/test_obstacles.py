"""Obstacles that stop a change, other than worse metrics; and unreadable files: in a small repository."""

import json
from collections.abc import Callable

import pytest
from helpers import dump
from review_repository import CODE, FOLDER, NEW_IMAGES, SPLIT, Repository, compare, compare_all, review
from ruamel.yaml import YAML

from stages.common.errors import UserError
from tools.common.revision import find_revision
from tools.review.review import Outcome, Rules


def test_other_results_from_the_same_inputs_are_named_and_stop_the_change(repository: Repository) -> None:
    """Predictions, or a network, edited by hand, with their hashes in dvc.lock."""
    cause = find_revision("main").stages("first")["train@first"]
    same = cause.inputs["data/processed/first/train"]
    repository.predict("first", wrong=0)
    repository.lock(cause=same)
    comparison = compare()
    assert comparison.stale == {"main": [], "workspace": []}
    (obstacle,) = comparison.obstacles
    assert obstacle == (
        f"other results from the same inputs: metrics/first.json, predictions/first/{SPLIT}.csv; "
        "run dvc repro --force evaluate@first"
    )
    assert review().stopped
    text = (repository.folder / "dvc.lock").read_text()
    repository.write(
        "dvc.lock",
        text.replace(
            f"path: models/first.keras\n      md5: {same}", "path: models/first.keras\n      md5: forged"
        ),
    )
    (obstacle,) = compare().obstacles
    assert "from the same inputs: models/first.keras" in obstacle


def test_another_architecture_explains_other_results(repository: Repository) -> None:
    first = find_revision("main").stages("first")["train@first"]
    repository.architecture = "aarch64"
    repository.lock(cause=first.inputs["data/processed/first/train"])
    assert compare().obstacles == []


def test_a_data_set_that_dvc_lock_lacks_is_no_change(repository: Repository) -> None:
    """After a merge in which one side of a conflict in dvc.lock was taken."""
    content = YAML(typ="safe").load(repository.folder / "dvc.lock")
    content["stages"] = {key: value for key, value in content["stages"].items() if "first" not in key}
    repository.write("dvc.lock", dump(content))
    comparison = compare()
    assert comparison.obstacles == [
        "not in dvc.lock: preprocess@first, train@first, evaluate@first; run dvc repro evaluate@first"
    ]
    assert (comparison.code, comparison.data) == ([], [])
    assert compare("second").obstacles == []


def change_stage(name: str, **values: object) -> Callable[[Repository], None]:
    return lambda repository: repository.change(
        "dvc.yaml", lambda content: content["stages"][name]["do"].update(values)
    )


def relock(stage: str, kind: str, path: str, **values: object) -> Callable[[Repository], None]:
    def edit(content: dict) -> None:
        entries = content["stages"][stage][kind]
        # New mappings: YAML's aliases make the input of one stage and the output of another the same one.
        entries[:] = [{**entry, **values} if entry["path"] == path else entry for entry in entries]

    return lambda repository: repository.change("dvc.lock", edit)


def remove(name: str) -> Callable[[Repository], object]:
    return lambda repository: repository.run("git", "rm", "--quiet", "-r", name)


def link_code(repository: Repository) -> None:
    repository.run("git", "mv", FOLDER, "elsewhere")
    (repository.folder / FOLDER).symlink_to("../elsewhere")


DVC_YAML = "dvc.yaml: "
OUT_OF_DATE: dict[str, tuple[Callable[[Repository], object], str]] = {
    "one stage was run without the next": (
        relock("train@first", "outs", "models/first.keras", md5="new"),
        "models/first.keras",
    ),
    "a file of code is gone": (remove(CODE), CODE),
    "a folder of code is gone": (remove(FOLDER), FOLDER),
    "a folder of code is a link": (link_code, FOLDER),
    "metrics are gone": (remove("metrics/first.json"), "metrics/first.json"),
    "another command": (change_stage("train", cmd="false"), f"{DVC_YAML}train@first"),
    "one input more": (change_stage("train", deps=["new"]), f"{DVC_YAML}train@first"),
    "one output less": (change_stage("train", outs=["models/${key}.keras"]), f"{DVC_YAML}train@first"),
    "other parameters": (change_stage("evaluate", params=["evaluation"]), f"{DVC_YAML}evaluate@first"),
    "a stage for no data set": (
        lambda repository: repository.change(
            "dvc.yaml", lambda content: content["stages"]["evaluate"].update(foreach=[])
        ),
        f"{DVC_YAML}evaluate@first",
    ),
    "no dvc.yaml": (remove("dvc.yaml"), f"{DVC_YAML}train@first"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", OUT_OF_DATE)
def test_what_dvc_would_run_again_is_out_of_date_and_stops(repository: Repository, case: str) -> None:
    change, expected = OUT_OF_DATE[case]
    change(repository)
    repository.commit("Without dvc repro")
    for later in ("HEAD", "workspace"):
        result = review("main~1" if later == "HEAD" else "HEAD~1", later)
        assert result.stopped
        comparison = result.comparisons[0]
        assert "its results are out of date" in comparison.obstacles
        assert expected in comparison.stale[later]


def test_stages_of_a_users_own_are_no_business_of_a_review(repository: Repository) -> None:
    def add(content: dict) -> None:
        content["stages"]["summary"] = {
            "cmd": "true",
            "deps": ["metrics/first.json"],
            "outs": ["summary.txt"],
        }
        content["stages"]["grid"] = {"matrix": {"name": ["first"]}, "cmd": "true"}

    repository.change("dvc.yaml", add)
    repository.change("dvc.lock", lambda content: content["stages"].update({"grid@first": {"cmd": "true"}}))
    assert not review().stopped


def test_a_file_that_git_cannot_read_is_no_missing_file(repository: Repository) -> None:
    name = f"predictions/first/{SPLIT}.csv"
    blob = repository.run("git", "rev-parse", f"main:{name}").stdout.strip()
    (repository.folder / ".git/objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(UserError, match=f"^{name} at main: expected a file that git can read"):
        review()


def test_metrics_that_do_not_follow_from_the_predictions_stop(repository: Repository) -> None:
    scores = {SPLIT: {"accuracy": 1.0, "calibration_error": 0.02}}
    repository.write("metrics/first.json", json.dumps(scores))
    repository.lock(cause=find_revision("main").stages("first")["train@first"].outputs["models/first.keras"])
    assert (
        "metrics/first.json says accuracy 1.0000, the predictions say 0.9500; "
        "run dvc repro --force evaluate@first" in compare().obstacles
    )


def test_other_test_images_stop_a_review_of_the_validation_images(repository: Repository) -> None:
    place = "data/processed/first/test"

    def add(content: dict) -> None:
        content["stages"]["preprocess@first"]["outs"].append({"path": place, "md5": "old.dir"})

    repository.change("dvc.lock", add)
    repository.change(
        "dvc.yaml",
        lambda content: content["stages"]["preprocess"]["do"]["outs"].append(
            place.replace("first", "${key}")
        ),
    )
    repository.commit("With test images")
    relock("preprocess@first", "outs", place, md5="new.dir")(repository)
    relock("preprocess@first", "deps", "data/source/first", md5="new")(repository)
    comparison = compare_all("HEAD")["first"]
    assert comparison.obstacles == [f"the test images differ; {NEW_IMAGES}"]
    accepted = Rules(SPLIT, accepted={Outcome.OTHER_IMAGES: frozenset({"first"})})
    assert compare_all("HEAD", rules=accepted)["first"].obstacles == []


DAMAGED = {
    "a stage that is nothing": ("dvc.lock", {"stages": {"train@first": None}}),
    "no inputs": ("dvc.lock", {"stages": {"train@first": {"deps": None}}}),
    "a list of parameters": ("dvc.lock", {"stages": {"train@first": {"params": ["epochs"]}}}),
    "an input without a path": ("dvc.lock", {"stages": {"train@first": {"deps": [{"md5": "1"}]}}}),
    "a circle": (
        "dvc.lock",
        {
            "stages": {
                "a@first": {"deps": [{"path": "x"}], "outs": [{"path": "y"}]},
                "b@first": {"deps": [{"path": "y"}], "outs": [{"path": "x"}]},
            }
        },
    ),
    "a data set that is nothing": ("params.yaml", {"datasets": {"first": None}}),
    "a data set with a number for a name": ("params.yaml", {"datasets": {1: {}}}),
    "classes that are nothing": ("params.yaml", {"datasets": {"first": {"classes": None}}}),
    "classes that are a fraction": ("params.yaml", {"datasets": {"first": {"classes": 2.5}}}),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_files_are_errors_of_one_line(repository: Repository, case: str) -> None:
    name, content = DAMAGED[case]
    repository.write(name, dump(content))
    with pytest.raises(UserError, match=rf"^{name}.* at workspace: .*expected ") as error:
        review()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["params.yaml", "metrics/first.json"])
def test_files_of_great_depth_are_errors_of_one_line(repository: Repository, name: str) -> None:
    repository.write(name, f'{{"{SPLIT}": ' + "[" * 100_000)
    with pytest.raises(UserError, match=rf"^{name} at workspace: "):
        review()
