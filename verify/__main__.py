"""Run the committed state again, from the raw files, and compare the hash of every output with dvc.lock.

Exit code: 0 if every output is the same; 1 if one is not; 2 if it could not be told. Where the processor is
of another architecture than the results were made on, the metrics are compared instead.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml import YAML

from compare import comparison, revision, statistics
from compare.revision import Revision
from stages import command, environment, layout, parameters
from stages.errors import UserError
from verify import lock
from verify.lock import Stage
from verify.rerun import ODD, USUAL, network_can_be_cut_off, rerun

RAW = Path("data/raw")
DIGITS_SHOWN = 8  # of a hash


def main(datasets: Sequence[str]) -> int:
    """Verify some data sets of HEAD, or all of them, and return the exit code."""
    head = revision.find("HEAD")
    datasets = datasets or list(head.section(parameters.FILE, "datasets"))
    expected = {dataset: expected_stages(head, dataset) for dataset in datasets}
    raw = os.environ.get("DATASETS_MIRROR", str(RAW))
    raw = raw if "://" in raw else str(Path(raw).absolute())
    print(f"Verifying commit {head.commit}: what is not committed does not count.")
    if not network_can_be_cut_off():
        print("The network stays on: this system does not let a program run without it.")
    with tempfile.TemporaryDirectory() as scratch:
        folders = {
            surroundings.name: Path(scratch, surroundings.name.replace(" ", "_"))
            for surroundings in (USUAL, ODD)
        }
        for surroundings in (USUAL, ODD):
            rerun(str(head.commit), datasets, raw, surroundings, folders[surroundings.name])
        verified = [report(dataset, head, expected[dataset], folders) for dataset in datasets]
    print("\nVerified." if all(verified) else "\nNOT verified.")
    return 0 if all(verified) else 1


def expected_stages(head: Revision, dataset: str) -> dict[str, Stage]:
    """What the committed dvc.lock says of a data set."""
    stages = lock.stages(head.yaml(lock.LOCK), dataset)
    if not stages:
        raise UserError(
            f"{lock.LOCK} at {head.name}: expected stages of {dataset!r}, found none; run dvc repro, commit"
        )
    return stages


def report(dataset: str, head: Revision, expected: dict[str, Stage], folders: dict[str, Path]) -> bool:
    """Print a table of a data set's outputs, and why some differ.

    Args:
        dataset: its key.
        head: the commit that was run again.
        expected: its stages according to that commit.
        folders: the clones in which it was run, by the name of the surroundings.

    Returns:
        Whether all is well.
    """
    found = {
        name: lock.stages(YAML(typ="safe").load(folder / lock.LOCK), dataset)
        for name, folder in folders.items()
    }
    print(f"\n{dataset}")
    print(f"{'output':36} {'expected':10}", *(f"{name:16}" for name in folders), "verdict")
    all_the_same = True
    for name, stage in expected.items():
        for path, value in stage.outputs.items():
            got = [stages[name].outputs.get(path, "nothing") for stages in found.values()]
            same = set(got) == {value}
            all_the_same &= same
            print(
                f"{path:36} {value[:DIGITS_SHOWN]:10}",
                *(f"{one[:DIGITS_SHOWN]:16}" for one in got),
                "same" if same else "DIFFERENT",
            )
    made = environment.parse(head.read(layout.environment(dataset)))
    here = environment.describe()
    for name in here:
        if made.get(name) != here[name]:
            print(f"It was made with another {name}: {made.get(name, 'unknown')}; here it is {here[name]}.")
    stale = {name: paths for stages in found.values() for name, paths in lock.stale(expected, stages).items()}
    for name, paths in stale.items():
        print(f"{name}: {lock.LOCK} was made with another {', '.join(paths)}: run dvc repro and commit.")
    if all_the_same or stale:
        return not stale
    for surroundings, stages in found.items():
        for name in lock.culprits(expected, stages):
            print(f"{name}, {surroundings}: it made other outputs of the same inputs.")
    if environment.architecture(made.get("system", "")) == environment.architecture(here["system"]):
        return False
    print("Another architecture rounds differently, so what counts is the metrics:")
    agree = [metrics_agree(dataset, head, folder) for folder in folders.values()]  # each prints its metrics
    return all(agree)


def metrics_agree(dataset: str, head: Revision, folder: Path) -> bool:
    """Whether no metric differs, beyond chance, by more than a review tolerates; prints each."""
    tolerance, bins = comparison.rules(head, head)
    before = head.predictions(dataset)
    path = layout.predictions(dataset)
    after = revision.prediction_table((folder / path).read_bytes(), str(path))
    if before is None or before["actual"].tolist() != after["actual"].tolist():
        raise UserError(f"{path} at {head.name}: expected the predictions for the same test images")
    agree = True
    for difference in statistics.compare(before, after, bins):
        within = max(difference.low, -difference.high) <= tolerance[difference.metric]
        agree &= within
        print(
            f"{difference.metric}: {difference.before:.4f}, here {difference.after:.4f}:",
            "within" if within else "NOT within",
            f"{tolerance[difference.metric]:g} and chance",
        )
    return agree


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m verify", description=__doc__)
    parser.add_argument(
        "dataset", nargs="*", help="a key under `datasets:` in params.yaml; all if none is named"
    )
    given = parser.parse_args()
    command.finish(lambda: main(given.dataset))
