"""Run the committed state again, from the raw files, and compare the hash of every output with dvc.lock.

Exit code: 0 if every output is the same; 1 if one differs; 2 if the comparison could not be made. Where the
network was trained on a processor of another architecture, or natively on another machine, the metrics are
compared instead.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ruamel.yaml import YAML

from stages.common import command, layout, params_file
from stages.common.addresses import hide_secrets
from stages.common.errors import UserError
from stages.common.validation import validate
from stages.parameters import Parameters
from tools.common import dvc_lock
from tools.common.dvc_lock import Stage
from tools.common.revision import Revision, find_revision, parse_predictions
from tools.common.smallest import find_smallest
from tools.review import gate, inputs, statistics
from tools.verify.rerun import ODD, ODD_NATIVE, USUAL, Surroundings, can_cut_off_network, rerun

RAW = Path("data/raw")
HASH_CHARACTERS = 8  # shown


def main(datasets: Sequence[str], *, smallest: bool = False) -> int:
    """Verify data sets of HEAD, and return the exit code.

    Args:
        datasets: their names; all data sets, if empty.
        smallest: whether to verify the one with the smallest raw files instead.
    """
    head = find_revision("HEAD")
    if smallest:
        place = f"{params_file.FILE} at {head.name}"
        datasets = [find_smallest(validate(Parameters, head.yaml(params_file.FILE), place))]
    datasets = datasets or list(head.section(params_file.FILE, "datasets"))
    expected = {dataset: read_expected_stages(head, dataset) for dataset in datasets}
    has_raw_files = all((RAW / dataset).is_dir() for dataset in datasets)
    raw = str(RAW) if has_raw_files else os.environ.get("DATASETS_MIRROR", str(RAW))
    if "://" in raw:
        raise UserError(
            "DATASETS_MIRROR: expected a folder, since this runs without a network, found "
            f"{hide_secrets(raw)}"
        )
    print(f"Verifying commit {head.commit}: what is not committed does not count.")
    up_to_date = [is_up_to_date(head, dataset) for dataset in datasets]  # each call prints what is not
    if not all(up_to_date):
        return 1
    if not can_cut_off_network():
        print("The internet stays reachable: this system cannot cut a program off from it.")
    sections = head.section(params_file.FILE, "datasets")
    native = [name for name in datasets if sections.get(name, {}).get("computation") == "native"]
    portable = [name for name in datasets if name not in native]
    verified = []
    for names, odd in ((portable, ODD), (native, ODD_NATIVE)):
        if names:
            with tempfile.TemporaryDirectory() as scratch:
                folders = rerun_twice(head, names, Path(raw).absolute(), odd, Path(scratch))
                verified += [report(name, head, expected[name], folders) for name in names]
    print("\nVerified." if all(verified) else "\nNOT verified.")
    return 0 if all(verified) else 1


def rerun_twice(
    head: Revision, datasets: Sequence[str], raw: Path, odd: Surroundings, scratch: Path
) -> dict[str, Path]:
    """Run a commit in usual and in odd surroundings, and return the clones by the names of these."""
    with ThreadPoolExecutor() as pool:  # at the same time: much of a stage is one processor's work
        runs = {
            surroundings.name: pool.submit(rerun, str(head.commit), datasets, raw, surroundings, scratch)
            for surroundings in (USUAL, odd)
        }
    return {name: run.result() for name, run in runs.items()}


def read_expected_stages(head: Revision, dataset: str) -> dict[str, Stage]:
    """Return the stages of a data set in the committed dvc.lock.

    Raises:
        UserError: if there are none.
    """
    names = head.section(params_file.FILE, "datasets")
    if dataset not in names:
        raise UserError(
            f"{params_file.FILE} at {head.name}: datasets: expected one of {', '.join(names)}, "
            f"found {dataset!r}; commit a new data set first"
        )
    stages = head.stages(dataset)
    if not stages:
        raise UserError(
            f"{dvc_lock.FILE} at {head.name}: expected stages of {dataset!r}, found none; "
            "run dvc repro and commit"
        )
    return stages


def is_up_to_date(head: Revision, dataset: str) -> bool:
    """Return whether the committed files and parameters agree with dvc.lock; print those that do not."""
    stale = inputs.find_stale(head, dataset)
    if stale:
        print(
            f"{dataset}: NOT verified: {dvc_lock.FILE} records another version of {', '.join(stale)}: "
            f"run dvc repro evaluate@{dataset} and commit."
        )
    return not stale


def report(dataset: str, head: Revision, expected: Mapping[str, Stage], folders: Mapping[str, Path]) -> bool:
    """Print a table of a data set's outputs, and the causes of differences.

    Args:
        dataset: its key.
        head: the commit that was run again.
        expected: its stages according to that commit.
        folders: the clones in which it was run, by the name of the surroundings.

    Returns:
        Whether the data set is verified.
    """
    rerun_stages = {
        name: dvc_lock.read_stages(YAML(typ="safe").load(folder / dvc_lock.FILE)["stages"], dataset)
        for name, folder in folders.items()
    }
    committed = dvc_lock.collect_outputs(expected)
    reruns = [dvc_lock.collect_outputs(stages) for stages in rerun_stages.values()]
    print(f"\n{dataset}")
    print(f"{'output':36} {'expected':10}", *(f"{name:16}" for name in folders), "verdict")
    for path in dict.fromkeys([*committed, *(path for hashes in reruns for path in hashes)]):
        values = [hashes.get(path, "nothing") for hashes in (committed, *reruns)]
        print(
            f"{path:36} {values[0][:HASH_CHARACTERS]:10}",
            *(f"{value[:HASH_CHARACTERS]:16}" for value in values[1:]),
            "same" if len(set(values)) == 1 else "DIFFERENT",
        )
    if all(hashes == committed for hashes in reruns):
        return True
    for surroundings, stages in rerun_stages.items():
        for name in dvc_lock.find_culprits(expected, stages):
            print(f"{name}, {surroundings}: it made other outputs of the same inputs.")
    architecture = layout.architecture(dataset).as_posix()
    here = reruns[0].get(architecture)
    if architecture not in committed or here is None or committed[architecture] == here:
        return False
    if any(hashes != reruns[0] for hashes in reruns):
        print("The outputs of the two runs differ, which no architecture excuses.")
        return False
    print(
        "The network was trained on another architecture, or natively on another machine, which rounds "
        "differently: the metrics decide."
    )
    return do_metrics_agree(dataset, head, next(iter(folders.values())))


def do_metrics_agree(dataset: str, head: Revision, folder: Path) -> bool:
    """Return whether no metric is shown to differ by more than a review tolerates; print each metric.

    A metric differs if all of its 95 % interval, from `tools.review.statistics.compare`, is beyond the
    tolerance, in either direction. A metric without a tolerance decides nothing.
    """
    tolerance = gate.read_tolerance(head, head)
    before = head.predictions(dataset, "test")
    path = layout.predictions(dataset, "test")
    after = parse_predictions((folder / path).read_bytes(), str(path))
    if before is None or before["actual"].tolist() != after["actual"].tolist():
        raise UserError(f"{path} at {head.name}: expected the predictions for the same test images")
    agree = True
    for difference in statistics.compare([before], [after], tolerance):
        low, high = difference.interval
        allowed = float("inf") if difference.tolerance is None else difference.tolerance
        within = max(low, -high) <= allowed
        agree &= within
        print(
            f"{difference.metric}: {difference.before:.4f}, here {difference.after:.4f}:",
            "within" if within else "NOT within",
            f"{allowed:g} and chance",
        )
    return agree


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.verify", description=__doc__)
    parser.add_argument(
        "dataset", nargs="*", help="a key under `datasets:` in params.yaml; all if none is named"
    )
    parser.add_argument(
        "--smallest", action="store_true", help="the data set with the smallest raw files, if none is named"
    )
    arguments = parser.parse_args()
    command.finish(lambda: main(arguments.dataset, smallest=arguments.smallest and not arguments.dataset))
