"""Repair what a killed DVC, a full disk or a rotten one leaves behind, so that the next run can begin.

Without --quick, every file that DVC keeps is read, and files with another checksum than they had are removed,
for `dvc repro` to make them again. `make repro` begins with the quick part. While DVC runs here, nothing is
done.
"""

from collections.abc import Iterator
from pathlib import Path

from stages import parameters
from stages.common import checksums, command, files, layout
from stages.common.errors import UserError
from stages.splits import arrays
from tools.common import dvc, dvc_hashes, dvc_lock, dvc_processes, git
from tools.repair import head

KEPT_BY_DVC = (dvc.CACHE, Path("data"), Path("models"))
UNFINISHED = "**/.*.partial.*"


def main(*, quick: bool) -> None:
    """Repair, and print what was done.

    Raises:
        UserError: if dvc.lock has marks of a conflict, with which no DVC can run.
    """
    with dvc_processes.keep_dvc_out() as kept_out:
        if not kept_out:
            print("DVC is running here; nothing is repaired meanwhile.")
            return
        repairs = [
            *dvc_processes.release(dvc.USED_FILES),
            *complete(dvc_lock.FILE),
            *remove_copies(),
            *head.attach(),
        ]
        if not quick:
            cache = Path(dvc.run("cache", "dir").strip())
            repairs += [*remove_rotten_results(), *remove_rotten_objects(cache)]
    for repair in repairs:
        print(f"repaired: {repair}")
    if git.CONFLICT_MARK.search(dvc_lock.read_text()):
        raise UserError(
            f"{dvc_lock.FILE}: expected the stages of one branch, found marks of a conflict between two; run "
            "make merge, which settles it"
        )
    if not repairs and not quick:
        print("Nothing to repair.")


def complete(path: Path) -> Iterator[str]:
    """Complete a dvc.lock that DVC was killed in writing, from the committed dvc.lock."""
    if not path.exists():
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    if git.CONFLICT_MARK.search(text):
        return  # the commit has only one of the sides
    before, last = dvc_lock.split(text)
    if dvc_lock.is_complete(last):
        return
    committed = dvc_lock.parse((git.try_run("show", f"HEAD:{path}") or b"").decode(errors="replace"))
    with files.atomic_file(path) as new:
        dvc_lock.dump({**committed, **dvc_lock.parse(before)}, new)
    yield f"{path}: was cut off; what it had lost is as in the last commit"


def remove_copies() -> Iterator[str]:
    """Remove DVC's incomplete copies, and the unfinished writes of killed stages."""
    folders = [folder for folder in KEPT_BY_DVC if not folder.is_symlink()]  # another project may use a link
    for path in [path for folder in folders for path in folder.glob(dvc.INCOMPLETE_COPIES)]:
        path.unlink()
        yield f"{path}: an incomplete copy, removed"
    for path in [path for folder in layout.OUTPUTS for path in folder.glob(UNFINISHED)]:
        if files.remove_if_left(path):
            yield f"{path}: left by a stage that was killed, removed"


def remove_rotten_results() -> Iterator[str]:
    """Remove raw files, arrays and models with other checksums than their stage wrote."""
    for dataset, settings in parameters.load().datasets.items():
        raw = layout.raw(dataset)
        for name, expected in settings.files.items_by_file().items():
            if (raw / name).exists() and checksums.sha256(raw / name) != expected.sha256:
                (raw / name).unlink()
                yield f"{raw / name}: another file than it was, removed"
        for split in layout.SPLITS:
            folder = layout.processed(dataset, split)
            sums, *both = (folder / file for file in (arrays.CHECKSUMS, arrays.IMAGES, arrays.LABELS))
            if folder.exists() and not _are_right(sums, *both):
                for file in (sums, *both):
                    file.unlink(missing_ok=True)
                yield f"{folder}: another content than it was, its files removed"
        model = layout.model(dataset)
        if model.exists() and not _are_right(checksums.checksum_path(model), model):
            model.unlink()
            checksums.checksum_path(model).unlink(missing_ok=True)
            yield f"{model}: another file than it was, removed"


def _are_right(sums: Path, *paths: Path) -> bool:
    try:
        checksums.check(sums, paths)
    except UserError:
        return False
    return True


def remove_rotten_objects(cache: Path) -> Iterator[str]:
    """Remove files from DVC's cache with another hash than their name; DVC trusts write-protected files."""
    for path, expected, digest in dvc_hashes.find_rotten_objects(cache):
        path.unlink()
        yield f"{path}: expected MD5 {expected}, found {digest}; removed"


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.repair", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only what takes no time")
    arguments = parser.parse_args()
    command.finish(lambda: main(quick=arguments.quick))
