"""What a review compares, and whether it stops a change: commits of a small repository, with no pipeline."""

import hashlib
from pathlib import Path

import pandas as pd
import pytest
from helpers import Project, dump, set_value
from ruamel.yaml import YAML

from stages.common.errors import UserError
from tools.common import dvc_lock
from tools.common.dvc_lock import Stage
from tools.common.revision import find
from tools.review import changes, comparison
from tools.review.comparison import Comparison, Review

TOLERANCE = {"accuracy": 0.002, "macro_f1": 0.002, "log_loss": 0.01, "calibration_error": 0.005}
PARAMETERS = {
    "datasets": {"first": {"training": {"epochs": 3}}, "second": {"training": {"epochs": 3}}},
    "evaluation": {"calibration_bins": 15},
    "review": {"tolerance": TOLERANCE},
}
CODE = "stages/train.py"
IMAGES = 40
MANY = 30  # of them, as no chance makes them wrong


class Repository(Project):
    """What a review reads of a project with two data sets."""

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def predict(self, dataset: str, wrong: int, other: bool = False) -> None:
        """Write predictions, of which the first ones are wrong; in another order of classes, if other."""
        names = ["cat", "dog"]
        rows = ["actual,predicted,probability,probability_of_actual"]
        for image in range(IMAGES):
            actual = names[(image + other) % 2]
            predicted = names[(image + other + 1) % 2] if image < wrong else actual
            rows.append(f"{actual},{predicted},0.8,{0.2 if image < wrong else 0.8}")
        self.write(f"predictions/{dataset}.csv", "\n".join(rows) + "\n")

    def lock(self, **test_splits: str) -> None:
        """Write dvc.lock as if the stages had just been run; the hashes are of other test images."""
        stages = {}
        content = YAML(typ="safe").load(self.folder / "params.yaml")
        for name, dataset in content["datasets"].items():
            split = {"path": f"data/processed/{name}/test", "md5": test_splits.get(name, f"{name}.dir")}
            stages[f"preprocess@{name}"] = {
                "cmd": "true",
                "outs": [split, {"path": f"data/raw/{name}", "md5": "raw"}],
            }
            model = {"path": f"models/{name}.keras", "md5": "model"}  # which is not in git
            stages[f"train@{name}"] = {"cmd": "true", "deps": [self.hashed(CODE)], "outs": [model]}
            stages[f"evaluate@{name}"] = {
                "cmd": "true",
                "deps": [split, model],
                "params": {"params.yaml": {f"datasets.{name}.training": dataset["training"]}},
                "outs": [self.hashed(f"predictions/{name}.csv")],
            }
        self.write("dvc.lock", dump({"schema": "2.0", "stages": stages}))

    def hashed(self, name: str) -> dict[str, str]:
        return {"path": name, "md5": hashlib.md5((self.folder / name).read_bytes()).hexdigest()}

    def set(self, key: str, value: object) -> None:
        self.edit_parameters(lambda content: set_value(content, key, value))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Committed results of two data sets, each with two images wrong."""
    made = Repository(tmp_path)
    made.run("git", "init", "--quiet", "--initial-branch=main")
    made.write("params.yaml", dump(PARAMETERS))
    made.write(CODE, "# code\n")
    for dataset in PARAMETERS["datasets"]:
        made.predict(dataset, wrong=2)
    made.lock()
    made.commit("First results")
    monkeypatch.chdir(tmp_path)
    return made


def compared(dataset: str = "first", later: str = "workspace") -> Comparison:
    return comparison.compare(dataset, find("main"), find(later), {}, 15)


def review(*comparisons: Comparison, **tolerance: float) -> Review:
    return Review(find("main"), find("workspace"), list(comparisons), {}, [], {**TOLERANCE, **tolerance})


def test_nothing_has_changed(repository: Repository) -> None:
    repository.write(".gitignore", "/models/\n")
    repository.write("models/first.keras", "as in any folder where it was trained")
    found = compared()
    assert found.nothing_to_test == "the same predictions for all 40 test images"
    assert found.untested is None
    assert (found.code, found.data, found.differences) == ([], [], [])
    assert found.stale == {"main": [], "workspace": []}
    assert not review(found).stopped


def test_what_is_worse_beyond_chance_stops_the_change(repository: Repository) -> None:
    repository.predict("first", wrong=MANY)
    repository.lock()
    found = compared()
    assert (found.nothing_to_test, found.untested) == (None, None)
    assert found.before["predicted"].tolist() != found.after["predicted"].tolist()
    assert [one.metric for one in found.differences] == list(TOLERANCE)
    stopped = review(compared("second"), found)
    assert stopped.stopped
    assert [(name, one.metric) for name, one in stopped.too_much_worse()] == [
        ("first", metric) for metric in TOLERANCE
    ]
    assert [one.metric for _, one in review(found, accuracy=1.0, log_loss=1.0).too_much_worse()] == [
        "macro_f1", "calibration_error",
    ]  # fmt: skip


def test_what_is_better_does_not(repository: Repository) -> None:
    repository.predict("first", wrong=0)
    repository.lock()
    found = compared()
    assert found.differences
    assert not review(found).stopped


@pytest.mark.parametrize("hidden", ["order", "hash"])
def test_other_test_images_are_not_compared_and_stop_the_change(repository: Repository, hidden: str) -> None:
    repository.predict("first", wrong=MANY, other=hidden == "order")
    repository.lock(**({"first": "other.dir"} if hidden == "hash" else {}))
    found = compared()
    assert found.nothing_to_test == "the test images or the names of their classes are not the same"
    assert found.untested == found.nothing_to_test
    assert found.differences == []
    assert review(found).stopped


def test_predictions_that_are_gone_stop_the_change(repository: Repository) -> None:
    (repository.folder / "predictions/first.csv").unlink()
    repository.commit("Without predictions")
    found = comparison.compare("first", find("HEAD^"), find("HEAD"), {}, 15)
    assert found.untested == found.nothing_to_test == "HEAD has no predictions for it"


def test_a_new_and_a_removed_data_set_are_told_apart_from_a_lost_one(repository: Repository) -> None:
    repository.edit_parameters(
        lambda content: content["datasets"].update(third=content["datasets"].pop("first"))
    )
    repository.run("mv", "predictions/first.csv", "predictions/third.csv")
    repository.lock()
    assert comparison.datasets(find("main"), find("workspace")) == ["second", "third", "first"]
    new, removed = compared("third"), compared("first")
    assert (new.nothing_to_test, new.untested) == ("main has no predictions for it", None)
    assert new.data == ["data/processed/third/test", "data/raw/third"]
    assert (removed.nothing_to_test, removed.untested) == ("workspace has no predictions for it", None)


def test_what_a_removed_data_set_has_left_behind_is_not_its_result(repository: Repository) -> None:
    repository.edit_parameters(lambda content: content["datasets"].pop("first"))
    repository.write("predictions/first.csv", "damaged\n")
    found = compared()
    assert (found.nothing_to_test, found.untested) == ("workspace has no predictions for it", None)
    assert found.stale == {"main": [], "workspace": []}


def test_a_parameter_whose_section_is_gone_is_stale(repository: Repository) -> None:
    repository.set("datasets.first", 3)
    assert changes.stale(find("workspace"), "first") == ["datasets.first.training"]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda made: made.set("datasets.first.training.epochs", 9), "datasets.first.training"),
        (lambda made: made.write(CODE, "# other code\n"), CODE),
        (lambda made: made.predict("first", wrong=0), "predictions/first.csv"),
    ],
    ids=["parameter", "code", "result"],
)
def test_what_was_not_run_since_is_stale_and_stops_the_change(
    repository: Repository, change: object, name: str
) -> None:
    change(repository)  # type: ignore[operator]
    found = compared()
    assert found.stale == {"main": [], "workspace": [name]}
    assert found.untested == "its results are out of date"
    assert review(found).stopped
    repository.lock()
    assert compared().stale == {"main": [], "workspace": []}


def test_a_parameter_of_another_file_is_stale_under_the_name_of_its_file(repository: Repository) -> None:
    of_numpy = "    params:\n      versions.yaml:\n        numpy: '1.0'\n"
    text = (repository.folder / "dvc.lock").read_text()
    repository.write("dvc.lock", text.replace("    params:\n", of_numpy, 1))
    repository.write("versions.yaml", "numpy: '2.0'\n")
    assert changes.stale(find("workspace"), "first") == ["versions.yaml: numpy"]


def test_code_and_data_that_changed_are_named(repository: Repository) -> None:
    repository.write(CODE, "# other code\n")
    repository.lock(first="other.dir")
    found = compared()
    assert (found.code, found.data) == ([CODE], ["data/processed/first/test"])
    assert (compared("second").code, compared("second").data) == ([CODE], [])


def test_code_that_is_no_longer_depended_on_is_named(repository: Repository) -> None:
    before = {"path": "stages/before.py", "md5": "code"}
    lock = YAML(typ="safe").load(repository.folder / "dvc.lock")
    lock["stages"]["train@first"]["deps"].append(before)
    repository.write("dvc.lock", dump(lock))
    repository.write(before["path"], "# code\n")
    repository.commit("More code")
    repository.run("git", "rm", "--quiet", before["path"])
    repository.lock()
    assert changes.changed_code(find("HEAD"), find("workspace"), "first") == [before["path"]]


def test_what_dvc_lock_does_not_say_is_empty() -> None:
    lock = {"read@first": {"cmd": "true", "deps": [{"path": "file"}]}, "other@second": {"cmd": "true"}}
    assert dvc_lock.stages(lock, "first") == {"read@first": Stage({"file": ""}, {}, {})}


def test_differences_begin_at_the_stage_that_made_others_of_the_same_inputs() -> None:
    expected = {
        "first": Stage({"code": "1"}, {"a": "2"}, {}),
        "second": Stage({"a": "2"}, {"b": "3"}, {}),
        "third": Stage({"b": "3"}, {"c": "4"}, {}),
        "fourth": Stage({"code": "1"}, {"d": "5"}, {}),
    }
    found = {
        "first": expected["first"],
        "second": Stage({"a": "2"}, {"b": "other"}, {}),
        "third": Stage({"b": "other"}, {"c": "other"}, {}),
    }
    assert dvc_lock.culprits(expected, found) == ["second"]


@pytest.mark.usefixtures("repository")
def test_parameters_are_those_of_the_data_set() -> None:
    changed = {
        "datasets.first.training.epochs": (3, 4),
        "datasets.first_two.seed": (0, 1),
        "evaluation.calibration_bins": (15, 14),
    }
    found = comparison.compare("first", find("main"), find("workspace"), changed, 15)
    assert found.parameters == {"datasets.first.training.epochs": (3, 4)}


def test_files_that_concern_every_stage_are_named(repository: Repository) -> None:
    assert changes.changed_pipeline(find("main"), find("workspace")) == []
    repository.write("dvc.yaml", "stages: {}\n")
    repository.write("requirements.lock", "numpy==2.0\n")
    assert changes.changed_pipeline(find("main"), find("workspace")) == ["dvc.yaml", "requirements.lock"]


def test_the_rules_are_those_of_the_base_unless_it_has_none(repository: Repository) -> None:
    repository.set("review.tolerance.accuracy", 1.0)
    repository.set("evaluation.calibration_bins", 3)
    assert comparison.rules(find("main"), find("workspace")) == (TOLERANCE, 15)
    repository.edit_parameters(lambda content: content.pop("review"))
    repository.commit("Without rules")
    without = find("HEAD")
    repository.write("params.yaml", dump(PARAMETERS))
    assert comparison.rules(without, find("workspace")) == (TOLERANCE, 15)


def test_rules_that_are_none_are_named(repository: Repository) -> None:
    repository.set("review.tolerance.accuracy", -1)
    repository.commit("Wrong rules")
    with pytest.raises(UserError, match=r"params\.yaml at HEAD: gate: tolerance\.accuracy: Input should be"):
        comparison.rules(find("HEAD"), find("workspace"))


def predictions(*pairs: tuple[str, str, int]) -> pd.DataFrame:
    """Of as many images each: what they are, and what they are taken for."""
    rows = [(actual, predicted) for actual, predicted, images in pairs for _ in range(images)]
    return pd.DataFrame(rows, columns=["actual", "predicted"]).assign(probability=0.8)


def test_the_confusions_that_changed_most_come_first() -> None:
    before = predictions(("cat", "dog", 9), ("dog", "cat", 4), ("dog", "dog", 5), ("dog", "cow", 2))
    after = predictions(
        ("cat", "dog", 9), ("dog", "cat", 1), ("dog", "dog", 3), ("dog", "cow", 2), ("dog", "ant", 5)
    )  # fmt: skip
    assert changes.changed_confusions(before, after).to_csv(index=False).splitlines() == [
        "actual,predicted,before,after", "dog,ant,0,5", "dog,cat,4,1", "cat,dog,9,9", "dog,cow,2,2",
    ]  # fmt: skip


def test_confusions_that_changed_as_much_come_in_their_order() -> None:
    names = [f"class {number:02}" for number in range(40)]
    before = predictions(*((name, "other", 1 + number % 2) for number, name in enumerate(names)))
    after = predictions(*((name, "other", 3) for name in names))
    found = changes.changed_confusions(before, after)
    assert found["actual"].tolist() == [*names[::2], *names[1::2]]


def test_images_that_went_wrong_and_right_are_the_most_confident_first() -> None:
    before, after = (predictions(("dog", "dog", 60)) for _ in range(2))
    wrong, sure = range(40), range(1, 40, 2)
    after.loc[wrong, "predicted"] = before.loc[50:, "predicted"] = "cat"
    after.loc[sure, "probability"] = 0.9
    lost, gained = changes.changed_images(before, after)
    assert lost.index.tolist() == [*sure, *range(0, 40, 2)]
    assert gained.index.tolist() == [*range(50, 60)]
    assert lost.loc[1].to_dict() == {
        "actual": "dog", "predicted_before": "dog", "probability_before": 0.8, "predicted_after": "cat",
        "probability_after": 0.9,
    }  # fmt: skip
    lost, gained = changes.changed_images(after, before)
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
    found = changes.changed_parameters(find("HEAD"), find("workspace"))
    assert list(found.items()) == list(expected.items())
    repository.commit("Changed")
    assert changes.changed_parameters(find("HEAD^"), find("HEAD")) == expected
