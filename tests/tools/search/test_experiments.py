"""The commands of docs/experiments.md, each of them run, and the live curve of a training."""

import json
import re
import subprocess

import pytest
from helpers import ROOT, Project, environment

DOCUMENT = (ROOT / "docs/experiments.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_commands_of_the_document_run_one_after_the_other(project: Project) -> None:
    block, way_back = re.findall(r"```sh\n(.*?)```", DOCUMENT, flags=re.DOTALL)
    project.edit_parameters(lambda content: content["datasets"]["digits"]["training"].update(epochs=4))
    project.commit("A short training")
    before = project.run("dvc", "status").stdout
    commands = [line for line in block.splitlines() if line and not line.startswith("#")]
    outputs = {command: project.run("bash", "-euc", command).stdout for command in commands}
    (table,) = (output for command, output in outputs.items() if "tools.search.experiments" in command)
    title, header, *rows = table[table.index("digits, on") :].strip().splitlines()
    assert title == "digits, on the validation images:"
    assert header.split() == ["experiment", "changed", "accuracy", "log_loss"]
    assert max(map(len, rows)) <= 120
    changed = {re.split(r"  +", row)[0]: re.split(r"  +", row)[1] for row in rows}
    assert len(changed) == 5  # the workspace, the commit, the experiment, and two of the grid
    assert changed["more-dropout"] == "network.dropout=0.4"
    # The grid does not inherit the dropout of the experiment before it.
    assert sorted(changed.values()) == [
        "network.dropout=0.4", "training.learning_rate=0.001", "training.learning_rate=0.01", "unchanged",
        "unchanged",
    ]  # fmt: skip
    accuracies = [float(row.split()[-2]) for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    (differences,) = (output for command, output in outputs.items() if "exp diff" in command)
    assert "network.dropout" in differences
    assert "dropout: 0.4" in (project.folder / "params.yaml").read_text()
    project.run("bash", "-euc", way_back)
    assert project.run("git", "status", "--porcelain").stdout == ""
    assert project.run("dvc", "status").stdout == before


@pytest.mark.slow
def test_the_history_of_a_training_can_be_drawn_while_it_runs(project: Project) -> None:
    project.edit_parameters(lambda content: content["datasets"]["digits"]["training"].update(epochs=400))
    project.commit("A long training")
    history = project.folder / "plots/history/digits.csv"
    history.unlink()  # of the previous training
    with subprocess.Popen(
        ["dvc", "repro", "train@digits"], cwd=project.folder, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as training:  # fmt: skip
        lengths = set()
        while training.poll() is None and len(lengths) < 2:
            text = history.read_text() if history.exists() else ""
            rows = text.count("\n") - 1
            if 0 < rows < 400 and rows not in lengths:
                assert text.startswith("epoch,loss,accuracy,val_loss,val_accuracy\n1,")
                charts = project.run("dvc", "plots", "show", "plots/history/digits.csv", "--json").stdout
                assert "val_accuracy" in json.dumps(json.loads(charts))
                lengths.add(rows)
        assert len(lengths) == 2
        training.terminate()
