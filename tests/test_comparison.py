"""What a review compares, and whether it stops a change: commits of a small repository, without DVC."""

import hashlib
from pathlib import Path

import pytest
from helpers import Project, dump, set_value
from ruamel.yaml import YAML

from compare import changes, comparison
from compare.comparison import Comparison, Review
from compare.revision import Revision, find
from stages.errors import UserError

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
            stages[f"preprocess@{name}"] = {"outs": [split, {"path": f"data/raw/{name}", "md5": "raw"}]}
            stages[f"evaluate@{name}"] = {
                "deps": [split, self.hashed(CODE)],
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


@pytest.mark.usefixtures("repository")
def test_nothing_has_changed() -> None:
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
    assert (removed.nothing_to_test, removed.untested) == ("workspace has no predictions for it", None)


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


def test_the_confusions_that_changed_most_come_first(repository: Repository) -> None:
    before = find("main").predictions("first")
    repository.predict("first", wrong=7)
    after = Revision("workspace", None).predictions("first")
    found = changes.changed_confusions(before, after)
    assert found.to_dict("split")["data"] == [["cat", "dog", 1, 4], ["dog", "cat", 1, 3]]


@pytest.mark.usefixtures("repository")
def test_images_that_went_wrong_and_right_are_the_most_confident_first() -> None:
    before = find("main").predictions("first")
    after = before.copy()
    after.loc[[5, 9], "predicted"] = ["cat", "cat"]
    after.loc[[5, 9], "probability"] = [0.6, 0.7]
    after.loc[[0, 1], "predicted"] = ["cat", "dog"]
    after.loc[1, "probability"] = 0.5
    before.loc[1, "probability"] = 0.9
    lost, gained = changes.changed_images(before, after)
    assert lost.index.tolist() == [9, 5]
    assert gained.index.tolist() == [1, 0]
    assert lost.loc[9].to_dict() == {
        "actual": "dog", "predicted_before": "dog", "probability_before": 0.8, "predicted_after": "cat",
        "probability_after": 0.7,
    }  # fmt: skip
