"""Put right what a killed DVC, a full disk or a rotten one leaves behind, so that the next run can begin.

Without --quick, every file that DVC keeps is read, and those that are not what they were are removed, for
`dvc repro` to make them again. `make repro` begins with the quick part. While DVC runs here, nothing is done.
"""

import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import zc.lockfile
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages import parameters
from stages.common import checksums, command, files, layout, parent
from stages.common.errors import UserError
from stages.splits import arrays
from tools.common.programs import dvc, try_git

LOCK = Path("dvc.lock")
TMP = Path(".dvc/tmp")
CACHE = Path(".dvc/cache")
KEPT_BY_DVC = (CACHE, Path("data"), Path("models"))
WRITTEN_BY_STAGES = tuple(map(Path, ("data", "models", "metrics", "predictions", "plots", "environment")))
UNFINISHED = "**/.*.partial.*"
COPIES = "**/.*.tmp"  # what DVC calls a copy until it is complete
CONFLICT = re.compile(r"^(<<<<<<<|>>>>>>>) ", re.MULTILINE)  # how git marks it


def main(*, quick: bool) -> None:
    """Repair, and say what was done."""
    with dvc_kept_out() as kept_out:
        if not kept_out:
            print("DVC is running here; nothing is repaired meanwhile.")
            return
        done = [*release(TMP / "rwlock"), *complete(LOCK), *remove_copies()]
        if not quick:
            cache = Path(dvc("cache", "dir").strip())
            done += [*remove_rotten_results(), *remove_rotten_objects(cache)]
    for line in done:
        print(f"repaired: {line}")
    if not done and not quick:
        print("Nothing to repair.")


@contextlib.contextmanager
def dvc_kept_out() -> Iterator[bool]:
    """Hold DVC's own lock, unless DVC runs here: whether it is held."""
    TMP.mkdir(parents=True, exist_ok=True)
    try:
        lock = zc.lockfile.LockFile(str(TMP / "lock"))
    except zc.lockfile.LockError:
        yield False
        return
    with contextlib.closing(lock):
        yield not dvc_runs_a_stage(TMP / "rwlock")  # for as long as that takes, DVC does without the lock


def dvc_runs_a_stage(rwlock: Path) -> bool:
    """Whether a process that DVC's list of users of files names is there, and is DVC."""
    try:
        users = json.loads(rwlock.read_bytes())
        writers, readers = users.get("write", {}).values(), users.get("read", {}).values()
        pids = {user["pid"] for user in [*writers, *(one for several in readers for one in several)]}
    except (FileNotFoundError, ValueError, AttributeError, KeyError, TypeError):
        return False
    return any(_is_dvc(pid) for pid in pids)


def _is_dvc(pid: int) -> bool:
    try:
        return parent.is_dvc(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False


def release(rwlock: Path) -> Iterator[str]:
    """Remove the list of users of files: it names dead ones, or another program that got their number."""
    if rwlock.exists() and rwlock.read_bytes() not in (b'{"write": {}, "read": {}}', b"{}"):
        rwlock.unlink()
        yield f"{rwlock}: kept files locked for a DVC that is gone"


def complete(path: Path) -> Iterator[str]:
    """Complete a dvc.lock that DVC was killed in writing: what it lost is the committed one's."""
    if not path.exists():
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    if CONFLICT.search(text):
        return  # which only its author can resolve
    *_, last = [0, *(match.start() for match in re.finditer(r"^  \S+:$", text, re.MULTILINE))]
    if text.endswith("\n") and _whole(_stages(f"stages:\n{text[last:]}")):
        return
    committed = _stages((try_git("show", f"HEAD:{path}") or b"").decode(errors="replace"))
    stages = {**committed, **_stages(text[:last])}
    with files.whole_file(path) as new:
        YAML().dump({"schema": "2.0", "stages": stages}, new)
    yield f"{path}: was cut off; what it had lost is as in the last commit"


def _stages(lock: str) -> dict[str, Any]:
    try:
        stages = YAML().load(lock)["stages"]
    except (YAMLError, TypeError, KeyError):
        return {}
    return dict(stages) if isinstance(stages, dict) else {}


def _whole(stages: dict[str, Any]) -> bool:
    # DVC writes the outputs last.
    sections = [stage if isinstance(stage, dict) else {} for stage in stages.values()]
    return bool(sections) and all("outs" in stage and all(stage.values()) for stage in sections)


def remove_copies() -> Iterator[str]:
    """Remove copies that DVC has not completed, and what killed stages have not."""
    own = [folder for folder in KEPT_BY_DVC if not folder.is_symlink()]  # another project may use it now
    for path in [path for folder in own for path in folder.glob(COPIES)]:
        path.unlink()
        yield f"{path}: an incomplete copy, removed"
    for path in [path for folder in WRITTEN_BY_STAGES for path in folder.glob(UNFINISHED)]:
        if path.exists() and files.is_abandoned(path):
            shutil.rmtree(path)
            yield f"{path}: left by a stage that was killed, removed"


def remove_rotten_results() -> Iterator[str]:
    """Remove raw files, arrays and models that are not what their stage wrote."""
    for dataset, settings in parameters.load().datasets.items():
        raw = layout.raw(dataset)
        for name, expected in settings.files.by_name().items():
            if (raw / name).exists() and checksums.sha256(raw / name) != expected.sha256:
                shutil.rmtree(raw)
                yield f"{raw / name}: another file than it was; the folder removed"
                break
        for split in layout.SPLITS:
            folder = layout.processed(dataset, split)
            both = folder / arrays.IMAGES, folder / arrays.LABELS
            if folder.exists() and not _are_right(folder / arrays.CHECKSUMS, *both):
                shutil.rmtree(folder)
                yield f"{folder}: another content than it was, removed"
        model = layout.model(dataset)
        if model.exists() and not _are_right(checksums.beside(model), model):
            model.unlink()
            checksums.beside(model).unlink(missing_ok=True)
            yield f"{model}: another file than it was, removed"


def _are_right(sums: Path, *of: Path) -> bool:
    try:
        checksums.check(sums, of)
    except UserError:
        return False
    return True


def remove_rotten_objects(cache: Path) -> Iterator[str]:
    """Remove files from DVC's cache whose name is not their hash: DVC trusts what nobody may write to."""
    for path in (cache / "files/md5").glob("[0-9a-f][0-9a-f]/*"):
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "md5").hexdigest()
        if found != (path.parent.name + path.name).removesuffix(".dir"):
            path.unlink()
            yield f"{path}: expected MD5 {path.parent.name}{path.name}, found {found}; removed"


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.repair", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only what takes no time")
    given = parser.parse_args()
    command.finish(lambda: main(quick=given.quick))
