"""Run the committed state again, from the raw files, and compare the hash of every output with dvc.lock.

Exit code: 0 if every output is the same; 1 if one is not; 2 if it could not be told. Where the processor is
of another architecture than the results were made on, the metrics are compared instead.
"""

import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ruamel.yaml import YAML

from stages import parameters
from stages.common import command, environment, layout
from stages.common.errors import UserError
from tools.common import dvc_lock, revision
from tools.common.dvc_lock import Stage
from tools.common.revision import Revision
from tools.review import changes, comparison, statistics
from tools.verify.rerun import ODD, USUAL, network_can_be_cut_off, rerun

RAW = Path("data/raw")
HASH_SHOWN = 8  # characters


def main(datasets: Sequence[str]) -> int:
    """Verify some data sets of HEAD, or all of them, and return the exit code."""
    head = revision.find("HEAD")
    datasets = datasets or list(head.section(parameters.FILE, "datasets"))
    expected = {dataset: expected_stages(head, dataset) for dataset in datasets}
    raw = os.environ.get("DATASETS_MIRROR", str(RAW))
    if "://" in raw:
        raise UserError(f"DATASETS_MIRROR: expected a folder, since this runs without a network, found {raw}")
    print(f"Verifying commit {head.commit}: what is not committed does not count.")
    up_to_date = [is_up_to_date(head, dataset) for dataset in datasets]  # each says what is not
    if not all(up_to_date):
        return 1
    if not network_can_be_cut_off():
        print("The network stays on: this system does not let a program run without it.")
    with tempfile.TemporaryDirectory() as scratch:
        with ThreadPoolExecutor() as pool:  # at the same time: much of a stage is one processor's work
            runs = {
                one.name: pool.submit(
                    rerun, str(head.commit), datasets, Path(raw).absolute(), one, Path(scratch)
                )
                for one in (USUAL, ODD)
            }
        folders = {name: run.result() for name, run in runs.items()}
        verified = [report(dataset, head, expected[dataset], folders) for dataset in datasets]
    print("\nVerified." if all(verified) else "\nNOT verified.")
    return 0 if all(verified) else 1


def expected_stages(head: Revision, dataset: str) -> dict[str, Stage]:
    """What the committed dvc.lock says of a data set."""
    stages = dvc_lock.at(head, dataset)
    if not stages:
        raise UserError(
            f"{dvc_lock.FILE} at {head.name}: expected stages of {dataset!r}, found none; "
            "run dvc repro and commit"
        )
    return stages


def is_up_to_date(head: Revision, dataset: str) -> bool:
    """Whether the committed files and parameters are those of dvc.lock; prints the ones that are not."""
    stale = changes.stale(head, dataset)
    if stale:
        print(
            f"{dataset}: NOT verified: {dvc_lock.FILE} was made with, or made, another {', '.join(stale)}: "
            f"run dvc repro evaluate@{dataset} and commit."
        )
    return not stale


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
        name: dvc_lock.stages(YAML(typ="safe").load(folder / dvc_lock.FILE)["stages"], dataset)
        for name, folder in folders.items()
    }
    wanted, got = dvc_lock.outputs(expected), [dvc_lock.outputs(stages) for stages in found.values()]
    print(f"\n{dataset}")
    print(f"{'output':36} {'expected':10}", *(f"{name:16}" for name in folders), "verdict")
    for path in dict.fromkeys([*wanted, *(path for hashes in got for path in hashes)]):
        values = [hashes.get(path, "nothing") for hashes in (wanted, *got)]
        print(
            f"{path:36} {values[0][:HASH_SHOWN]:10}",
            *(f"{value[:HASH_SHOWN]:16}" for value in values[1:]),
            "same" if len(set(values)) == 1 else "DIFFERENT",
        )
    made = environment.parse(head.read(layout.environment(dataset)))
    here = environment.describe()
    for name in here:
        if made.get(name) != here[name]:
            print(f"It was made with another {name}: {made.get(name, 'unknown')}; here it is {here[name]}.")
    if all(hashes == wanted for hashes in got):
        record = layout.environment(dataset)
        again = [environment.parse((folder / record).read_bytes()) for folder in folders.values()]
        if any(one.get("model_sha256") != made.get("model_sha256") for one in again):
            print(f"NOT verified: {record} is of another model: commit the one that dvc repro writes.")
            return False
        return True
    for surroundings, stages in found.items():
        for name in dvc_lock.culprits(expected, stages):
            print(f"{name}, {surroundings}: it made other outputs of the same inputs.")
    system = made.get("system", here["system"])
    if environment.architecture(system) == environment.architecture(here["system"]):
        return False
    if any(hashes != got[0] for hashes in got):
        print("What was made here differs between the surroundings, which no architecture excuses.")
        return False
    print(f"It was made on {system}. Another architecture rounds differently: what counts is the metrics.")
    return metrics_agree(dataset, head, next(iter(folders.values())))


def metrics_agree(dataset: str, head: Revision, folder: Path) -> bool:
    """Whether no metric certainly differs by more than a review tolerates, in either direction; prints each.

    A metric differs if all of its 95 % interval, as `compare.statistics.compare` has it, is beyond that.
    """
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
    parser = command.Parser(prog="python -m tools.verify", description=__doc__)
    parser.add_argument(
        "dataset", nargs="*", help="a key under `datasets:` in params.yaml; all if none is named"
    )
    given = parser.parse_args()
    command.finish(lambda: main(given.dataset))
