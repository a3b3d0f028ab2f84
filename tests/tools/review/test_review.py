"""The review of a change, made by the real command between real commits."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from helpers import TWIN, Opened, Project
from scipy.stats import binomtest

from stages.common.errors import UserError
from tools.common.revision import Revision, find, prediction_table


def review(project: Project, *arguments: str, expect: int = 0) -> str:
    """Run the command; return the report, or what it says on stderr."""
    done = project.here("tools.review", *arguments, expect=expect)
    if expect == 2:
        return done.stderr
    report = (project.folder / "review/report.md").read_text(encoding="utf-8")
    assert report in done.stdout
    return report


def predictions(project: Project, revision: str, dataset: str) -> pd.DataFrame:
    text = project.run("git", "show", f"{revision}:predictions/{dataset}.csv").stdout
    rows = [row.split(",") for row in text.splitlines()]
    return pd.DataFrame(rows[1:], columns=rows[0])


def commit(project: Project, revision: str) -> str:
    return project.run("git", "rev-parse", revision).stdout[:7]


@pytest.fixture(scope="module")
def reviewed(slower: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the slower project, in which reviews are written and nothing else."""
    return slower.copy(tmp_path_factory.mktemp("reviewed"))


@pytest.fixture(scope="module")
def report(reviewed: Project) -> str:
    return review(reviewed, "main", expect=1)


def test_a_change_for_the_worse_is_stopped(report: str) -> None:
    assert f"**Stopped**: significantly worse than main: {TWIN}: accuracy by more than 0.002" in report


def test_the_parameter_is_named_with_both_values(report: str) -> None:
    assert f"| datasets.{TWIN}.training.learning_rate | 0.003 | 1e-05 |" in report


def test_the_revisions_are_named_and_the_commit_too(reviewed: Project, report: str) -> None:
    assert report.startswith(f"# main ({commit(reviewed, 'main')}) → workspace\n")


def test_a_full_hash_is_shortened(reviewed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(reviewed.folder)
    full = reviewed.run("git", "rev-parse", "main").stdout.strip()
    assert find(full) == Revision(full[:7], full)


def test_an_unchanged_data_set_takes_a_line(report: str) -> None:
    assert report.count("digits") == 1
    assert "\n- **digits**: the same predictions for all 360 test images\n" in report


def test_the_verdict_on_accuracy_is_that_of_a_hand_calculation(reviewed: Project, report: str) -> None:
    before, after = (predictions(reviewed, revision, TWIN) for revision in ("main", "slower"))
    right = [table["actual"] == table["predicted"] for table in (before, after)]
    lost, gained = (right[0] & ~right[1]).sum(), (right[1] & ~right[0]).sum()
    p = binomtest(int(gained), int(lost + gained)).pvalue
    assert (
        f"Of 360 test images, {lost} are right at main alone and {gained} at workspace alone: "
        f"exact McNemar test, p = {p:.2g}." in report
    )
    assert p < 0.05
    accuracies = [found.mean() for found in right]
    row = re.search(r"\| accuracy \| (\S+) \| (\S+) \| (\S+) \| (\S+) to (\S+) \| \*\*worse\*\* \|", report)
    assert row is not None
    shown = [float(value) for value in row.groups()]
    assert shown[:3] == pytest.approx([*accuracies, accuracies[1] - accuracies[0]], abs=1e-4)
    assert shown[3] < shown[2] < shown[4] < -0.002


def test_each_class_has_a_verdict(reviewed: Project, report: str) -> None:
    before, after = (predictions(reviewed, revision, TWIN) for revision in ("main", "slower"))
    rows = re.findall(
        r"^\| (\d) \| (\d+) \| ([\d.]+)% \| ([\d.]+)% \| (\d+) \| (\d+) \| (\S+) \| (.*) \|$",
        report,
        re.MULTILINE,
    )
    assert sorted(row[0] for row in rows) == [str(digit) for digit in range(10)]
    assert [float(row[6]) for row in rows] == sorted(float(row[6]) for row in rows)
    for name, images, recall, recall_after, lost, gained, p, verdict in rows:
        chosen = before["actual"] == name
        right = [(table["predicted"] == name)[chosen] for table in (before, after)]
        assert int(images) == chosen.sum()
        assert float(recall) == pytest.approx(100 * right[0].mean(), abs=0.06)
        assert float(recall_after) == pytest.approx(100 * right[1].mean(), abs=0.06)
        assert (int(lost), int(gained)) == ((right[0] & ~right[1]).sum(), (right[1] & ~right[0]).sum())
        expected = "**better**" if int(gained) > int(lost) else "**worse**"
        assert verdict == (expected if float(p) < 0.05 else "within noise")
    assert "**worse**" in {row[7] for row in rows}


def test_the_metrics_are_those_in_git(reviewed: Project, report: str) -> None:
    for revision, column in (("main", 1), ("slower", 2)):
        committed = json.loads(reviewed.run("git", "show", f"{revision}:metrics/{TWIN}.json").stdout)
        for metric, value in committed.items():
            row = next(line for line in report.splitlines() if line.startswith(f"| {metric} |"))
            assert float(row.split("|")[column + 1]) == pytest.approx(value, abs=2e-4)


def test_the_confusions_that_changed_most_are_named(reviewed: Project, report: str) -> None:
    counts = []
    for revision in ("main", "slower"):
        table = predictions(reviewed, revision, TWIN)
        wrong = table[table["actual"] != table["predicted"]]
        counts.append(wrong.value_counts(["actual", "predicted"]))
    change = counts[1].subtract(counts[0], fill_value=0)
    (actual, predicted), largest = change.abs().idxmax(), change.abs().max()
    listed = report.split("### Confusions that changed most\n\n")[1].split("\n\n", maxsplit=1)[0].splitlines()
    found = [re.fullmatch(r"- (\d) taken for (\d): (\d+) → (\d+)", line) for line in listed]
    changes = [int(line[4]) - int(line[3]) for line in found if line]
    assert len(changes) == 8
    assert [abs(one) for one in changes] == sorted((abs(one) for one in changes), reverse=True)
    assert abs(changes[0]) == largest
    before, after = (int(count.get((actual, predicted), 0)) for count in counts)
    assert f"- {actual} taken for {predicted}: {before} → {after}" in listed


def test_images_that_went_wrong_are_listed_and_drawn(reviewed: Project, report: str) -> None:
    before, after = (predictions(reviewed, revision, TWIN) for revision in ("main", "slower"))
    rows = re.findall(r"^\| (\d+) \| (\d) \| (\d), ([\d.]+)% \| (\d), ([\d.]+)% \|$", report, re.MULTILINE)
    assert len(rows) > 8
    for image, actual, was, was_sure, now, now_sure in rows:
        first, second = before.loc[int(image)], after.loc[int(image)]
        assert (first["actual"], first["predicted"], second["predicted"]) == (actual, was, now)
        assert (was == actual) != (now == actual)
        assert float(was_sure) == pytest.approx(100 * float(first["probability"]), abs=0.06)
        assert float(now_sure) == pytest.approx(100 * float(second["probability"]), abs=0.06)
    assert (reviewed.folder / f"review/{TWIN}-right-to-wrong.png").exists()


def test_the_page_has_every_picture_in_it_and_asks_for_nothing(
    reviewed: Project, report: str, open_page: Callable[[Path], Opened]
) -> None:
    assert report
    page = reviewed.folder / "review/report.html"
    opened = open_page(page)
    assert [url for url in opened.requests if not url.startswith("data:image/png;base64,")] == [page.as_uri()]
    assert opened.messages == []
    pictures = opened.page.locator("img").evaluate_all("all => all.map(one => [one.alt, one.naturalWidth])")
    assert {name for name, width in pictures if width > 100} == {
        f"{TWIN}-{kind}" for kind in (
            "history", "confusion", "classes", "reliability", "right-to-wrong", "wrong-to-right",
            "mistakes-before", "mistakes-after",
        )
    }  # fmt: skip
    assert {f"{name}.png" for name, _ in pictures} == {
        path.name for path in (reviewed.folder / "review").glob("*.png")
    }
    assert opened.page.locator("h1").text_content() == f"main ({commit(reviewed, 'main')}) → workspace"
    assert opened.page.locator("table").count() >= 4


def test_it_works_from_git_alone_and_gives_the_same_bytes(
    reviewed: Project, report: str, tmp_path: Path
) -> None:
    clone = Project(tmp_path / "clone")
    reviewed.run("git", "clone", "--quiet", str(reviewed.folder), str(clone.folder))
    found = review(clone, "origin/main", "slower", expect=1)
    title, *rest = found.replace("origin/main", "main").replace("slower", "workspace").splitlines()
    assert title.endswith(f"→ workspace ({commit(reviewed, 'slower')})")
    assert rest == report.splitlines()[1:]
    first = clone.files("review/*")
    assert f"review/{TWIN}-confusion.png" in first
    assert f"review/{TWIN}-right-to-wrong.png" not in first  # the images are not in git, and it says so
    assert b"<code>dvc repro preprocess</code> makes it" in first["review/report.html"]
    review(clone, "origin/main", "slower", expect=1)
    assert clone.files("review/*") == first
    assert clone.run("git", "status", "--porcelain").stdout == ""


def test_the_other_way_round_it_is_better_and_of_an_earlier_review_nothing_stays(
    reviewed: Project, report: str
) -> None:
    assert report
    stray = reviewed.folder / "review/old-confusion.png"
    stray.write_bytes(b"of an earlier review")
    # What knows nothing and says so, as the lower learning rate makes it, is well calibrated.
    found = review(reviewed, "slower", "main", "--tolerance=calibration_error=1")
    assert "**Passed**: nothing is significantly worse than slower" in found
    verdicts = re.findall(r"^\| ([a-z]\w+) \| .* \| \*\*(\w+)\*\* \|$", found, re.MULTILINE)
    assert dict(verdicts) == {
        "accuracy": "better", "macro_f1": "better", "log_loss": "better", "calibration_error": "worse",
    }  # fmt: skip
    assert not stray.exists()


def test_a_tolerance_on_the_command_line_takes_the_place_of_the_parameters(reviewed: Project) -> None:
    wide = [f"--tolerance={metric}=9" for metric in ("accuracy", "macro_f1", "log_loss", "calibration_error")]
    found = review(reviewed, "main", *wide, "--tolerance=accuracy=0.1", expect=1)
    assert f"**Stopped**: significantly worse than main: {TWIN}: accuracy by more than 0.1.\n" in found


def test_a_change_of_a_comment_takes_a_line_for_each_data_set(project: Project) -> None:
    code = project.folder / "stages/preprocess.py"
    code.write_text(code.read_text(encoding="utf-8") + "# A comment.\n", encoding="utf-8")
    project.run("dvc", "repro")
    project.commit("A comment")
    found = review(project, "HEAD^")
    assert found == (
        f"# HEAD^ ({commit(project, 'HEAD^')}) → workspace\n\n"
        "**Passed**: nothing is significantly worse than HEAD^ by more than its tolerance.\n\n"
        "- **digits**: the same predictions for all 360 test images; changed: stages/preprocess.py\n"
        f"- **{TWIN}**: the same predictions for all 360 test images; changed: stages/preprocess.py\n"
    )


def test_results_that_were_not_made_anew_are_named(project: Project) -> None:
    project.edit_parameters(lambda content: content["datasets"][TWIN]["training"].update(epochs=9))
    metrics = project.folder / "metrics/digits.json"
    metrics.write_text(metrics.read_text().replace("0.9", "0.99"), encoding="utf-8")
    network = project.folder / "stages/network/build.py"
    network.write_text(network.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    project.commit("A change without dvc repro")
    found = review(project, "HEAD^", "HEAD", expect=1)
    untested = "its results are out of date"
    assert f"\n\n**Stopped**. **Not tested**: digits: {untested}; {TWIN}: {untested}.\n\n" in found
    for dataset, names in (
        ("digits", "metrics/digits.json, stages/network/build.py"),
        (TWIN, f"datasets.{TWIN}.training, stages/network/build.py"),
    ):
        assert (
            f"- **Out of date**: the results of {dataset} at HEAD. Since they were made, these have changed: "
            f"{names}. Run `dvc repro evaluate@{dataset}` and commit." in found
        )


def test_a_change_cannot_loosen_its_own_gate(reviewed: Project, tmp_path: Path) -> None:
    project = reviewed.copy(tmp_path)
    loose = {"accuracy": 1, "macro_f1": 1, "log_loss": 9, "calibration_error": 1}
    project.edit_parameters(lambda content: content["review"]["tolerance"].update(loose))
    found = review(project, "main", expect=1)
    assert f"{TWIN}: accuracy by more than 0.002" in found
    assert "| review.tolerance.accuracy | 0.002 | 1 |" in found


def test_files_that_concern_every_stage_are_named(project: Project) -> None:
    for name in ("dvc.yaml", "requirements.lock"):
        path = project.folder / name
        path.write_text(path.read_text(encoding="utf-8") + "# A comment\n", encoding="utf-8")
    assert "Changed for every data set: dvc.yaml, requirements.lock." in review(project, "main")


@pytest.mark.slow
def test_seeds_measure_the_spread(reviewed: Project, tmp_path: Path) -> None:
    project = reviewed.copy(tmp_path)
    branches = project.run("git", "branch", "--all").stdout
    found = review(project, "main", "--seeds", "2", expect=1)
    section = found.split("### Over 2 training seeds each")[1]
    row = re.search(
        r"\| accuracy \| (\S+) ± (\S+) \| (\S+) ± (\S+) \| (\S+) \| (\S+) to (\S+) \| (.*) \|", section
    )
    assert row is not None
    before, _, after, _, difference, low, high = (float(value) for value in row.groups()[:7])
    assert difference == pytest.approx(after - before, abs=2e-4)
    assert low < difference < high
    first = json.loads((project.folder / f"metrics/{TWIN}.json").read_text())["accuracy"]
    assert after != pytest.approx(first, abs=1e-6)  # the second seed gave something else
    assert "**Not covered**" not in found
    assert project.run("git", "status", "--porcelain").stdout == ""
    assert project.run("git", "branch", "--all").stdout == branches


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-branch"], "found 'no-such-branch'"),
        (["--", "-rf"], "found '-rf'"),
        (["../main"], "found '../main'"),
        (["main:params.yaml"], "found 'main:params.yaml'"),
        (["main", "a\nb"], "found 'a\\nb'"),
        (["main", ""], "found ''"),
        (["workspace", "main"], "found the workspace; put it second"),
    ],
)
def test_a_revision_that_git_does_not_know_is_one_line(
    reviewed: Project, arguments: list[str], message: str
) -> None:
    before = reviewed.files("review/*")
    said = review(reviewed, *arguments, expect=2)
    assert said.count("\n") == 1
    assert "expected a commit, branch or tag" in said
    assert message in said
    assert reviewed.files("review/*") == before


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["main", "--tolerance=speed=1"],
        ["main", "--tolerance=accuracy"],
        ["main", "--tolerance=accuracy=-1"],
        ["main", "--tolerance=accuracy=nan"],
        ["main", "--seeds=0"],
        ["main", "--seeds=1"],
        ["main", "--seeds=two"],
    ],
)
def test_misuse_ends_with_2(reviewed: Project, arguments: list[str]) -> None:
    said = review(reviewed, *arguments, expect=2)
    assert "Traceback" not in said
    if arguments:
        assert re.search(
            r"error: argument --\w+: expected .*, found '.*'; "
            r"python -m tools.review --help lists what there is$",
            said.strip(),
        )


@pytest.mark.parametrize(
    "content",
    [
        "",
        "actual,predicted\n3,4\n",
        "actual,predicted,probability,probability_of_actual\n",
        "actual,predicted,probability,probability_of_actual\n3,4,0.9,nan\n",
        "actual,predicted,probability,probability_of_actual\n3,4,1.5,0.1\n",
        "actual,predicted,probability,probability_of_actual\n3,4,0,0\n",
        "actual,predicted,probability,probability_of_actual\n3,4,0.9,-0.1\n",
        "actual,predicted,probability,probability_of_actual\n3,4,high,0.1\n",
    ],
)
def test_damaged_predictions_are_named(content: str) -> None:
    with pytest.raises(UserError, match="the file: expected a table as dvc repro evaluate writes it"):
        prediction_table(content.encode(), "the file")


def test_damaged_predictions_are_one_line(project: Project) -> None:
    (project.folder / f"predictions/{TWIN}.csv").write_text("", encoding="utf-8")
    said = review(project, "main", expect=2)
    assert said.count("\n") == 1
    assert f"predictions/{TWIN}.csv at workspace: expected a table" in said


@pytest.mark.parametrize(
    ("name", "place", "content"),
    [
        ("params.yaml", "params.yaml: datasets at main", "datasets:\n- digits\n"),
        ("params.yaml", "params.yaml at main", "- digits\n"),
        ("params.yaml", "params.yaml at main", "datasets: {\n"),
        ("params.yaml", "params.yaml at main", "review: {tolerance: {accuracy: low}}\n"),
        ("dvc.lock", "dvc.lock: stages at main", "stages: none\n"),
    ],
)
def test_a_damaged_file_at_the_base_is_one_line(
    finished: Project, tmp_path: Path, name: str, place: str, content: str
) -> None:
    project = finished.copy(tmp_path)
    (project.folder / name).write_text(content, encoding="utf-8")
    project.commit("Damaged")
    project.run("git", "switch", "--quiet", "--create", "later")
    project.run("git", "checkout", "--quiet", "HEAD^", "--", name)
    said = review(project, "main", expect=2)
    assert said.count("\n") == 1
    assert said.startswith(f"error: {place}")


def test_a_file_whose_name_is_not_unicode_does_no_harm(project: Project) -> None:
    (Path(os.fsdecode(os.fsencode(project.folder) + b"/\xff.txt"))).write_bytes(b"")
    assert "**Passed**" in review(project, "main")


def test_names_are_text_and_nothing_else(project: Project) -> None:
    project.run("git", "branch", "a|b_c_<b>")
    package = project.folder / "stages/__init__.py"
    package.write_text(package.read_text(encoding="utf-8") + "# A comment\n", encoding="utf-8")
    found = review(project, "a|b_c_<b>", expect=1)
    assert found.startswith("# a\\|b_c\\_\\<b\\> (")
    page = (project.folder / "review/report.html").read_text(encoding="utf-8")
    assert "<h1>a|b_c_&lt;b&gt; (" in page
    assert "test images; changed: stages/__init__.py</li>" in page


def test_the_predictions_are_collapsed_in_diffs(reviewed: Project) -> None:
    diff = reviewed.run("git", "diff", "main", "slower", "--", "predictions").stdout
    assert (
        diff.splitlines()[-1] == f"Binary files a/predictions/{TWIN}.csv and b/predictions/{TWIN}.csv differ"
    )
    attributes = reviewed.run("git", "check-attr", "linguist-generated", f"predictions/{TWIN}.csv").stdout
    assert attributes.endswith(": set\n")
