"""Settle results and dvc.lock after a merge, a rebase or a cherry-pick: python -m tools.merge.

Conflicts in params.yaml and other files that people write are settled by hand first. Then dvc.lock is merged
stage by stage, and DVC runs what the merged parameters and code make necessary. Nothing is committed. If a
stage fails, the conflicts stay as they are, for another try.
"""

import contextlib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stages.common import command
from stages.common.errors import UserError
from stages.parameters import FILE as PARAMETERS_FILE
from stages.parameters import load as load_parameters
from tools.common import dvc, dvc_lock, dvc_processes, git
from tools.merge import conflicts, lock
from tools.merge.conflicts import Conflict
from tools.merge.lock import Versions


def main() -> int:
    """Settle what stages write, print what was done and what to do next, and return the exit code.

    Raises:
        UserError: if anything else is a conflict, if params.yaml has a mistake, or if DVC runs here.
    """
    declared = conflicts.list_unmerged()
    next_step = git.find_next_step()
    versions = lock.find_versions(declared, is_under_way=next_step is not None)
    if not declared and versions is None and next_step is None:
        print("Nothing to settle. (After a merge without conflicts, dvc repro runs what is out of date.)")
        return 0
    generated = _select_generated(declared, versions)
    _expect_settled_by_hand(declared, generated)
    load_parameters()
    _write_whole_files(generated, versions)
    before = _drop_undefined_stages()
    _fetch_outputs([name for name in versions.list_theirs() if name in before] if versions else [])
    print("dvc repro", flush=True)
    if code := dvc.run_visibly("repro"):
        print(
            f"error: dvc repro: expected its success, found exit code {code}; no conflict was settled; "
            "correct what DVC names above, then run make merge again",
            file=sys.stderr,
        )
        return code
    after = dvc_lock.parse(dvc_lock.read_text())
    removed = _add_to_index(generated, after)
    changed = [name for name, stage in after.items() if stage != before.get(name)]
    print(f"Settled: {dvc_lock.FILE}, and {len(generated)} results that were conflicts.")
    if removed:
        print(f"Removed, as no stage writes them any more: {', '.join(map(str, removed))}.")
    print(f"Run again: {', '.join(changed) or 'no stage'}.")
    if not_added := conflicts.list_changed():
        print(f"Changed, but not added: {', '.join(map(str, not_added))}; git add what belongs to the merge.")
    print(f"Next: {next_step or 'git commit'}")
    return 0


def _select_generated(declared: Mapping[Path, Conflict], versions: Versions | None) -> dict[Path, Conflict]:
    """Return the conflicts in files that a stage writes, or has written on either branch."""
    present = dvc_lock.parse(dvc_lock.read_text())
    records = (versions.base, versions.ours, versions.theirs) if versions else (present,)
    outputs = {path for stages in records for path in _list_outputs(stages)}
    return {path: conflict for path, conflict in declared.items() if _is_in(path, outputs)}


def _list_outputs(stages: Mapping[str, Any]) -> set[Path]:
    return {Path(output["path"]) for stage in stages.values() for output in stage.get("outs", [])}


def _is_in(path: Path, outputs: Iterable[Path]) -> bool:
    return any(path.is_relative_to(output) for output in outputs)


def _expect_settled_by_hand(declared: Iterable[Path], generated: Iterable[Path]) -> None:
    written = [path for path in conflicts.list_changed("HEAD") if path.exists()]
    marked = conflicts.list_marked({*written, PARAMETERS_FILE})
    names = sorted(map(str, {*declared, *marked} - {*generated, dvc_lock.FILE}))
    if names:
        raise UserError(
            f"{', '.join(names)}: expected conflicts only in results and {dvc_lock.FILE}, found some here; "
            f"nothing was changed; settle them by hand, git add {' '.join(names)}, then run make merge again"
        )


def _write_whole_files(generated: Mapping[Path, Conflict], versions: Versions | None) -> None:
    """Write a dvc.lock without marks, and each result as one of the branches has it."""
    with dvc_processes.keep_dvc_out() as kept_out:
        if not kept_out:
            raise UserError(
                ".: expected no DVC to run here, found one; wait for its end, then run make merge again"
            )
        list(dvc_processes.release(dvc.USED_FILES))  # a run that was killed may have been this command's
        if versions is not None:
            lock.write(versions.merge())
        conflicts.restore(generated)


def _drop_undefined_stages() -> dict[str, Any]:
    """Drop the stages from dvc.lock that dvc.yaml has for no data set, and return the others."""
    stages = dvc_lock.parse(dvc_lock.read_text())
    defined = set(dvc.run("stage", "list", "--name-only").split())
    others = {name: stage for name, stage in stages.items() if name in defined}
    if others != stages:
        lock.write(others)
    return others


def _fetch_outputs(names: list[str]) -> None:
    """Fetch the outputs of stages from DVC's cache; what it lacks, or might destroy, is made again."""
    if names:
        with contextlib.suppress(UserError):
            dvc.run("checkout", *names)


def _add_to_index(generated: Mapping[Path, Conflict], stages: Mapping[str, Any]) -> list[Path]:
    """Add dvc.lock and the results to git's index; remove conflicts that are no results, and return them."""
    outputs = _list_outputs(stages)
    removed = [path for path in generated if not _is_in(path, outputs)]
    if removed:
        git.run("rm", "--quiet", "--force", "--", *map(str, removed), **conflicts.LITERAL)
    results = conflicts.list_kept(outputs)
    git.run("add", "--", *map(str, [dvc_lock.FILE, *results]), **conflicts.LITERAL)
    return removed


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.merge", description=__doc__)
    parser.parse_args()
    command.finish(main)
