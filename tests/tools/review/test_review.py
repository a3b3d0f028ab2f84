"""The review of a change, by the real command between real commits."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import ROOT, TWIN, Opened, Project
from scipy.stats import ttest_1samp

from stages.common import packages
from stages.common.errors import UserError
from tools.common.markdown import unescape
from tools.common.revision import Revision, find_revision, parse_predictions
from tools.review import metrics, seeds
from tools.review.metrics import Metric
from tools.review.review import OPTIONS


def review(project: Project, *arguments: str, expect: int = 0) -> str:
    """Run the command, and return the report, or the error on stderr."""
    completed = project.here("tools.review", *arguments, expect=expect)
    if expect == 2:
        return completed.stderr
    report = (project.folder / "review/report.md").read_text(encoding="utf-8")
    assert unescape(report) in completed.stdout
    return report


def predictions(project: Project, revision: str, dataset: str, split: str = "validation") -> pd.DataFrame:
    text = project.run("git", "show", f"{revision}:predictions/{dataset}/{split}.csv").stdout
    rows = [row.split(",") for row in text.splitlines()]
    return pd.DataFrame(rows[1:], columns=rows[0])


def commit(project: Project, revision: str) -> str:
    return project.run("git", "rev-parse", revision).stdout[:7]


def date(project: Project, revision: str) -> str:
    return project.run("git", "show", "--no-patch", "--format=%cs", revision).stdout.strip()


@pytest.fixture(scope="module")
def reviewed(slower: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the slower project, in which only reviews are written."""
    return slower.copy(tmp_path_factory.mktemp("reviewed"))


@pytest.fixture(scope="module")
def report(reviewed: Project) -> str:
    return review(reviewed, "main", expect=1)


def test_a_loss_of_accuracy_stops_the_change(report: str) -> None:
    assert f"**Stopped**: the network is worse than main: {TWIN}: accuracy by more than 0.002" in report


def test_the_parameter_is_named_with_both_values(report: str) -> None:
    assert f"| datasets.{TWIN}.training.learning_rate | 0.003 | 1e-05 |" in report


def test_the_revisions_are_named_and_the_commit_too(reviewed: Project, report: str) -> None:
    assert report.startswith(f"# main ({commit(reviewed, 'main')}, {date(reviewed, 'main')}) → workspace\n")


def test_a_full_hash_is_shortened(reviewed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(reviewed.folder)
    full = reviewed.run("git", "rev-parse", "main").stdout.strip()
    assert find_revision(full) == Revision(full[:7], full)


def test_an_unchanged_data_set_takes_a_line(report: str) -> None:
    assert report.count("digits") == 1
    assert "\n- **digits**: the same predictions for all 240 validation images\n" in report


def test_the_verdict_on_accuracy_agrees_with_a_calculation_by_hand(reviewed: Project, report: str) -> None:
    before, after = (predictions(reviewed, revision, TWIN) for revision in ("main", "slower"))
    right = [table["actual"] == table["predicted"] for table in (before, after)]
    accuracies = [values.mean() for values in right]
    row = re.search(r"\| accuracy \| (\S+) \| (\S+) \| (\S+) \| (\S+) to (\S+) \| \*\*worse\*\* \|", report)
    assert row is not None
    *values, difference, low, high = (float(value) for value in row.groups())
    assert [*values, difference] == pytest.approx([*accuracies, accuracies[1] - accuracies[0]], abs=1e-4)
    interval = ttest_1samp(right[1].astype(int) - right[0].astype(int), 0).confidence_interval()
    assert (low, high) == pytest.approx((interval.low, interval.high), abs=0.01)
    assert low < difference < high < -0.002


def test_each_class_has_a_verdict(reviewed: Project, report: str) -> None:
    before, after = (predictions(reviewed, revision, TWIN) for revision in ("main", "slower"))
    rows = re.findall(
        r"^\| (\d) \| (\d+) \| ([\d.]+)% \| ([\d.]+)% \| ([-+][\d.]+) \| (\d+) \| (\d+) \| (.*) \|$",
        report,
        re.MULTILINE,
    )
    assert sorted(row[0] for row in rows) == [str(digit) for digit in range(10)]
    assert "Lost are images that only main has right, gained those that only workspace has right." in report
    for name, images, recall, recall_after, points, lost, gained, verdict in rows:
        of_class = before["actual"] == name
        right = [(table["predicted"] == name)[of_class] for table in (before, after)]
        assert int(images) == of_class.sum()
        assert float(recall) == pytest.approx(100 * right[0].mean(), abs=0.06)
        assert float(recall_after) == pytest.approx(100 * right[1].mean(), abs=0.06)
        assert float(points) == pytest.approx(100 * (right[1].mean() - right[0].mean()), abs=0.06)
        assert (int(lost), int(gained)) == ((right[0] & ~right[1]).sum(), (right[1] & ~right[0]).sum())
        assert verdict in ("**better**" if int(gained) > int(lost) else "**worse**", "cannot tell")
    assert "**worse**" in {row[-1] for row in rows}


def test_the_metrics_are_those_in_git(reviewed: Project, report: str) -> None:
    for revision, column in (("main", 1), ("slower", 2)):
        committed = json.loads(reviewed.run("git", "show", f"{revision}:metrics/{TWIN}.json").stdout)
        assert list(committed) == ["validation", "test"]
        for metric, value in committed["validation"].items():
            row = next(line for line in report.splitlines() if line.startswith(f"| {metric} |"))
            assert float(row.split("|")[column + 1]) == pytest.approx(value, abs=2e-4)


def test_the_test_split_is_compared_where_it_is_asked_for(reviewed: Project, report: str) -> None:
    assert "`SPLIT=test` is the last look" in report
    text = review(reviewed, "main", "--split=test", expect=1)
    assert "the same predictions for all 360 test images" in text
    assert "whoever chooses the best of several changes by them has fitted the test split" in text
    committed = json.loads(reviewed.run("git", "show", f"main:metrics/{TWIN}.json").stdout)
    assert f"| accuracy | {committed['test']['accuracy']:.4f} |" in text


def test_the_confusion_matrix_has_the_change_of_each_cell(reviewed: Project, report: str) -> None:
    tables = [predictions(reviewed, revision, TWIN) for revision in ("main", "slower")]
    before, after = (table.value_counts(["actual", "predicted"]) for table in tables)
    rows = re.findall(r"^\| (\d) \|((?: [^|]+ \|){10})$", report, re.MULTILINE)
    assert [name for name, _ in rows] == [str(digit) for digit in range(10)]
    marks = 0
    for actual, cells in rows:
        for predicted, cell in enumerate(cells.strip(" |").split(" | ")):
            key = (actual, str(predicted))
            count = int(after.get(key, 0))
            change = count - int(before.get(key, 0))
            text = f"{count}" + (f" ({change:+d})" if change else "")
            verdict = "better" if (change > 0) == (actual == str(predicted)) else "worse"
            assert cell in (text, f"**{text} {verdict}**", "·" if not count and not change else text)
            marks += cell.endswith("worse**")
    assert marks > 3


@pytest.fixture
def report_of_test_images(reviewed: Project) -> str:
    """The report on the test images, some of which became right; anew, as other tests write other reports."""
    return review(reviewed, "main", "--split", "test", expect=1)


def test_images_that_went_wrong_are_drawn(reviewed: Project, report_of_test_images: str) -> None:
    assert report_of_test_images
    assert (reviewed.folder / f"review/{TWIN}-right-to-wrong.png").exists()
    assert (reviewed.folder / f"review/{TWIN}-wrong-to-right.png").exists()


@pytest.mark.slow
def test_the_page_contains_every_picture_and_loads_nothing(
    reviewed: Project, report_of_test_images: str, open_page: Callable[[Path], Opened]
) -> None:
    assert report_of_test_images
    page = reviewed.folder / "review/report.html"
    opened = open_page(page)
    assert [url for url in opened.requests if not url.startswith("data:image/png;base64,")] == [page.as_uri()]
    assert opened.messages == []
    pictures = opened.page.locator("img").evaluate_all(
        "images => images.map(image => [image.alt, image.naturalWidth])"
    )
    captions = [name.partition(",")[0] for name, width in pictures if width > 100]
    assert captions == ["Confusion matrices", "Learning curves"]
    assert {path.name for path in (reviewed.folder / "review").glob("*.png")} == {
        f"{TWIN}-{kind}.png" for kind in ("confusion", "right-to-wrong", "wrong-to-right", "history")
    }
    title = f"main ({commit(reviewed, 'main')}, {date(reviewed, 'main')}) → workspace"
    assert opened.page.locator("h1").text_content() == title
    assert opened.page.locator(".chip.worse").count() >= 3
    explorer = opened.page.locator(f"#{TWIN} .explorer")
    after, before = (predictions(reviewed, revision, TWIN, "test") for revision in ("slower", "main"))
    changed = (after["predicted"] != before["predicted"]).sum()
    assert explorer.locator(".count").inner_text().startswith(f"{changed} images")
    explorer.locator("[name=change]").select_option("lost")
    lost = (after["predicted"] != after["actual"]) & (before["predicted"] == before["actual"])
    assert explorer.locator(".count").inner_text().startswith(f"{lost.sum()} images")
    assert explorer.locator(".tile canvas").count() == explorer.locator(".tile").count() > 0
    explorer.locator(".tile").first.click()
    assert explorer.locator(".tile.large").count() == 1
    (actual, predicted), _ = max(
        after.value_counts(["actual", "predicted"]).sub(before.value_counts(["actual", "predicted"])).items(),
        key=lambda cell: cell[1],
    )
    explorer.locator(f'[data-actual="{actual}"][data-predicted="{predicted}"]').click()
    moved = (after["actual"] == actual) & (after["predicted"] != before["predicted"])
    moved &= (after["predicted"] == predicted) | (before["predicted"] == predicted)
    assert explorer.locator(".count").inner_text().startswith(f"{moved.sum()} images")
    width = opened.page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert width == 0


@pytest.mark.slow
def test_a_clone_without_data_gives_the_same_report(reviewed: Project, report: str, tmp_path: Path) -> None:
    clone = Project(tmp_path / "clone")
    reviewed.run("git", "clone", "--quiet", str(reviewed.folder), str(clone.folder))
    text = review(clone, "origin/main", "slower", expect=1)
    title, *rest = text.replace("origin/main", "main").replace("slower", "workspace").splitlines()
    assert title.endswith(f"→ workspace ({commit(reviewed, 'slower')}, {date(reviewed, 'slower')})")
    assert rest == report.splitlines()[1:]
    first = clone.files("review/*")
    assert f"review/{TWIN}-confusion.png" in first
    assert f"review/{TWIN}-right-to-wrong.png" not in first  # git does not keep the images
    assert f"<code>dvc repro preprocess@{TWIN}</code> makes the split".encode() in first["review/report.html"]
    review(clone, "origin/main", "slower", expect=1)
    assert clone.files("review/*") == first
    assert clone.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.slow
def test_the_reverse_change_passes_and_an_earlier_review_is_removed(reviewed: Project, report: str) -> None:
    assert report
    stray = reviewed.folder / "review/old-confusion.png"
    stray.write_bytes(b"of an earlier review")
    text = review(reviewed, "slower", "main")
    assert "**Passed**: nothing is shown to be worse than slower" in text
    verdicts = re.findall(r"^\| ([a-z]\w+) \| .* \| \*\*(\w+)\*\* \|$", text, re.MULTILINE)
    assert dict(verdicts) == dict.fromkeys(metrics.METRICS, "better")
    assert not stray.exists()


def test_a_tolerance_on_the_command_line_replaces_that_of_tools_yaml(reviewed: Project) -> None:
    wide = [f"--tolerance={metric}=9" for metric in metrics.METRICS]
    text = review(reviewed, "main", *wide, "--tolerance=accuracy=0.1", expect=1)
    assert f"**Stopped**: the network is worse than main: {TWIN}: accuracy by more than 0.1.\n" in text


@pytest.mark.slow
def test_a_change_of_a_comment_takes_a_line_for_each_data_set(project: Project) -> None:
    code = project.folder / "stages/preprocess.py"
    code.write_text(code.read_text(encoding="utf-8") + "# A comment.\n", encoding="utf-8")
    project.run("dvc", "repro")
    project.commit("A comment")
    assert review(project, "HEAD^") == (
        f"# HEAD^ ({commit(project, 'HEAD^')}, {date(project, 'HEAD^')}) → workspace\n\n"
        "**Passed**: nothing is shown to be worse than HEAD^ by more than its tolerance.\n\n"
        "- **digits**: the same predictions for all 240 validation images; changed: stages/preprocess.py\n"
        f"- **{TWIN}**: the same predictions for all 240 validation images; changed: stages/preprocess.py\n"
    )


@pytest.mark.slow
def test_results_that_are_out_of_date_are_named(project: Project) -> None:
    project.edit_parameters(lambda content: content["datasets"][TWIN]["training"].update(epochs=9))
    metrics = project.folder / "metrics/digits.json"
    metrics.write_text(metrics.read_text().replace("0.9", "0.99"), encoding="utf-8")
    network = project.folder / "stages/network/build.py"
    network.write_text(network.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    project.commit("A change without dvc repro")
    text = review(project, "HEAD^", "HEAD", expect=1)
    obstacle = "its results are out of date"
    assert f"\n\n**Stopped**. **Not comparable**: digits: {obstacle}; digits: metrics/" in text
    assert f"; {TWIN}: {obstacle}.\n\n" in text
    for dataset, names in (
        ("digits", "metrics/digits.json, stages/network"),
        (TWIN, f"datasets.{TWIN}.training, stages/network"),
    ):
        assert (
            f"- **Out of date**: the results of {dataset} at HEAD. Changed after the last `dvc repro`: "
            f"{names}. Run `dvc repro evaluate@{dataset}` and commit." in text
        )
    assert "\n- **digits**: accuracy " in text


@pytest.mark.slow
def test_a_change_cannot_loosen_its_own_gate(reviewed: Project, tmp_path: Path) -> None:
    project = reviewed.copy(tmp_path)
    loose = {"accuracy": 1, "macro_f1": 1, "log_loss": 9, "brier_score": 2}
    project.edit_tools(lambda content: content["review"]["tolerance"].update(loose))
    text = review(project, "main", expect=1)
    assert f"{TWIN}: accuracy by more than 0.002" in text
    assert "| tools.yaml: review.tolerance.accuracy | 0.002 | 1" in text


@pytest.mark.slow
def test_a_change_does_not_decide_about_itself(reviewed: Project, tmp_path: Path) -> None:
    """The workflow's command runs the code of the base, also where the change has another review."""
    project = reviewed.copy(tmp_path / "change")
    (project.folder / "tools/review/__main__.py").write_text("print('passed')\n", encoding="utf-8")
    project.commit("A kinder review")
    project.run("git", "worktree", "add", "--quiet", "--detach", "../base", "main")
    arguments = ("CODE=../base", "BASE=main", "LATER=HEAD")
    done = project.run(
        "make", "-o", ".venv/installed", "-f", "../base/Makefile", "review", *arguments, expect=2
    )
    assert f"**Stopped**: the network is worse than main: {TWIN}: accuracy" in done.stdout
    own = project.run("make", "-o", ".venv/installed", "review", "BASE=main")
    assert own.stdout.endswith("passed\n")


PRINT_ARGUMENTS = "import sys\nprint(sys.argv[1:])\n"


@pytest.mark.parametrize(
    ("variables", "options"),
    [
        (["BASE=v1"], ["v1"]),
        (["REMOVED=letters"], ["main", "--removed", "letters"]),
        (["REMOVED=letters pets"], ["main", "--removed", "letters", "--removed", "pets"]),
        (["NEW_IMAGES=letters pets"], ["main", "--new-images", "letters", "--new-images", "pets"]),
        (["REMOVED=it's $x `y`"], ["main", "--removed", "it's", "--removed", "$x", "--removed", "`y`"]),
        (
            ["LATER=v2", "SEEDS=3", "SPLIT=test", "NATIVE=1", "REMOVED=a", "NEW_IMAGES=b"],
            [
                "main",
                "v2",
                *("--seeds", "3", "--split", "test", "--native"),
                "--removed",
                "a",
                "--new-images",
                "b",
            ],
        ),
    ],
)
def test_make_review_prints_nothing_of_its_own_and_passes_its_variables_on(
    tmp_path: Path, variables: list[str], options: list[str]
) -> None:
    """The programs are a stand-in that prints its arguments."""
    (tmp_path / "tools/review").mkdir(parents=True)
    (tmp_path / "tools/review/__main__.py").write_text(PRINT_ARGUMENTS, encoding="utf-8")
    make = ("make", "--file", str(ROOT / "Makefile"), "-o", ".venv/installed", "review")
    assert Project(tmp_path).run(*make, *variables).stdout == f"{options}\n"


def test_make_review_has_a_variable_for_each_option_that_accepts_something() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for option in OPTIONS.values():
        variable = option.removeprefix("--").replace("-", "_").upper()
        assert f"$(call quote_each,{option},{variable})" in makefile


@pytest.mark.slow
def test_a_metric_that_the_base_lacks_is_compared_and_gated(
    reviewed: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def weigh(table: pd.DataFrame) -> np.ndarray:
        """Return for each image a value whose mean over all images is the balanced accuracy."""
        right = (table["predicted"] == table["actual"]).astype(float)
        sizes = table.groupby("actual")["actual"].transform("size")
        return np.asarray(right * len(table) / sizes / table["actual"].nunique())

    balanced = Metric(True, ("actual", "predicted"), weigh, lambda _: 1.0)
    monkeypatch.setitem(metrics.METRICS, "balanced_accuracy", balanced)
    project = reviewed.copy(tmp_path)
    text = review(project, "main", expect=1)
    before, after = (predictions(project, revision, TWIN) for revision in ("main", "slower"))
    recalls = [
        (table["predicted"] == table["actual"]).groupby(table["actual"]).mean().mean()
        for table in (before, after)
    ]
    row = f"| balanced_accuracy | {recalls[0]:.4f} | {recalls[1]:.4f} |"
    assert row in text
    assert "balanced_accuracy by more than" not in text

    project.edit_tools(lambda content: content["review"]["tolerance"].update(balanced_accuracy=0.004))
    text = review(project, "main", expect=1)
    assert row in text
    assert "balanced_accuracy by more than 0.004" in text
    assert "| tools.yaml: review.tolerance.balanced_accuracy | none | 0.004 |" in text


def test_files_that_concern_every_stage_are_named(project: Project) -> None:
    for name in ("dvc.yaml", "requirements.lock"):
        path = project.folder / name
        path.write_text(path.read_text(encoding="utf-8") + "# A comment\n", encoding="utf-8")
    assert "Changed for every data set: dvc.yaml, requirements.lock." in review(project, "main")


@pytest.mark.slow
def test_seeds_judge_the_change(reviewed: Project, tmp_path: Path) -> None:
    """In a shallow clone, in a folder whose name is not ASCII."""
    project = Project(tmp_path / "bügs")
    source = f"file://{reviewed.folder}"
    reviewed.run("git", "clone", "--quiet", "--depth=2", "--branch=slower", source, str(project.folder))
    shutil.copytree(reviewed.folder / ".dvc/cache", project.folder / ".dvc/cache")
    branches = project.run("git", "branch", "--all").stdout
    text = review(project, "HEAD^", "HEAD", "--seeds", "2", expect=1)
    assert f"**Stopped**: the change is worse than HEAD^: {TWIN}: accuracy by more than 0.002" in text
    assert "Both revisions were trained with 2 seeds each." in text
    row = re.search(r"\| accuracy \| (\S+) \| (\S+) \| (\S+) \| (\S+) to (\S+) \| (.*) \|", text)
    assert row is not None
    before, after, difference, low, high = (float(value) for value in row.groups()[:5])
    assert difference == pytest.approx(after - before, abs=2e-4)
    assert low < difference < high
    # All networks are scored on the same images, though the seed decides the held-out split, too.
    recalls = [float(recall) for recall in re.findall(r"^\| \d \| \d+ \| ([\d.]+)% \|", text, re.MULTILINE)]
    assert np.mean(recalls) == pytest.approx(100 * before, abs=1)
    metrics_of_first = json.loads((project.folder / f"metrics/{TWIN}.json").read_text())["validation"]
    (loss,) = re.findall(r"^\| log_loss \| \S+ \| (\S+) \|", text, re.MULTILINE)
    assert float(loss) != pytest.approx(
        metrics_of_first["log_loss"], abs=1e-4
    )  # the second seed's is another
    assert project.run("git", "status", "--porcelain").stdout == ""
    assert project.run("git", "branch", "--all").stdout == branches


@pytest.mark.slow
def test_seeds_may_be_trained_natively_unless_that_is_the_change(reviewed: Project, tmp_path: Path) -> None:
    project = reviewed.copy(tmp_path)
    text = review(project, "main", "--seeds", "2", "--native", expect=1)
    assert "Both revisions were trained with 2 seeds each, natively but for the first." in text
    runs = project.files(".dvc/cache/runs/**/*").values()
    assert {b"native" in run for run in runs if b"computation" in run} == {True, False}

    error = review(project, "main", "--native", expect=2)
    assert error.startswith("error: --native: expected --seeds N beside it, found none")
    project.edit_parameters(lambda content: content["datasets"][TWIN].update(computation="native"))
    project.run("dvc", "repro")
    error = review(project, "main", "--seeds", "2", "--native", expect=2)
    assert error.count("\n") == 1
    assert error.startswith(
        f"error: params.yaml: datasets.{TWIN}.computation: expected portable at both revisions, found "
        "portable at main, native at workspace"
    )


SWITCH = "run make review in an environment of that commit: git switch --detach main && make install"
NO_ENVIRONMENT = "no environment can train both revisions: run make review without SEEDS"


@pytest.mark.parametrize(
    ("base", "later", "difference", "hint"),
    [
        ({"keras": "0.1"}, {"keras": "0.1"}, "main: expected keras 0.1, found {keras}", SWITCH),
        (
            {"keras": "0.1", "numpy": "0.2"}, {},
            "main: expected keras 0.1, found {keras}, expected numpy 0.2, found {numpy}", SWITCH,
        ),
        ({"no-such-package": "1.0"}, {}, "main: expected no-such-package 1.0, found none", SWITCH),
        ({}, {"keras": "0.1"}, "workspace: expected keras 0.1, found {keras}", "run make install"),
        (
            {"keras": "0.1"}, {"keras": "installed"},
            "main: expected keras 0.1, found {keras}", NO_ENVIRONMENT,
        ),
        (
            {"keras": "installed"}, {"keras": "0.1"},
            "workspace: expected keras 0.1, found {keras}", NO_ENVIRONMENT,
        ),
    ],
)  # fmt: skip
def test_nothing_is_trained_with_other_packages(
    base: dict[str, str],
    later: dict[str, str],
    difference: str,
    hint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed = {name: packages.installed_version(name) for name in ("keras", "numpy")}
    project = Project(tmp_path)
    project.run("git", "init", "--quiet", "--initial-branch=main")

    def write(versions: dict[str, str]) -> None:
        lines = [
            f"{name}: '{installed[name] if version == 'installed' else version}'\n"
            for name, version in versions.items()
        ]
        (tmp_path / "versions.yaml").write_text("".join(lines))

    write(base)
    project.commit("The base")
    write(later)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(seeds, "train", lambda *_: pytest.fail("trained"))
    with pytest.raises(UserError) as error:
        seeds.train_both(find_revision("main"), find_revision("workspace"), ["digits"], 2, "validation")
    assert str(error.value) == f"versions.yaml at {difference.format(**installed)}; {hint}"


def test_packages_of_another_version_at_the_base_are_one_line(reviewed: Project, tmp_path: Path) -> None:
    project = reviewed.copy(tmp_path)
    project.run("git", "switch", "--quiet", "--create", "older", "main")
    versions = project.folder / "versions.yaml"
    versions.write_text(re.sub("keras: '.*'", "keras: '0.1'", versions.read_text()))
    project.commit("An older Keras")
    project.run("git", "switch", "--quiet", "slower")
    error = review(project, "older", "--seeds=2", expect=2)
    assert error.count("\n") == 1
    assert error.startswith("error: versions.yaml at older: expected keras 0.1, found ")


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
    error = review(reviewed, *arguments, expect=2)
    assert error.count("\n") == 1
    assert "expected a commit, branch or tag" in error
    assert message in error
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
        ["main", "--split=train"],
    ],
)
def test_misuse_ends_with_2(reviewed: Project, arguments: list[str]) -> None:
    error = review(reviewed, *arguments, expect=2)
    assert "Traceback" not in error
    if arguments:
        assert re.search(
            r"error: argument --\w+: expected .*, found '.*'; "
            r"python -m tools.review --help lists the arguments$",
            error.strip(),
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
        *(
            f"actual,predicted,probability,probability_of_actual,sum_of_squares\n3,4,0.9,0.1,{wrong}\n"
            for wrong in ("nan", "inf", "-7", "0", "1.5")
        ),
    ],
)
def test_damaged_predictions_are_named(content: str) -> None:
    with pytest.raises(UserError, match="the file: expected a table as dvc repro evaluate writes it"):
        parse_predictions(content.encode(), "the file")


def test_damaged_predictions_are_one_line(project: Project) -> None:
    (project.folder / f"predictions/{TWIN}/validation.csv").write_text("", encoding="utf-8")
    error = review(project, "main", expect=2)
    assert error.count("\n") == 1
    assert f"predictions/{TWIN}/validation.csv at workspace: expected a table" in error


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "place", "content"),
    [
        ("params.yaml", "params.yaml: datasets at main", "datasets:\n- digits\n"),
        ("params.yaml", "params.yaml at main", "- digits\n"),
        ("params.yaml", "params.yaml at main", "datasets: {\n"),
        (
            "tools.yaml",
            "tools.yaml at main: review.tolerance.accuracy: expected",
            "review: {tolerance: {accuracy: low}}\n",
        ),
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
    error = review(project, "main", expect=2)
    assert error.count("\n") == 1
    assert error.startswith(f"error: {place}")


def test_a_file_whose_name_is_not_unicode_does_no_harm(project: Project) -> None:
    (Path(os.fsdecode(os.fsencode(project.folder) + b"/\xff.txt"))).write_bytes(b"")
    assert "**Passed**" in review(project, "main")


def test_names_are_text_and_nothing_else(project: Project) -> None:
    project.run("git", "branch", "a|b_c_<b>")
    package = project.folder / "stages/common/__init__.py"
    package.write_text(package.read_text(encoding="utf-8") + "# A comment\n", encoding="utf-8")
    text = review(project, "a|b_c_<b>", expect=1)
    assert text.startswith("# a\\|b_c\\_\\<b\\> (")
    page = (project.folder / "review/report.html").read_text(encoding="utf-8")
    assert "<h1>a|b_c_&lt;b&gt; (" in page
    assert "<code>dvc repro evaluate@digits</code>" in page


def test_the_predictions_are_collapsed_in_diffs(reviewed: Project) -> None:
    diff = reviewed.run("git", "diff", "main", "slower", "--", "predictions").stdout
    assert (
        diff.splitlines()[-1]
        == f"Binary files a/predictions/{TWIN}/validation.csv and b/predictions/{TWIN}/validation.csv differ"
    )
    attributes = reviewed.run(
        "git", "check-attr", "linguist-generated", f"predictions/{TWIN}/validation.csv"
    ).stdout
    assert attributes.endswith(": set\n")
