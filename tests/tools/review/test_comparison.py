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
from tools.common import dvc
from tools.common.dvc import Stage
from tools.common.revision import find_revision
from tools.review import gate, inputs
from tools.review.comparison import Comparison, Outcome, Review, compare_dataset, list_datasets
from tools.review.predictions import count_confusions, find_changed_images

TOLERANCE = {"accuracy": 0.002, "macro_f1": 0.002, "log_loss": 0.01, "calibration_error": 0.005}
PARAMETERS = {
    "datasets": {"first": {"training": {"epochs": 3}}, "second": {"training": {"epochs": 3}}},
    "evaluation": {"calibration_bins": 15},
}
TOOLS = {"review": {"tolerance": TOLERANCE}}
CODE = "stages/train.py"
FOLDER = "stages/common"
IMAGES = 40
MANY = 30  # wrong images: far more than by chance


class Repository(Project):
    """The files of a project with two data sets that a review reads."""

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def predict(self, dataset: str, wrong: int, other: bool = False) -> None:
        """Write predictions; the first images are wrong. With `other`, the classes are in another order."""
        names = ["cat", "dog"]
        rows = ["actual,predicted,probability,probability_of_actual"]
        for image in range(IMAGES):
            actual = names[(image + other) % 2]
            predicted = names[(image + other + 1) % 2] if image < wrong else actual
            rows.append(f"{actual},{predicted},0.8,{0.2 if image < wrong else 0.8}")
        self.write(f"predictions/{dataset}.csv", "\n".join(rows) + "\n")

    def lock(self, *code: str, **test_splits: str) -> None:
        """Write dvc.lock as after a run of the stages.

        Args:
            code: files and folders that train depends on; by default a file and a folder.
            test_splits: hashes of other test images, by data set.
        """
        stages = {}
        content = YAML(typ="safe").load(self.folder / "params.yaml")
        for name, dataset in content["datasets"].items():
            split = {"path": f"data/processed/{name}/test", "md5": test_splits.get(name, f"{name}.dir")}
            stages[f"preprocess@{name}"] = {
                "cmd": "true",
                "outs": [split, {"path": f"data/raw/{name}", "md5": "raw"}],
            }
            model = {"path": f"models/{name}.keras", "md5": "model"}  # which is not in git
            dependencies = [self.hash(path) for path in code or (CODE, FOLDER)]
            stages[f"train@{name}"] = {"cmd": "true", "deps": dependencies, "outs": [model]}
            stages[f"evaluate@{name}"] = {
                "cmd": "true",
                "deps": [split, model],
                "params": {"params.yaml": {f"datasets.{name}.training": dataset["training"]}},
                "outs": [self.hash(f"predictions/{name}.csv")],
            }
        self.write("dvc.lock", dump({"schema": "2.0", "stages": stages}))

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
    return compare_dataset(dataset, find_revision("main"), find_revision(later), {}, 15)


def review(*comparisons: Comparison, **tolerance: float) -> Review:
    base, later = find_revision("main"), find_revision("workspace")
    return Review(base, later, list(comparisons), {}, [], {**TOLERANCE, **tolerance})


def test_nothing_has_changed(repository: Repository) -> None:
    repository.write("models/first.keras", "as in any folder where it was trained")
    repository.write("data/processed/first/test/images.npy", "as in any folder with data")
    comparison = compare()
    assert comparison.outcome is Outcome.SAME_PREDICTIONS
    assert comparison.reason == "the same predictions for all 40 test images"
    assert comparison.obstacle is None
    assert (comparison.code, comparison.data, comparison.differences) == ([], [], [])
    assert comparison.stale == {"main": [], "workspace": []}
    assert not review(comparison).stopped


def test_a_loss_beyond_chance_stops_the_change(repository: Repository) -> None:
    repository.predict("first", wrong=MANY)
    repository.lock()
    comparison = compare()
    assert (comparison.outcome, comparison.obstacle) == (Outcome.COMPARED, None)
    assert comparison.before["predicted"].tolist() != comparison.after["predicted"].tolist()
    assert [difference.metric for difference in comparison.differences] == list(TOLERANCE)
    stopped = review(compare("second"), comparison)
    assert stopped.stopped
    assert [(name, difference.metric) for name, difference in stopped.find_regressions()] == [
        ("first", metric) for metric in TOLERANCE
    ]
    regressions = review(comparison, accuracy=1.0, log_loss=1.0).find_regressions()
    assert [difference.metric for _, difference in regressions] == ["macro_f1", "calibration_error"]


def test_an_improvement_passes(repository: Repository) -> None:
    repository.predict("first", wrong=0)
    repository.lock()
    comparison = compare()
    assert comparison.differences
    assert not review(comparison).stopped


def test_a_metric_without_a_tolerance_stops_nothing(repository: Repository) -> None:
    repository.predict("first", wrong=MANY)
    repository.lock()
    base, later = find_revision("main"), find_revision("workspace")
    assert not Review(base, later, [compare()], {}, [], {}).stopped
    regressions = Review(base, later, [compare()], {}, [], {"macro_f1": 0.0}).find_regressions()
    assert [difference.metric for _, difference in regressions] == ["macro_f1"]


@pytest.mark.parametrize("hidden", ["order", "hash"])
def test_other_test_images_are_not_compared_and_stop_the_change(repository: Repository, hidden: str) -> None:
    repository.predict("first", wrong=MANY, other=hidden == "order")
    repository.lock(**({"first": "other.dir"} if hidden == "hash" else {}))
    comparison = compare()
    assert comparison.outcome is Outcome.OTHER_IMAGES
    assert comparison.obstacle == "the test images or the names of the classes differ"
    assert comparison.differences == []
    assert review(comparison).stopped


def test_missing_predictions_stop_the_change(repository: Repository) -> None:
    (repository.folder / "predictions/first.csv").unlink()
    repository.commit("Without predictions")
    comparison = compare_dataset("first", find_revision("HEAD^"), find_revision("HEAD"), {}, 15)
    assert comparison.outcome is Outcome.PREDICTIONS_MISSING
    assert comparison.obstacle == comparison.reason == "no predictions at HEAD"


def test_a_new_and_a_removed_data_set_pass(repository: Repository) -> None:
    repository.edit_parameters(
        lambda content: content["datasets"].update(third=content["datasets"].pop("first"))
    )
    repository.run("mv", "predictions/first.csv", "predictions/third.csv")
    repository.lock()
    assert list_datasets(find_revision("main"), find_revision("workspace")) == ["second", "third", "first"]
    new, removed = compare("third"), compare("first")
    assert (new.outcome, new.reason, new.obstacle) == (Outcome.NEW, "no predictions at main", None)
    assert new.data == ["data/processed/third/test", "data/raw/third"]
    assert (removed.outcome, removed.obstacle) == (Outcome.REMOVED, None)
    assert removed.reason == "no such data set at workspace"


def test_a_data_set_without_predictions_at_either_revision_passes(repository: Repository) -> None:
    repository.set("datasets.third", {"training": {"epochs": 1}})
    repository.commit("A data set that has not been run")
    comparison = compare_dataset("third", find_revision("main"), find_revision("workspace"), {}, 15)
    assert (comparison.outcome, comparison.obstacle) == (Outcome.NEVER_EVALUATED, None)
    assert comparison.reason == "no predictions at either revision"


def test_remains_of_a_removed_data_set_are_no_results(repository: Repository) -> None:
    repository.edit_parameters(lambda content: content["datasets"].pop("first"))
    repository.write("predictions/first.csv", "damaged\n")
    comparison = compare()
    assert (comparison.outcome, comparison.obstacle) == (Outcome.REMOVED, None)
    assert comparison.stale == {"main": [], "workspace": []}


def test_the_gate_stops_for_two_outcomes() -> None:
    stopping = {outcome for outcome in Outcome if outcome.stops}
    assert stopping == {Outcome.PREDICTIONS_MISSING, Outcome.OTHER_IMAGES}


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
        (lambda repository: repository.predict("first", wrong=0), "predictions/first.csv"),
    ],
    ids=["parameter", "code", "code in a folder", "new code", "removed code", "result"],
)
def test_inputs_and_results_that_changed_without_a_run_are_stale_and_stop_the_change(
    repository: Repository, change: Callable[[Repository], None], name: str
) -> None:
    change(repository)
    comparison = compare()
    assert comparison.stale == {"main": [], "workspace": [name]}
    assert comparison.obstacle == "its results are out of date"
    assert review(comparison).stopped
    repository.lock()
    assert compare().stale == {"main": [], "workspace": []}


def test_byte_code_is_not_stale(repository: Repository) -> None:
    repository.write(f"{FOLDER}/__pycache__/files.pyc", "byte code")
    assert inputs.find_stale(find_revision("workspace"), "first") == []


def test_a_result_that_is_deleted_is_stale(repository: Repository) -> None:
    (repository.folder / "predictions/first.csv").unlink()
    assert inputs.find_stale(find_revision("workspace"), "first") == ["predictions/first.csv"]


def test_a_parameter_of_another_file_is_stale_under_the_name_of_its_file(repository: Repository) -> None:
    of_numpy = "    params:\n      versions.yaml:\n        numpy: '1.0'\n"
    text = (repository.folder / "dvc.lock").read_text()
    repository.write("dvc.lock", text.replace("    params:\n", of_numpy, 1))
    repository.write("versions.yaml", "numpy: '2.0'\n")
    assert inputs.find_stale(find_revision("workspace"), "first") == ["versions.yaml: numpy"]


def test_code_and_data_that_changed_are_named(repository: Repository) -> None:
    repository.write(CODE, "# other code\n")
    repository.lock(first="other.dir")
    first, second = compare("first"), compare("second")
    assert (first.code, first.data) == ([CODE], ["data/processed/first/test"])
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
    assert dvc.read_stages(lock, "first") == {"read@first": Stage({"file": ""}, {}, {})}


def test_differences_begin_at_the_stage_with_equal_inputs_and_other_outputs() -> None:
    expected = {
        "first": Stage({"code": "1"}, {"a": "2"}, {}),
        "second": Stage({"a": "2"}, {"b": "3"}, {}),
        "third": Stage({"b": "3"}, {"c": "4"}, {}),
        "fourth": Stage({"code": "1"}, {"d": "5"}, {}),
    }
    present = {
        "first": expected["first"],
        "second": Stage({"a": "2"}, {"b": "other"}, {}),
        "third": Stage({"b": "other"}, {"c": "other"}, {}),
    }
    assert dvc.find_culprits(expected, present) == ["second"]


@pytest.mark.usefixtures("repository")
def test_parameters_are_those_of_the_data_set() -> None:
    changed = {
        "datasets.first.training.epochs": (3, 4),
        "datasets.first_two.seed": (0, 1),
        "evaluation.calibration_bins": (15, 14),
    }
    comparison = compare_dataset("first", find_revision("main"), find_revision("workspace"), changed, 15)
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
    repository.set("evaluation.calibration_bins", 3)
    main, workspace = find_revision("main"), find_revision("workspace")
    assert gate.read_tolerance(main, workspace) == TOLERANCE
    assert gate.read_calibration_bins(main, workspace) == 15
    assert gate.find_changed_tolerance(main, workspace) == {
        "tools.yaml: review.tolerance.accuracy": (0.002, 1.0)
    }


def test_where_the_base_has_no_tolerance_the_later_revision_decides(repository: Repository) -> None:
    repository.edit_tools(lambda content: content["review"]["tolerance"].pop("log_loss"))
    repository.edit_parameters(lambda content: content.pop("evaluation"))
    repository.commit("Without a tolerance")
    base = find_revision("HEAD")
    repository.write("params.yaml", dump(PARAMETERS))
    repository.write("tools.yaml", dump({"review": {"tolerance": {"accuracy": 1, "log_loss": 0.5}}}))
    workspace = find_revision("workspace")
    assert gate.read_tolerance(base, workspace) == {**TOLERANCE, "log_loss": 0.5}
    assert gate.read_calibration_bins(base, workspace) == 15
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
        "tools.yaml: review.tolerance.calibration_error": (None, 0.005),
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
        (
            "params.yaml", "evaluation.calibration_bins", 0,
            "evaluation.calibration_bins: expected greater than 0, found 0",
        ),
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
        (gate.read_tolerance(head, head), gate.read_calibration_bins(head, head))
    assert str(error.value).startswith(f"{file} at HEAD: {'.'.join(key.split('.')[:1])}.")
    assert message in str(error.value)


def predictions(*pairs: tuple[str, str, int]) -> pd.DataFrame:
    """Return predictions for a number of images of each pair of an actual and a predicted class."""
    rows = [(actual, predicted) for actual, predicted, images in pairs for _ in range(images)]
    return pd.DataFrame(rows, columns=["actual", "predicted"]).assign(probability=0.8)


def test_the_confusions_that_changed_most_come_first() -> None:
    before = predictions(("cat", "dog", 9), ("dog", "cat", 4), ("dog", "dog", 5), ("dog", "cow", 2))
    after = predictions(
        ("cat", "dog", 9), ("dog", "cat", 1), ("dog", "dog", 3), ("dog", "cow", 2), ("dog", "ant", 5)
    )  # fmt: skip
    assert count_confusions(before, after).to_csv(index=False).splitlines() == [
        "actual,predicted,before,after", "dog,ant,0,5", "dog,cat,4,1", "cat,dog,9,9", "dog,cow,2,2",
    ]  # fmt: skip


def test_confusions_that_changed_as_much_come_in_their_order() -> None:
    names = [f"class {number:02}" for number in range(40)]
    before = predictions(*((name, "other", 1 + number % 2) for number, name in enumerate(names)))
    after = predictions(*((name, "other", 3) for name in names))
    pairs = count_confusions(before, after)
    assert pairs["actual"].tolist() == [*names[::2], *names[1::2]]


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
