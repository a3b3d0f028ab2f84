"""Results of several training seeds, by training both revisions anew."""

import shlex
import tempfile
from pathlib import Path

from ruamel.yaml import YAML
from tqdm import tqdm

from stages.common import layout, packages, params_file
from stages.common.errors import UserError
from tools.common import dvc, git
from tools.common.revision import Result, Revision, parse_metrics, parse_predictions, snapshot

FEWEST_SEEDS = 2  # the spread over seeds needs two

DATA_STAGES = ("fetch", "preprocess")


def train_both(
    base: Revision, later: Revision, datasets: list[str], seeds: int, split: str, *, native: bool = False
) -> dict[str, tuple[list[Result], list[Result]]]:
    """Train both revisions with several seeds.

    Args:
        base: the earlier revision.
        later: the later revision.
        datasets: the keys of the data sets.
        seeds: the number of trainings of each data set at each revision.
        split: whose results are returned.
        native: whether to train natively with all seeds but the first, whose results are there already.

    Returns:
        For each data set, the results at the base and at the later revision, one for each seed.

    Raises:
        UserError: before any training, if the packages installed here are not those of both revisions.
    """
    check_packages(base, later)
    if native:
        _expect_portable(base, later, datasets)
    before, after = (train(revision, datasets, seeds, split, native) for revision in (base, later))
    return {dataset: (before[dataset], after[dataset]) for dataset in datasets}


def check_packages(base: Revision, later: Revision) -> None:
    """Check that the packages installed here are those of both revisions.

    A training with other packages would put a wrong result into the run cache: DVC records the versions
    in the file of the revision, not the installed ones.

    Raises:
        UserError: naming each package of another version.
    """
    before, after = (revision.yaml(packages.FILE) for revision in (base, later))
    for revision, versions in ((base, before), (later, after)):
        differences = [
            f"expected {package} {version}, found {packages.installed_version(package) or 'none'}"
            for package, version in versions.items()
            if version != packages.installed_version(package)
        ]
        if not differences:
            continue
        if any(before[package] != after[package] for package in before.keys() & after.keys()):
            hint = "no environment can train both revisions: run make review without SEEDS"
        elif revision.commit is None:
            hint = "run make install"
        else:
            name = shlex.quote(revision.name)
            hint = (
                "run make review in an environment of that commit: "
                f"git switch --detach {name} && make install"
            )
        raise UserError(f"{packages.FILE} at {revision.name}: {', '.join(differences)}; {hint}")


def _expect_portable(base: Revision, later: Revision, datasets: list[str]) -> None:
    """Raise a UserError unless both revisions are portable: native seeds would hide another change."""
    sections = [revision.section(params_file.FILE, "datasets") for revision in (base, later)]
    for name in datasets:
        before, after = (section[name].get("computation") for section in sections)
        if (before, after) != ("portable", "portable"):
            raise UserError(
                f"{params_file.FILE}: datasets.{name}.computation: expected portable at both revisions, "
                f"found {before or 'none'} at {base.name}, {after or 'none'} at {later.name}; run it without "
                "NATIVE=1"
            )


def train(
    revision: Revision, datasets: list[str], seeds: int, split: str, native: bool
) -> dict[str, list[Result]]:
    """Train and score a revision once for each seed, in a clone that shares the cache of this folder.

    A training that was done before comes out of the cache. The seed in params.yaml decides the held-out
    split, too: the split is made once, with that seed, so that all networks are scored on the same images.

    Returns:
        For each data set, a result for each seed, from the seed in params.yaml upwards.
    """
    results: dict[str, list[Result]] = {dataset: [] for dataset in datasets}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "clone")
        git.clone(snapshot(revision), folder)
        dvc.share_cache(folder)
        kept = [f"{stage}@{name}" for name in datasets for stage in DATA_STAGES if revision.stages(name)]
        if kept:  # else the first stage would fetch again what the cache has
            dvc.run("checkout", "--allow-missing", *kept, folder=folder)
        original = (folder / params_file.FILE).read_text(encoding="utf-8")
        trainings = [(dataset, number) for dataset in datasets for number in range(seeds)]
        for dataset, number in tqdm(trainings, desc=f"training {revision.name}", unit="network"):
            yaml = YAML()
            content = yaml.load(original)
            content["datasets"][dataset]["seed"] += number
            if native and number > 0:
                content["datasets"][dataset]["computation"] = "native"
            yaml.dump(content, folder / params_file.FILE)
            stages = [f"evaluate@{dataset}"] if number == 0 else [f"train@{dataset}", f"evaluate@{dataset}"]
            dvc.run("repro", *(["--single-item"] if number else []), *stages, folder=folder)
            results[dataset].append(_read_result(folder, revision, dataset, split))
    return results


def _read_result(folder: Path, revision: Revision, dataset: str, split: str) -> Result:
    predictions, metrics = layout.predictions(dataset, split), layout.metrics(dataset)
    return Result(
        parse_predictions((folder / predictions).read_bytes(), f"{predictions} at {revision.name}"),
        parse_metrics((folder / metrics).read_bytes(), split, f"{metrics} at {revision.name}"),
    )
