"""The README is true: its commands run, its accuracies are the committed ones, its links lead somewhere."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers import ROOT, Project, targets_of_ci

from stages import parameters
from stages.common import layout

README = (ROOT / "README.md").read_text(encoding="utf-8")

# What sets up the environment that these tests run in; CI runs these lines themselves.
SET_UP = {
    "make demo",
    "make test",
    "make repro",
    "make verify",
    "make review BASE=main SEEDS=3",
    ". .venv/bin/activate",
}


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    lines = [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def test_ci_runs_the_commands_that_set_up() -> None:
    used = SET_UP & set(commands())
    assert {"make demo", "make test", "make repro"} <= used
    assert {command.split()[1] for command in used if command.startswith("make")} <= targets_of_ci()


@pytest.mark.slow
def test_every_other_command_runs_one_after_the_other(project: Project) -> None:
    lines = [line for line in commands() if line not in SET_UP]
    assert len(lines) >= 5
    for line in lines:
        project.run("bash", "-euc", line)


def committed_metrics(dataset: str, split: str = "test") -> dict[str, float]:
    shown = ["git", "show", f"HEAD:metrics/{dataset}.json"]
    return json.loads(subprocess.run(shown, cwd=ROOT, capture_output=True, check=True).stdout)[split]


def test_the_table_shows_the_committed_metrics_and_what_they_are_of() -> None:
    rows = re.findall(
        r"^\| (\w+) \| ([\d.]+) % \| ([\d.]+) \| (\d+) \| (\S+), (\S+), (\S+) of ", README, flags=re.MULTILINE
    )
    datasets = parameters.load(ROOT / "params.yaml").datasets
    assert [row[0] for row in rows] == list(datasets)
    for name, accuracy, macro_f1, epochs, *images in rows:
        metrics, dataset = committed_metrics(name), datasets[name]
        assert float(accuracy) == pytest.approx(100 * metrics["accuracy"], abs=0.006)
        assert float(macro_f1) == pytest.approx(metrics["macro_f1"], abs=0.0006)
        training, validation, test = (int(number.replace(",", "")) for number in images)
        assert (int(epochs), validation) == (dataset.training.epochs, dataset.validation_images)
        files = dataset.files.items_by_file()
        # One byte for each label, after the header.
        labels = [files[name].bytes - 8 for name in (layout.TRAIN_LABELS, layout.TEST_LABELS)]
        assert labels == [training + validation, test]


def test_the_accuracies_over_seeds_are_those_of_the_study() -> None:
    study = (ROOT / "docs/accuracy.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)`, .*?\| (\S+ ± \S+) % \| (\S+ ± \S+) % \|", README, flags=re.MULTILINE)
    assert [name for name, *_ in rows] == ["default", "best", "convolutional"]
    for name, *shown in rows:
        assert re.findall(rf"^\| `{name}` \| (\S+ ± \S+) \| \S+ to ", study, flags=re.MULTILINE) == shown


def test_the_example_of_a_review_starts_from_the_committed_network() -> None:
    """Its first seed is that of the committed metrics; the others are near."""
    rows = re.findall(r"^> \| (\w+) \| ([\d.]+) \| ([\d.]+) \| (\S+) \|", README, re.MULTILINE)
    committed = committed_metrics("fashion_mnist", "validation")
    assert [row[0] for row in rows] == list(committed)
    for metric, before, after, difference in rows:
        assert float(before) == pytest.approx(committed[metric], abs=0.005)
        assert float(difference) == pytest.approx(float(after) - float(before), abs=1.5e-4)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", README))))
def test_links_lead_to_files(target: str) -> None:
    assert Path(ROOT, target).exists()


def test_every_top_level_folder_is_explained() -> None:
    tracked = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    ignored = {"cards", "dvc_plots", "explore", "review", "searches", "studies", "__pycache__"}
    missing = [name for name in sorted(tracked - ignored) if f"| `{name}/` " not in README]
    assert missing == []


def test_an_environment_that_a_link_leads_to_is_kept(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    project = tmp_path / "project"
    project.mkdir()
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, project)
    (project / ".venv").symlink_to(other)
    done = Project(project).run("make", "install", expect=2)
    assert "error: .venv: expected a folder of this project alone, found a link to another" in done.stderr
    assert (other / "mine.txt").read_text() == "mine"
