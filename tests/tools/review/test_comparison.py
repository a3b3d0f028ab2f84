"""Comparisons and the gate, on commits of a small repository without a pipeline."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from helpers import Project, dump, set_value
from ruamel.yaml import YAML

from stages.common.errors import UserError
from tools.common import dvc_lock
from tools.common.dvc_lock import Stage
from tools.common.revision import find_revision
from tools.review import gate, inputs
from tools.review.comparison import compare_dataset, compare_revisions, list_datasets
from tools.review.confusions import compare_confusions
from tools.review.predictions import average_confusions, find_changed_images
from tools.review.report import build_markdown
from tools.review.review import Comparison, Outcome, Review, Rules
from tools.review.statistics import Verdict

TOLERANCE = {"accuracy": 0.002, "macro_f1": 0.002, "log_loss": 0.01, "brier_score": 0.004}
PARAMETERS = {
    "datasets": {"first": {"training": {"epochs": 3}}, "second": {"training": {"epochs": 3}}},
    "evaluation": {"calibration_bins": 15},
}
TOOLS = {"review": {"tolerance": TOLERANCE}}
CODE = "stages/train.py"
SPLIT = "validation"
RULES = Rules(SPLIT)
FOLDER = "stages/common"
IMAGES = 40
MANY = 30  # wrong images: far more than by chance


class Repository(Project):
    """The files of a project with two data sets that a review reads."""

    architecture = "x86_64"

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def predict(self, dataset: str, wrong: int, other: bool = False) -> None:
        """Write predictions; the first images are wrong. With `other`, the classes are in another order."""
        names = ["cat", "dog"]
        rows = ["actual,predicted,probability,probability_of_actual,sum_of_squares"]
        for image in range(IMAGES):
            actual = names[(image + other) % 2]
            predicted = names[(image + other + 1) % 2] if image < wrong else actual
            rows.append(f"{actual},{predicted},0.8,{0.2 if image < wrong else 0.8},0.68")
        self.write(f"predictions/{dataset}/{SPLIT}.csv", "\n".join(rows) + "\n")
        scores = {SPLIT: {"accuracy": 1 - wrong / IMAGES, "calibration_error": wrong / 100}}
        self.write(f"metrics/{dataset}.json", json.dumps(scores))

    def lock(self, *code: str, cause: str | None = None, **splits: str) -> None:
        """Write dvc.lock as after a run of the stages.

        Args:
            code: files and folders that train depends on; by default a file and a folder.
            cause: the hash of the training images; by default another one for other predictions.
            splits: hashes of other images, by data set.
        """
        stages = {}
        content = YAML(typ="safe").load(self.folder / "params.yaml")
        for name, dataset in content["datasets"].items():
            split = {"path": f"data/processed/{name}/{SPLIT}", "md5": splits.get(name, f"{name}.dir")}
            stages[f"preprocess@{name}"] = {
                "cmd": "true",
                "deps": [{"path": f"data/source/{name}", "md5": splits.get(name, "source")}],
                "outs": [split, {"path": f"data/raw/{name}", "md5": "raw"}],
            }
            results = [self.hash(f"predictions/{name}/{SPLIT}.csv"), self.hash(f"metrics/{name}.json")]
            of_training = cause or results[0]["md5"]
            model = {"path": f"models/{name}.keras", "md5": of_training}  # which is not in git
            stages[f"train@{name}"] = {
                "cmd": "true",
                "deps": [
                    *(self.hash(path) for path in code or (CODE, FOLDER)),
                    {"path": f"data/processed/{name}/train", "md5": of_training},
                ],
                "outs": [model, {"path": f"models/{name}.architecture", "md5": self.architecture}],
            }
            stages[f"evaluate@{name}"] = {
                "cmd": "true",
                "deps": [split, model],
                "params": {"params.yaml": {f"datasets.{name}.training": dataset["training"]}},
                "outs": results,
            }
        self.write("dvc.lock", dump({"schema": "2.0", "stages": stages}))
        self.define(stages)

    def define(self, stages: dict[str, dict]) -> None:
        """Write a dvc.yaml in which the stages of the last data set are those of each."""
        definitions = {}
        for stage, locked in stages.items():
            name, _, dataset = stage.partition("@")
            body = {"cmd": locked["cmd"]}
            for kind in ("deps", "outs"):
                body[kind] = [entry["path"].replace(dataset, "${key}") for entry in locked[kind]]
            if "params" in locked:
                names = locked["params"]["params.yaml"]
                body["params"] = [parameter.replace(dataset, "${key}") for parameter in names]
            definitions[name] = {"foreach": "${datasets}", "do": body}
        self.write("dvc.yaml", dump({"stages": definitions}))

    def change(self, name: str, edit: Callable[[dict], object]) -> None:
        """Change a YAML file."""
        content = YAML(typ="safe").load(self.folder / name)
        edit(content)
        self.write(name, dump(content))

    def hash(self, name: str) -> dict[str, str]:
        """Return an entry of dvc.lock for a file, or for a folder without byte code."""
        path = self.folder / name
        if path.is_file():
            return {"path": name, "md5": hashlib.md5(path.read_bytes()).hexdigest()}
        entries = [
            {"md5": hashlib.md5(file.read_bytes()).hexdigest(), "relpath": file.relative_to(path).as_posix()}
            for file in sorted(path.rglob("*.py"))
        ]
        return {"path": name, "md5": f"{hashlib.md5(json.dumps(entries).encode()).hexdigest()}.dir"}

    def set(self, key: str, value: object) -> None:
        self.edit_parameters(lambda content: set_value(content, key, value))

    def set_tool(self, key: str, value: object) -> None:
        self.edit_tools(lambda content: set_value(content, key, value))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Committed results of two data sets, each with two images wrong."""
    repository = Repository(tmp_path)
    repository.run("git", "init", "--quiet", "--initial-branch=main")
    repository.write(".gitignore", "/models/\n/data/\n__pycache__/\n")
    repository.write("params.yaml", dump(PARAMETERS))
    repository.write("tools.yaml", dump(TOOLS))
    for name in (CODE, f"{FOLDER}/files.py", f"{FOLDER}/deep/errors.py"):
        repository.write(name, "# code\n")
    for dataset in PARAMETERS["datasets"]:
        repository.predict(dataset, wrong=2)
    repository.lock()
    repository.commit("First results")
    monkeypatch.chdir(tmp_path)
    return repository


def compare(dataset: str = "first", later: str = "workspace") -> Comparison:
    return compare_all(later=later)[dataset]


def compare_all(base: str = "main", later: str = "workspace", rules: Rules = RULES) -> dict[str, Comparison]:
    return {comparison.dataset: comparison for comparison in review(base, later, rules).comparisons}


def review(base: str = "main", later: str = "workspace", rules: Rules = RULES) -> Review:
    return compare_revisions(find_revision(base), find_revision(later), {}, rules)


def test_nothing_has_changed(repository: Repository) -> None:
    repository.write("models/first.keras", "as in any folder where it was trained")
    repository.write(f"data/processed/first/{SPLIT}/images.npy", "as in any folder with data")
    comparison = compare()
    assert comparison.outcome is Outcome.SAME_PREDICTIONS
    assert comparison.reason == "the same predictions for all 40 validation images"
    assert (comparison.obstacles, comparison.code, comparison.data, comparison.differences) == (
        [],
        [],
        [],
        [],
    )
    assert comparison.stale == {"main": [], "workspace": []}
    assert not review().stopped


def test_a_loss_beyond_chance_stops_the_change(repository: Repository) -> None:
    repository.predict("first", wrong=MANY)
    repository.lock()
    comparison = compare()
    assert (comparison.outcome, comparison.obstacles) == (Outcome.COMPARED, [])
    assert [difference.metric for difference in comparison.differences] == list(TOLERANCE)
    assert review().stopped
    assert [(name, difference.metric) for name, difference in review().find_regressions()] == [
        ("first", metric) for metric in TOLERANCE
    ]
    rules = Rules(SPLIT, {"accuracy": 1.0, "log_loss": 9.0, "brier_score": 2.0})
    assert [difference.metric for _, difference in review(rules=rules).find_regressions()] == ["macro_f1"]


def test_an_improvement_passes(repository: Repository) -> None:
    repository.predict("first", wrong=MANY)
    repository.lock()
    repository.commit("Bad results")
    repository.predict("first", wrong=0)
    repository.lock()
    (first, _) = review("HEAD").comparisons
    assert first.differences[0].verdict is Verdict.BETTER
    assert not review("HEAD").stopped


@pytest.mark.usefixtures("repository")
def test_the_split_decides_what_is_compared() -> None:
    assert compare_all(rules=Rules("test"))["first"].outcome is Outcome.PREDICTIONS_MISSING


def test_a_metric_without_a_tolerance_stops_nothing(repository: Repository) -> None:
    repository.set_tool("review.tolerance", {"macro_f1": 0.0})
    repository.commit("One tolerance")
    repository.predict("first", wrong=MANY)
    repository.lock()
    assert [difference.metric for _, difference in review("HEAD").find_regressions()] == ["macro_f1"]


def test_a_metric_without_a_verdict_is_shown_and_named_where_it_is_missing(repository: Repository) -> None:
    repository.predict("first", wrong=4)
    path = repository.folder / "metrics/first.json"
    path.write_text(json.dumps({SPLIT: {**json.loads(path.read_text())[SPLIT], "new_metric": 0.5}}))
    repository.lock()
    others = compare().list_other_metrics()
    assert others == [("calibration_error", 0.02, 0.04), ("new_metric", None, 0.5)]
    text = build_markdown(review())
    assert "| calibration_error | 0.0200 | 0.0400 | +0.0200 |  | no verdict |" in text
    assert "| new_metric | none | 0.5000 |  |  | not at main |" in text


@pytest.mark.parametrize("hidden", ["order", "hash"])
def test_other_images_are_not_compared_and_stop_the_change_until_they_are_accepted(
    repository: Repository, hidden: str
) -> None:
    repository.predict("first", wrong=MANY, other=hidden == "order")
    repository.lock(**({"first": "other.dir"} if hidden == "hash" else {}))
    comparison = compare()
    assert (comparison.outcome, comparison.differences) == (Outcome.OTHER_IMAGES, [])
    reason = "the validation images differ, or their labels"
    assert comparison.obstacles == [f"{reason}; --new-images first accepts that"]
    assert review().stopped
    accepted = review(rules=Rules(SPLIT, accepted={Outcome.OTHER_IMAGES: frozenset({"first"})}))
    assert not accepted.stopped
    text = build_markdown(accepted)
    assert f"There is nothing to compare with: {reason}." in text
    assert "| accuracy | 0.2500 | 0.1419 to 0.4019 |" in text


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (2, ["cat", "dog"], "0 → cat, 1 → dog"),
        (["cat", "dog"], ["Katze", "dog"], "cat → Katze"),
        (["cat", "dog"], ["dog", "cat"], "cat → dog, dog → cat"),
    ],
)
def test_classes_with_other_names_are_compared_by_their_numbers(
    repository: Repository, before: object, after: list[str], said: str
) -> None:
    path = f"predictions/first/{SPLIT}.csv"
    text = (repository.folder / path).read_text()

    def write(classes: object, wrong: int) -> None:
        repository.edit_parameters(lambda content: content["datasets"]["first"].update(classes=classes))
        repository.predict("first", wrong)
        names = [str(number) for number in range(classes)] if isinstance(classes, int) else classes
        new = dict(zip(["cat", "dog"], names, strict=True))
        rows = (repository.folder / path).read_text().splitlines()
        renamed = [",".join(new.get(cell, cell) for cell in row.split(",")) for row in rows]
        repository.write(path, "\n".join(renamed) + "\n")
        repository.lock()
        repository.commit("Classes")

    write(before, wrong=4)
    write(after, wrong=5)
    comparison = compare_all("HEAD^", "HEAD")["first"]
    assert comparison.outcome is Outcome.COMPARED
    exchanged = "names of classes stand for other classes than before; --new-images first accepts that"
    assert comparison.obstacles == ([exchanged] if after == ["dog", "cat"] else [])
    accuracy = comparison.differences[0]
    assert (accuracy.before, accuracy.after) == (1 - 4 / IMAGES, 1 - 5 / IMAGES)
    assert f"classes renamed, compared by their numbers: {said}" in build_markdown(review("HEAD^", "HEAD"))
    assert text.count("\n") == IMAGES + 1


def test_missing_predictions_stop_the_change(repository: Repository) -> None:
    (repository.folder / f"predictions/first/{SPLIT}.csv").unlink()
    repository.commit("Without predictions")
    comparison = compare_all("HEAD^", "HEAD")["first"]
    assert comparison.outcome is Outcome.PREDICTIONS_MISSING
    reason = "no predictions for validation images at HEAD; run dvc repro evaluate@first"
    assert comparison.reason == reason
    assert reason in comparison.obstacles


def test_a_new_data_set_is_shown_in_full_and_a_removed_one_stops_the_change(repository: Repository) -> None:
    repository.edit_parameters(
        lambda content: content["datasets"].update(third=content["datasets"].pop("first"))
    )
    repository.run("mv", "predictions/first", "predictions/third")
    repository.run("mv", "metrics/first.json", "metrics/third.json")
    repository.lock()
    assert list_datasets(find_revision("main"), find_revision("workspace")) == ["second", "third", "first"]
    new, removed = compare("third"), compare("first")
    assert (new.outcome, new.obstacles) == (Outcome.NEW, [])
    assert new.reason == "no predictions for validation images at main"
    assert new.data == ["data/processed/third/validation", "data/raw/third"]
    assert removed.outcome is Outcome.REMOVED
    assert removed.obstacles == ["no such data set at workspace; --removed first accepts that"]
    assert review().stopped
    accepted = review(rules=Rules(SPLIT, accepted={Outcome.REMOVED: frozenset({"first"})}))
    assert not accepted.stopped
    text = build_markdown(accepted)
    assert text.count("first") == 1  # one line, and not the name of everything that is gone
    assert "Always naming the most frequent class is right in 50.0% of them." in text
    assert "| accuracy | 0.9500 | 0.8350 to 0.9862 |" in text
    assert "| cat | 19 | 1 |\n| dog | 1 | 19 |" in text


def test_a_data_set_that_was_never_run_stops_the_change(repository: Repository) -> None:
    repository.set("datasets.third", {"training": {"epochs": 1}})
    repository.commit("A data set that has not been run")
    comparison = compare_all("HEAD")["third"]
    assert comparison.outcome is Outcome.PREDICTIONS_MISSING
    assert comparison.obstacles[0].startswith("no predictions for validation images at workspace")


def test_remains_of_a_removed_data_set_are_no_results(repository: Repository) -> None:
    repository.edit_parameters(lambda content: content["datasets"].pop("first"))
    repository.write(f"predictions/first/{SPLIT}.csv", "damaged\n")
    comparison = compare()
    assert comparison.outcome is Outcome.REMOVED
    assert comparison.stale == {"main": [], "workspace": []}


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


@pytest.mark.parametrize("files", [(CODE,), (f"{FOLDER}/files.py",), (CODE, f"{FOLDER}/deep/errors.py")])
def test_line_ends_of_windows_are_no_change(repository: Repository, files: tuple[str, ...]) -> None:
    """DVC takes the hash of the file as saved; git stores it with the line ends of Unix."""
    for name in files:
        (repository.folder / name).write_bytes(b"# code\r\n")
    repository.lock()
    for name in files:
        (repository.folder / name).write_bytes(b"# code\n")
    repository.commit("Saved on Windows")
    comparison = compare_all("HEAD^", "HEAD")["first"]
    assert (comparison.stale, comparison.code) == ({"HEAD^": [], "HEAD": []}, [])
    repository.write(files[-1], "# other code\n")
    assert compare().stale["workspace"]


def test_a_parameter_whose_section_is_gone_is_stale(repository: Repository) -> None:
    repository.set("datasets.first", 3)
    assert inputs.find_stale(find_revision("workspace"), "first") == ["datasets.first.training"]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda repository: repository.set("datasets.first.training.epochs", 9), "datasets.first.training"),
        (lambda repository: repository.write(CODE, "# other code\n"), CODE),
        (lambda repository: repository.write(f"{FOLDER}/deep/errors.py", "# other code\n"), FOLDER),
        (lambda repository: repository.write(f"{FOLDER}/new.py", "# code\n"), FOLDER),
        (lambda repository: (repository.folder / FOLDER / "files.py").unlink(), FOLDER),
        (
            lambda repository: (repository.folder / "metrics/first.json").write_text("{}"),
            "metrics/first.json",
        ),
    ],
    ids=["parameter", "code", "code in a folder", "new code", "removed code", "result"],
)
def test_inputs_and_results_that_changed_without_a_run_are_stale_and_stop_the_change(
    repository: Repository, change: Callable[[Repository], None], name: str
) -> None:
    change(repository)
    comparison = compare()
    assert comparison.stale == {"main": [], "workspace": [name]}
    assert "its results are out of date" in comparison.obstacles
    assert review().stopped
    repository.lock()
    assert compare().stale == {"main": [], "workspace": []}


def test_byte_code_is_not_stale(repository: Repository) -> None:
    repository.write(f"{FOLDER}/__pycache__/files.pyc", "byte code")
    assert inputs.find_stale(find_revision("workspace"), "first") == []


def test_a_result_that_is_deleted_is_stale(repository: Repository) -> None:
    (repository.folder / f"predictions/first/{SPLIT}.csv").unlink()
    assert inputs.find_stale(find_revision("workspace"), "first") == [f"predictions/first/{SPLIT}.csv"]


def test_a_parameter_of_another_file_is_stale_under_the_name_of_its_file(repository: Repository) -> None:
    of_numpy = "    params:\n      versions.yaml:\n        numpy: '1.0'\n"
    text = (repository.folder / "dvc.lock").read_text()
    repository.write("dvc.lock", text.replace("    params:\n", of_numpy, 1))
    repository.write("versions.yaml", "numpy: '2.0'\n")
    versions = {"versions.yaml": ["numpy"]}
    repository.change(
        "dvc.yaml", lambda content: content["stages"]["evaluate"]["do"]["params"].append(versions)
    )
    assert inputs.find_stale(find_revision("workspace"), "first") == ["versions.yaml: numpy"]


def test_code_and_data_that_changed_are_named(repository: Repository) -> None:
    repository.write(CODE, "# other code\n")
    repository.lock(first="other.dir")
    first, second = compare("first"), compare("second")
    assert (first.code, first.data) == ([CODE], ["data/processed/first/validation"])
    assert (second.code, second.data) == ([CODE], [])


def test_the_files_of_a_folder_that_differ_are_named(repository: Repository) -> None:
    repository.write(f"{FOLDER}/deep/errors.py", "# other code\n")
    repository.write(f"{FOLDER}/new.py", "# code\n")
    repository.write(f"{FOLDER}/__pycache__/new.pyc", "byte code")
    repository.write("stages/common_but_not_in_the_folder.py", "# code\n")
    repository.run("git", "rm", "--quiet", f"{FOLDER}/files.py")
    repository.lock()
    assert compare().code == [f"{FOLDER}/deep/errors.py", f"{FOLDER}/files.py", f"{FOLDER}/new.py"]
    repository.commit("Other code")
    repository.write(f"{FOLDER}/new.py", "# other code\n")
    head, workspace = find_revision("HEAD"), find_revision("workspace")
    assert inputs.find_changed_code(head, workspace, "first") == [f"{FOLDER}/new.py"]


@pytest.mark.parametrize(
    "code", [(CODE, f"{FOLDER}/files.py"), (CODE, f"{FOLDER}/files.py", f"{FOLDER}/deep")]
)
def test_dependencies_on_files_and_on_folders_can_be_compared(
    repository: Repository, code: tuple[str, ...]
) -> None:
    repository.lock(*code)
    repository.commit("Dependencies on files")
    repository.write(f"{FOLDER}/files.py", "# other code\n")
    repository.write(f"{FOLDER}/deep/errors.py", "# other code\n")
    repository.lock()
    repository.commit("Dependencies on folders")
    expected = [f"{FOLDER}/deep/errors.py", f"{FOLDER}/files.py"]
    files, folders = find_revision("HEAD^"), find_revision("HEAD")
    assert inputs.find_changed_code(files, folders, "first") == expected
    assert inputs.find_changed_code(folders, files, "first") == expected
    assert inputs.find_stale(files, "first") == inputs.find_stale(folders, "first") == []


def test_code_that_is_no_longer_depended_on_is_named(repository: Repository) -> None:
    name = "stages/before.py"
    repository.write(name, "# code\n")
    repository.lock(CODE, FOLDER, name)
    repository.commit("More code")
    repository.run("git", "rm", "--quiet", name)
    repository.lock()
    assert inputs.find_changed_code(find_revision("HEAD"), find_revision("workspace"), "first") == [name]


def test_missing_entries_of_dvc_lock_are_empty() -> None:
    lock = {"read@first": {"cmd": "true", "deps": [{"path": "file"}]}, "other@second": {"cmd": "true"}}
    assert dvc_lock.read_stages(lock, "first") == {"read@first": Stage("true", {"file": ""}, {}, {})}


def test_differences_begin_at_the_stage_with_equal_inputs_and_other_outputs() -> None:
    expected = {
        "first": Stage("true", {"code": "1"}, {"a": "2"}, {}),
        "second": Stage("true", {"a": "2"}, {"b": "3"}, {}),
        "third": Stage("true", {"b": "3"}, {"c": "4"}, {}),
        "fourth": Stage("true", {"code": "1"}, {"d": "5"}, {}),
    }
    present = {
        "first": expected["first"],
        "second": Stage("true", {"a": "2"}, {"b": "other"}, {}),
        "third": Stage("true", {"b": "other"}, {"c": "other"}, {}),
    }
    assert dvc_lock.find_culprits(expected, present) == ["second"]


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
    assert comparison.obstacles == ["the test images differ; --new-images first accepts that"]
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


@pytest.mark.usefixtures("repository")
def test_parameters_are_those_of_the_data_set() -> None:
    changed = {
        "datasets.first.training.epochs": (3, 4),
        "datasets.first_two.seed": (0, 1),
        "evaluation.calibration_bins": (15, 14),
    }
    comparison = compare_dataset("first", find_revision("main"), find_revision("workspace"), changed, RULES)
    assert comparison.parameters == {"datasets.first.training.epochs": (3, 4)}


def test_files_that_concern_every_stage_are_named(repository: Repository) -> None:
    main, workspace = find_revision("main"), find_revision("workspace")
    assert inputs.find_changed_pipeline(main, workspace) == []
    repository.write("dvc.yaml", "stages: {}\n")
    repository.write("requirements.lock", "numpy==2.0\n")
    changed = inputs.find_changed_pipeline(main, find_revision("workspace"))
    assert changed == ["dvc.yaml", "requirements.lock"]


def test_the_tolerances_are_those_of_the_base(repository: Repository) -> None:
    repository.set_tool("review.tolerance.accuracy", 1.0)
    main, workspace = find_revision("main"), find_revision("workspace")
    assert gate.read_tolerance(main, workspace) == TOLERANCE
    assert gate.find_changed_tolerance(main, workspace) == {
        "tools.yaml: review.tolerance.accuracy": (0.002, 1.0)
    }


def test_where_the_base_has_no_tolerance_the_later_revision_decides(repository: Repository) -> None:
    repository.edit_tools(lambda content: content["review"]["tolerance"].pop("log_loss"))
    repository.commit("Without a tolerance")
    base = find_revision("HEAD")
    repository.write("params.yaml", dump(PARAMETERS))
    repository.write("tools.yaml", dump({"review": {"tolerance": {"accuracy": 1, "log_loss": 0.5}}}))
    workspace = find_revision("workspace")
    assert gate.read_tolerance(base, workspace) == {**TOLERANCE, "log_loss": 0.5}
    repository.run("git", "rm", "--quiet", "--force", "tools.yaml")
    repository.commit("Without tools.yaml")
    assert gate.read_tolerance(find_revision("HEAD"), workspace) == {"accuracy": 1, "log_loss": 0.5}
    assert gate.read_tolerance(find_revision("HEAD"), find_revision("HEAD")) == {}


def test_the_tolerances_of_a_base_without_tools_yaml_are_in_params_yaml(repository: Repository) -> None:
    (repository.folder / "tools.yaml").unlink()
    repository.write("params.yaml", dump({**PARAMETERS, "review": {"tolerance": {"accuracy": 0.5}}}))
    repository.commit("As before tools.yaml")
    base = find_revision("HEAD")
    repository.write("tools.yaml", dump(TOOLS))
    repository.write("params.yaml", dump(PARAMETERS))
    workspace = find_revision("workspace")
    assert gate.read_tolerance(base, workspace) == {**TOLERANCE, "accuracy": 0.5}
    assert gate.find_changed_tolerance(base, workspace) == {
        "tools.yaml: review.tolerance.accuracy": (0.5, 0.002),
        "tools.yaml: review.tolerance.brier_score": (None, 0.004),
        "tools.yaml: review.tolerance.log_loss": (None, 0.01),
        "tools.yaml: review.tolerance.macro_f1": (None, 0.002),
    }


@pytest.mark.parametrize(
    ("file", "key", "value", "message"),
    [
        (
            "tools.yaml", "review.tolerance.accuracy", -1,
            "review.tolerance.accuracy: expected greater than or equal to 0, found -1",
        ),
        ("tools.yaml", "review.tolerance.accuracy", "low", "expected a valid number, found 'low'"),
        ("tools.yaml", "review.tolerance", "low", "review.tolerance: expected a"),
        ("tools.yaml", "review.tolerance.speed", 1, "review.tolerance: expected accuracy"),
    ],
)  # fmt: skip
def test_malformed_settings_at_the_base_are_named(
    repository: Repository, file: str, key: str, value: object, message: str
) -> None:
    edit = repository.set_tool if file == "tools.yaml" else repository.set
    edit(key, value)
    repository.commit("Malformed")
    head = find_revision("HEAD")
    with pytest.raises(UserError) as error:
        gate.read_tolerance(head, head)
    assert str(error.value).startswith(f"{file} at HEAD: {'.'.join(key.split('.')[:1])}.")
    assert message in str(error.value)


def predictions(*pairs: tuple[str, str, int]) -> pd.DataFrame:
    """Return predictions for a number of images of each pair of an actual and a predicted class."""
    rows = [(actual, predicted) for actual, predicted, images in pairs for _ in range(images)]
    return pd.DataFrame(rows, columns=["actual", "predicted"]).assign(probability=0.8)


def test_the_confusions_that_changed_most_come_first_and_others_in_their_order() -> None:
    before = predictions(("cat", "dog", 9), ("dog", "cat", 4), ("dog", "dog", 5), ("dog", "cow", 2))
    after = predictions(
        ("cat", "dog", 9), ("dog", "cat", 1), ("dog", "dog", 3), ("dog", "cow", 2), ("dog", "ant", 5)
    )  # fmt: skip
    columns = ["actual", "predicted", "before", "after"]
    assert compare_confusions([before], [after])[columns].to_csv(index=False).splitlines() == [
        "actual,predicted,before,after", "dog,ant,0.0,5.0", "dog,cat,4.0,1.0", "cat,dog,9.0,9.0",
        "dog,cow,2.0,2.0",
    ]  # fmt: skip


def test_the_confusion_matrix_is_the_mean_over_seeds() -> None:
    first = predictions(("cat", "dog", 1), ("cat", "cat", 3))
    second = predictions(("cat", "cat", 4))
    assert average_confusions([first, second]).loc["cat"].to_dict() == {"cat": 3.5, "dog": 0.5}


def test_images_that_went_wrong_and_right_are_the_most_confident_first() -> None:
    before, after = (predictions(("dog", "dog", 60)) for _ in range(2))
    wrong, sure = range(40), range(1, 40, 2)
    after.loc[wrong, "predicted"] = before.loc[50:, "predicted"] = "cat"
    after.loc[sure, "probability"] = 0.9
    lost, gained = find_changed_images(before, after)
    assert lost.index.tolist() == [*sure, *range(0, 40, 2)]
    assert gained.index.tolist() == [*range(50, 60)]
    assert lost.loc[1].to_dict() == {
        "actual": "dog", "predicted_before": "dog", "probability_before": 0.8, "predicted_after": "cat",
        "probability_after": 0.9,
    }  # fmt: skip
    lost, gained = find_changed_images(after, before)
    assert gained.index.tolist() == [*sure, *range(0, 40, 2)]
    assert lost.index.tolist() == [*range(50, 60)]


def test_changed_parameters_have_their_old_and_their_new_value(repository: Repository) -> None:
    repository.write(".dvc/config", "")
    repository.write("versions.yaml", "numpy: '1.0'\nkeras: '3.0'\n")
    read = [{"versions.yaml": ["numpy", "keras"]}, "datasets"]
    repository.write("dvc.yaml", dump({"stages": {"train": {"cmd": "true", "params": read}}}))
    repository.commit("A pipeline")
    repository.set("datasets.second.training.epochs", 4)
    repository.edit_parameters(lambda content: content["datasets"]["first"].update(seed=1))
    repository.edit_parameters(lambda content: content["datasets"]["first"].pop("training"))
    repository.write("versions.yaml", "numpy: '2.0'\nkeras: '3.0'\n")
    expected = {
        "datasets.first.seed": (None, 1),
        "datasets.first.training.epochs": (3, None),
        "datasets.second.training.epochs": (3, 4),
        "versions.yaml: numpy": ("1.0", "2.0"),
    }
    changed = inputs.find_changed_parameters(find_revision("HEAD"), find_revision("workspace"))
    assert list(changed.items()) == list(expected.items())
    repository.commit("Changed")
    assert inputs.find_changed_parameters(find_revision("HEAD^"), find_revision("HEAD")) == expected
