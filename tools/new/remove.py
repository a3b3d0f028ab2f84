"""Remove a data set with its results, or rename it: python -m tools.new.remove NAME [--rename-to NEW].

Sections of params.yaml and tools.yaml, stages in dvc.lock, an artifact in dvc.yaml, metrics, predictions,
plots, the model card, raw files, arrays and the network go along. Until the next commit, git and DVC can
bring back what was committed; the last line says how.
"""

import re
import shutil
from pathlib import Path

from stages.common import checksums, command, files, layout
from stages.common.errors import UserError
from stages.common.fields import Key
from stages.common.validation import validate
from stages.parameters import FILE as PARAMETERS_FILE
from stages.parameters import load as load_parameters
from tools.common import dvc, dvc_lock, git, settings
from tools.new import results, yaml_text
from tools.predict import card

PIPELINE = Path("dvc.yaml")
STAGES = ("fetch", "preprocess", "train", "evaluate")
CARDS = Path("cards")
EXPLORED = Path("explore")


def remove(name: str) -> None:
    """Remove a data set, and print what to do next.

    Raises:
        UserError: if there is no such data set or no other one, or if a file is no result of a stage.
    """
    parameters = load_parameters()
    parameters.dataset(name)
    if len(parameters.datasets) == 1:
        raise UserError(
            f"{PARAMETERS_FILE}: expected another data set beside {name}, found none; add one first"
        )
    _expect_nothing_strange(name)
    written = results.list_files(name)
    way_back = _find_way_back(name)
    is_card_made = _is_card_made(name)
    _write_sections(*(yaml_text.remove_section(text, name) for text in _read_sections(name)))
    _forget(name)
    _explored_page(name).unlink(missing_ok=True)
    layout.checkpoint(name).unlink(missing_ok=True)
    for path in layout.outputs(name):
        if path.is_dir() and not path.is_symlink():  # what a link leads to is the user's
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if is_card_made:
        _card(name).unlink()
    _remove_empty_folders(name)
    print(f"Removed {name}: its sections, its stages in {dvc_lock.FILE}, and {len(written):,} files.")
    print(f"Next: git add --all, and commit. {way_back}")


def rename(name: str, new_name: str) -> None:
    """Give a data set another name, and print what to do next.

    Raises:
        UserError: if there is no such data set, if the new name is taken or has files, or if a file is no
            result of a stage.
    """
    parameters = load_parameters()
    parameters.dataset(name)
    validate(Key, new_name, "the new name")
    if new_name in parameters.datasets or results.list_files(new_name):
        raise UserError(f"{PARAMETERS_FILE}: expected a new name, found {new_name!r} in use; choose another")
    _expect_nothing_strange(name)
    is_card_made = _is_card_made(name)
    is_complete = dvc.run("status", *(f"{stage}@{name}" for stage in STAGES)).strip().endswith("up to date.")
    _write_sections(*(yaml_text.rename_section(text, name, new_name) for text in _read_sections(name)))
    _forget(name, new_name)
    _explored_page(name).unlink(missing_ok=True)  # which has the old name in it
    layout.checkpoint(name).unlink(missing_ok=True)  # of a training of the old name
    for old, new in zip(layout.outputs(name), layout.outputs(new_name), strict=True):
        if old.exists():
            new.parent.mkdir(parents=True, exist_ok=True)
            old.rename(new)
    if is_card_made:
        _card(name).unlink()
    _remove_empty_folders(name)
    model = layout.model(new_name)
    if model.exists():  # the file of its checksum names it
        checksums.write(checksums.checksum_path(model), [model])
    print(f"Renamed {name} to {new_name}: its sections and its results.")
    if is_complete:
        dvc.run("commit", "--force", *(f"{stage}@{new_name}" for stage in STAGES))
        print("Next: git add --all, and commit.")
    else:
        print(
            f"Next: dvc repro evaluate@{new_name}, as not all results were here and up to date; then commit."
        )
    print(f"To undo this: make remove NAME={new_name} TO={name}.")


def _find_way_back(name: str) -> str:
    """Return a sentence on how to undo the removal of a data set, before it is removed."""
    committed = git.try_run("show", f"HEAD:./{PARAMETERS_FILE}")
    if committed is None or name not in yaml_text.list_sections(committed.decode(errors="replace")):
        return f"This cannot be undone, since no commit has {name}; make new adds it again."
    has_changes = git.run("status", "--porcelain", "--untracked-files=no") != b""
    loss = ", which takes back every other change since the last commit, too," if has_changes else ""
    stages = " ".join(f"{stage}@{name}" for stage in STAGES)
    return f"To undo this: git checkout .{loss} and dvc checkout {stages}."


def _expect_nothing_strange(name: str) -> None:
    if strange := results.list_strange(name):
        raise UserError(
            f"{strange[0]}: expected results of a stage, found a file that neither git nor DVC keeps, and "
            "no stage makes again; move it elsewhere, then run the same command again"
        )


def _read_sections(name: str) -> list[str]:
    """Return the texts of params.yaml and tools.yaml; the latter only if it has a section of the data set."""
    texts = [yaml_text.read(PARAMETERS_FILE)]
    return [*texts, yaml_text.read(settings.FILE)] if name in settings.load().datasets else texts


def _write_sections(parameters_text: str, settings_text: str | None = None) -> None:
    yaml_text.write_both(parameters_text, settings_text or yaml_text.read(settings.FILE))


def _forget(name: str, new_name: str | None = None) -> None:
    """Remove a data set from dvc.lock, and its artifact from dvc.yaml, or give the artifact another name."""
    if dvc_lock.FILE.exists():
        lock = yaml_text.read(dvc_lock.FILE)
        for stage in STAGES:
            lock = re.sub(rf"^  {stage}@{name}:\r?\n(?:    .*\n|  - .*\n)*", "", lock, flags=re.MULTILINE)
        files.write_text(dvc_lock.FILE, yaml_text.fill_empty(lock, "stages"))
    pipeline = yaml_text.read(PIPELINE)
    artifact = re.compile(
        rf"^  (\S+):\r?\n    path: {re.escape(layout.model(name).as_posix())}[ ]*\r?\n(?:    .*\r?\n?)*",
        re.MULTILINE,
    )
    match = artifact.search(pipeline)
    if match is None:
        return
    block = ""
    if new_name is not None:
        key = match[1].replace(name.replace("_", "-"), new_name.replace("_", "-"))
        block = match[0].replace(f"  {match[1]}:", f"  {key}:", 1)
        block = block.replace(layout.model(name).as_posix(), layout.model(new_name).as_posix())
    changed = pipeline[: match.start()] + block + pipeline[match.end() :]
    with files.atomic_file(PIPELINE) as new:
        new.write_bytes(yaml_text.fill_empty(changed, "artifacts").encode())


def _is_card_made(name: str) -> bool:
    """Return whether there is a model card as `tools.predict.card` writes it, which nobody has edited."""
    if not _card(name).is_file():
        return False
    try:
        text = card.build_card(name, load_parameters(), settings.load())
    except UserError:
        return False
    return text == _card(name).read_text(encoding="utf-8")


def _card(name: str) -> Path:
    return CARDS / f"{name}.md"


def _explored_page(name: str) -> Path:
    """Return the page that `make explore` writes."""
    return EXPLORED / f"{name}.html"


def _remove_empty_folders(name: str) -> None:
    for folder in {path.parent for path in layout.outputs(name)}:
        if folder.name == name and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.new.remove", description=__doc__)
    parser.add_argument("name", help="a key under `datasets:` in params.yaml")
    parser.add_argument("--rename-to", metavar="NEW", help="keep everything, under another name")
    arguments = parser.parse_args()
    command.finish(
        lambda: (
            remove(arguments.name)
            if arguments.rename_to is None
            else rename(arguments.name, arguments.rename_to)
        )
    )
