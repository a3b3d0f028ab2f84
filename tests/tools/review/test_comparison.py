"""Comparisons of two revisions, on commits of a small repository."""

import json
from collections.abc import Callable

import pandas as pd
import pytest
from review_repository import (
    CODE,
    IMAGES,
    MANY,
    NEW_IMAGES,
    REMOVED,
    RULES,
    SPLIT,
    TOLERANCE,
    Repository,
    compare,
    compare_all,
    review,
)

from stages.common.errors import UserError
from tools.common.markdown import unescape
from tools.common.revision import Result, find_revision
from tools.review.comparison import compare_dataset, compare_revisions, find_false_metrics, list_datasets
from tools.review.report import build_markdown
from tools.review.review import Outcome, Rules
from tools.review.statistics import Verdict


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


def test_a_new_metric_of_the_same_predictions_is_no_change_of_the_network(repository: Repository) -> None:
    metrics = json.loads((repository.folder / "metrics/first.json").read_text())
    metrics[SPLIT]["top_2_accuracy"] = 1.0
    repository.write("metrics/first.json", json.dumps(metrics))
    path = repository.folder / f"predictions/first/{SPLIT}.csv"
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{head},second", *(f"{row},cat" for row in rows)]) + "\n")
    repository.lock()
    assert compare().outcome is Outcome.SAME_PREDICTIONS
    assert (
        "**first**: the same predictions for all 40 validation images; metrics of one revision alone: "
        "top_2_accuracy" in unescape(build_markdown(review()))
    )


def swap_two(repository: Repository) -> None:
    """Make the first image of a class right in place of the last: the metrics stay as they are."""
    path = repository.folder / f"predictions/first/{SPLIT}.csv"
    head, *rows = path.read_text().splitlines()
    rows[0], rows[-2] = rows[-2], rows[0]
    path.write_text("\n".join([head, *rows]) + "\n")


def change_a_metric(repository: Repository) -> None:
    path = repository.folder / "metrics/first.json"
    metrics = json.loads(path.read_text())
    metrics[SPLIT]["calibration_error"] += 0.01
    path.write_text(json.dumps(metrics))


@pytest.mark.parametrize("change", [swap_two, change_a_metric])
def test_either_other_predictions_or_other_metrics_are_compared(
    repository: Repository, change: Callable[[Repository], None]
) -> None:
    change(repository)
    repository.lock()
    assert compare().outcome is Outcome.COMPARED


def test_classes_are_in_the_order_of_params_yaml_and_those_that_it_lacks_are_last(
    repository: Repository,
) -> None:
    repository.set("datasets.first.classes", ["dog", "cat"])
    path = repository.folder / f"predictions/first/{SPLIT}.csv"
    text = path.read_text()
    path.write_text(text.replace("cat,cat", "cat,bee", 1).replace("cat,cat", "cat,ant", 1))
    repository.lock()
    repository.commit("An order of one's own")
    assert compare_all("HEAD")["first"].classes == ["dog", "cat", "ant", "bee"]


def test_a_metric_is_checked_against_predictions_with_its_columns_alone() -> None:
    table = pd.DataFrame({"actual": ["cat", "dog"], "predicted": ["cat", "cat"]})
    (reason,) = find_false_metrics("first", Result(table, {"accuracy": 0.75, "log_loss": 0.1}))
    assert reason == (
        "metrics/first.json says accuracy 0.7500, the predictions say 0.5000; "
        "run dvc repro --force evaluate@first"
    )


def test_marks_of_a_conflict_are_named_with_what_settles_them(repository: Repository) -> None:
    path = repository.folder / "dvc.lock"
    path.write_text(f"<<<<<<< HEAD\n{path.read_text()}=======\n>>>>>>> other\n")
    with pytest.raises(UserError, match=r"dvc\.lock at workspace: expected one version .* run make merge"):
        review()


def test_a_difference_that_may_be_noise_is_called_so(repository: Repository) -> None:
    repository.predict("first", wrong=1)
    repository.lock()
    text = build_markdown(review())
    assert (
        "**Passed**: nothing is shown to be worse than main by more than its tolerance. Nothing is shown"
        in text
    )
    assert "One training of each revision, on the validation images." in text
    repository.predict("first", wrong=MANY)
    repository.lock()
    assert "may be noise" not in build_markdown(review())


@pytest.mark.parametrize("hidden", ["order", "hash"])
def test_other_images_are_not_compared_and_stop_the_change_until_they_are_accepted(
    repository: Repository, hidden: str
) -> None:
    repository.predict("first", wrong=MANY, other=hidden == "order")
    repository.lock(**({"first": "other.dir"} if hidden == "hash" else {}))
    comparison = compare()
    assert (comparison.outcome, comparison.differences) == (Outcome.OTHER_IMAGES, [])
    reason = "the validation images differ, or their labels"
    assert comparison.obstacles == [f"{reason}; {NEW_IMAGES}"]
    assert review().stopped
    repository.set("datasets.first.training.epochs", 9)
    assert compare().obstacles == [f"{reason}; {NEW_IMAGES}", "its results are out of date"]
    repository.set("datasets.first.training.epochs", 3)
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
    exchanged = f"names of classes stand for other classes than before; {NEW_IMAGES}"
    assert comparison.obstacles == ([exchanged] if after == ["dog", "cat"] else [])
    accepting = Rules(SPLIT, accepted={Outcome.OTHER_IMAGES: frozenset({"first"})})
    assert compare_all("HEAD^", "HEAD", accepting)["first"].obstacles == []
    accuracy = comparison.differences[0]
    assert (accuracy.before, accuracy.after) == (1 - 4 / IMAGES, 1 - 5 / IMAGES)
    assert f"classes renamed, compared by their numbers: {said}" in build_markdown(review("HEAD^", "HEAD"))
    assert text.count("\n") == IMAGES + 1


def test_classes_of_other_images_are_not_renamed(repository: Repository) -> None:
    repository.set("datasets.first.classes", ["cat", "dog"])
    repository.commit("Classes")
    repository.set("datasets.first.classes", ["dog", "cat"])
    repository.lock(first="other.dir")
    comparison = compare_all("HEAD")["first"]
    assert (comparison.outcome, comparison.renamed) == (Outcome.OTHER_IMAGES, {})
    assert not [obstacle for obstacle in comparison.obstacles if "names of classes" in obstacle]


def test_renamed_classes_without_earlier_results_are_new(repository: Repository) -> None:
    repository.set("datasets.first.classes", ["cat", "dog"])
    path = repository.folder / f"predictions/first/{SPLIT}.csv"
    text = path.read_text()
    path.unlink()
    repository.commit("Without predictions")
    repository.set("datasets.first.classes", ["Katze", "dog"])
    path.write_text(text.replace("cat", "Katze"))
    repository.lock()
    comparison = compare_all("HEAD")["first"]
    assert (comparison.outcome, comparison.obstacles) == (Outcome.NEW, [])


def test_images_of_the_other_split_that_differ_stop_the_change(repository: Repository) -> None:
    def lock_with_test_images(name: str) -> None:
        split = {"path": "data/processed/first/test", "md5": name}
        repository.lock()
        repository.change("dvc.lock", lambda lock: lock["stages"]["preprocess@first"]["outs"].append(split))
        repository.change(
            "dvc.yaml",
            lambda file: file["stages"]["preprocess"]["do"]["outs"].append("data/processed/${key}/test"),
        )

    lock_with_test_images("test.dir")
    repository.commit("With test images")
    assert compare_all("HEAD")["first"].obstacles == []
    lock_with_test_images("other.dir")
    assert f"the test images differ; {NEW_IMAGES}" in compare_all("HEAD")["first"].obstacles


def test_code_of_a_data_set_that_is_not_in_dvc_lock_is_not_compared(repository: Repository) -> None:
    def forget_training(lock: dict) -> None:
        del lock["stages"]["train@first"]

    repository.write(CODE, "# other code\n")
    repository.change("dvc.lock", forget_training)
    comparison = compare()
    assert (comparison.code, comparison.data) == ([], [])
    assert [obstacle for obstacle in comparison.obstacles if "dvc.lock" in obstacle]


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
    assert removed.obstacles == [f"no such data set at workspace; {REMOVED}"]
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


@pytest.mark.usefixtures("repository")
def test_parameters_are_those_of_the_data_set() -> None:
    changed = {
        "datasets.first.training.epochs": (3, 4),
        "datasets.first_two.seed": (0, 1),
        "evaluation.calibration_bins": (15, 14),
    }
    comparison = compare_dataset("first", find_revision("main"), find_revision("workspace"), changed, RULES)
    assert comparison.parameters == {"datasets.first.training.epochs": (3, 4)}
    compared = compare_revisions(find_revision("main"), find_revision("workspace"), changed, RULES)
    assert compared.shared == {name: changed[name] for name in list(changed)[1:]}


def test_what_concerns_all_data_sets_is_part_of_a_review(repository: Repository) -> None:
    repository.write("requirements.lock", "numpy==2.0\n")
    assert review().pipeline == ["requirements.lock"]
