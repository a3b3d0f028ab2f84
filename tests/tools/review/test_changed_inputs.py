"""Inputs of results that have changed, or that changed without a run, in a small repository."""

from collections.abc import Callable

import pytest
from helpers import dump
from review_repository import CODE, FOLDER, SPLIT, Repository, compare, compare_all, review

from tools.common import dvc_hashes, dvc_lock
from tools.common.dvc_lock import Stage
from tools.common.revision import find_revision
from tools.review import inputs

UNIX, WINDOWS = b"# code\n", b"# code\r\n"


@pytest.mark.parametrize(("saved", "stored"), [(WINDOWS, UNIX), (UNIX, WINDOWS)])
@pytest.mark.parametrize("files", [(CODE,), (f"{FOLDER}/files.py",), (CODE, f"{FOLDER}/deep/errors.py")])
def test_line_ends_of_windows_are_no_change(
    repository: Repository, files: tuple[str, ...], saved: bytes, stored: bytes
) -> None:
    """DVC takes the hash of the file as saved; git mostly stores it with the line ends of Unix."""
    for name in files:
        (repository.folder / name).write_bytes(saved)
    repository.lock()
    for name in files:
        (repository.folder / name).write_bytes(stored)
    repository.commit("Saved on Windows")
    comparison = compare_all("HEAD^", "HEAD")["first"]
    assert (comparison.stale, comparison.code) == ({"HEAD^": [], "HEAD": []}, [])
    repository.write(files[-1], "# other code\n")
    assert compare().stale["workspace"]


@pytest.mark.parametrize(("saved", "stored"), [(WINDOWS, UNIX), (UNIX, WINDOWS)])
def test_line_ends_of_a_large_folder_are_all_of_one_kind(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, saved: bytes, stored: bytes
) -> None:
    monkeypatch.setattr(dvc_hashes, "MOST_FILES_OF_MIXED_ENDS", 1)
    files = sorted((repository.folder / FOLDER).rglob("*.py"))
    for path in files:
        path.write_bytes(saved)
    repository.lock()
    for path in files:
        path.write_bytes(stored)
    assert inputs.find_stale(find_revision("workspace"), "first") == []
    files[0].write_bytes(saved)
    repository.lock()  # of both kinds, in more files than are tried in every way
    files[0].write_bytes(stored)
    assert inputs.find_stale(find_revision("workspace"), "first") == [FOLDER]


def test_a_parameter_whose_section_is_gone_is_stale(repository: Repository) -> None:
    repository.set("datasets.first", 3)
    assert inputs.find_stale(find_revision("workspace"), "first") == ["datasets.first.training"]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda repository: repository.set("datasets.first.training.epochs", 9), "datasets.first.training"),
        (lambda repository: repository.write(CODE, "# other code\n"), CODE),
        (lambda repository: repository.write(f"{FOLDER}/deep/errors.py", "# other code\n"), FOLDER),
        (lambda repository: repository.write(f"{FOLDER}/new.py", "# code\n"), FOLDER),
        (lambda repository: (repository.folder / FOLDER / "files.py").unlink(), FOLDER),
        (
            lambda repository: (repository.folder / "metrics/first.json").write_text("{}"),
            "metrics/first.json",
        ),
    ],
    ids=["parameter", "code", "code in a folder", "new code", "removed code", "result"],
)
def test_inputs_and_results_that_changed_without_a_run_are_stale_and_stop_the_change(
    repository: Repository, change: Callable[[Repository], None], name: str
) -> None:
    change(repository)
    comparison = compare()
    assert comparison.stale == {"main": [], "workspace": [name]}
    assert "its results are out of date" in comparison.obstacles
    assert review().stopped
    repository.lock()
    assert compare().stale == {"main": [], "workspace": []}


def test_byte_code_is_not_stale(repository: Repository) -> None:
    repository.write(f"{FOLDER}/__pycache__/files.pyc", "byte code")
    assert inputs.find_stale(find_revision("workspace"), "first") == []


def test_a_result_that_is_deleted_is_stale(repository: Repository) -> None:
    (repository.folder / f"predictions/first/{SPLIT}.csv").unlink()
    assert inputs.find_stale(find_revision("workspace"), "first") == [f"predictions/first/{SPLIT}.csv"]


def test_a_parameter_of_another_file_is_stale_under_the_name_of_its_file(repository: Repository) -> None:
    of_numpy = "    params:\n      versions.yaml:\n        numpy: '1.0'\n"
    text = (repository.folder / "dvc.lock").read_text()
    repository.write("dvc.lock", text.replace("    params:\n", of_numpy, 1))
    repository.write("versions.yaml", "numpy: '2.0'\n")
    versions = {"versions.yaml": ["numpy"]}
    repository.change(
        "dvc.yaml", lambda content: content["stages"]["evaluate"]["do"]["params"].append(versions)
    )
    assert inputs.find_stale(find_revision("workspace"), "first") == ["versions.yaml: numpy"]


def test_code_and_data_that_changed_are_named(repository: Repository) -> None:
    repository.write(CODE, "# other code\n")
    repository.lock(first="other.dir")
    first, second = compare("first"), compare("second")
    assert (first.code, first.data) == ([CODE], ["data/processed/first/validation"])
    assert (second.code, second.data) == ([CODE], [])


def test_the_files_of_a_folder_that_differ_are_named(repository: Repository) -> None:
    repository.write(f"{FOLDER}/deep/errors.py", "# other code\n")
    repository.write(f"{FOLDER}/new.py", "# code\n")
    repository.write(f"{FOLDER}/__pycache__/new.pyc", "byte code")
    repository.write("stages/common_but_not_in_the_folder.py", "# code\n")
    repository.run("git", "rm", "--quiet", f"{FOLDER}/files.py")
    repository.lock()
    assert compare().code == [f"{FOLDER}/deep/errors.py", f"{FOLDER}/files.py", f"{FOLDER}/new.py"]
    repository.commit("Other code")
    repository.write(f"{FOLDER}/new.py", "# other code\n")
    head, workspace = find_revision("HEAD"), find_revision("workspace")
    assert inputs.find_changed_code(head, workspace, "first") == [f"{FOLDER}/new.py"]


@pytest.mark.parametrize(
    "code", [(CODE, f"{FOLDER}/files.py"), (CODE, f"{FOLDER}/files.py", f"{FOLDER}/deep")]
)
def test_dependencies_on_files_and_on_folders_can_be_compared(
    repository: Repository, code: tuple[str, ...]
) -> None:
    repository.lock(*code)
    repository.commit("Dependencies on files")
    repository.write(f"{FOLDER}/files.py", "# other code\n")
    repository.write(f"{FOLDER}/deep/errors.py", "# other code\n")
    repository.lock()
    repository.commit("Dependencies on folders")
    expected = [f"{FOLDER}/deep/errors.py", f"{FOLDER}/files.py"]
    files, folders = find_revision("HEAD^"), find_revision("HEAD")
    assert inputs.find_changed_code(files, folders, "first") == expected
    assert inputs.find_changed_code(folders, files, "first") == expected
    assert inputs.find_stale(files, "first") == inputs.find_stale(folders, "first") == []


def test_code_that_is_no_longer_depended_on_is_named(repository: Repository) -> None:
    name = "stages/before.py"
    repository.write(name, "# code\n")
    repository.lock(CODE, FOLDER, name)
    repository.commit("More code")
    repository.run("git", "rm", "--quiet", name)
    repository.lock()
    assert inputs.find_changed_code(find_revision("HEAD"), find_revision("workspace"), "first") == [name]


def test_missing_entries_of_dvc_lock_are_empty() -> None:
    lock = {"read@first": {"cmd": "true", "deps": [{"path": "file"}]}, "other@second": {"cmd": "true"}}
    assert dvc_lock.read_stages(lock, "first") == {"read@first": Stage("true", {"file": ""}, {}, {})}


def test_what_dvc_does_not_write_is_said() -> None:
    with pytest.raises(ValueError, match=r"^AttributeError: 'int' object has no attribute 'get'$"):
        dvc_lock.read_stages({"read@first": 3}, "first")


def test_differences_begin_at_the_stage_with_equal_inputs_and_other_outputs() -> None:
    expected = {
        "first": Stage("true", {"code": "1"}, {"a": "2"}, {}),
        "second": Stage("true", {"a": "2"}, {"b": "3"}, {}),
        "third": Stage("true", {"b": "3"}, {"c": "4"}, {}),
        "fourth": Stage("true", {"code": "1"}, {"d": "5"}, {}),
    }
    present = {
        "first": expected["first"],
        "second": Stage("true", {"a": "2"}, {"b": "other"}, {}),
        "third": Stage("true", {"b": "other"}, {"c": "other"}, {}),
    }
    assert dvc_lock.find_culprits(expected, present) == ["second"]


def test_every_output_that_its_stage_cannot_explain_is_named(repository: Repository) -> None:
    def edit_by_hand(lock: dict) -> None:
        stages = lock["stages"]
        stages["preprocess@first"]["deps"][0]["md5"] = "other"  # explains whatever that stage makes
        stages["preprocess@first"]["outs"][1]["md5"] = "other"
        stages["train@first"]["outs"][0] = {"path": "models/first.keras", "md5": "other"}
        del stages["evaluate@first"]["outs"][1]
        stages["evaluate@first"]["outs"].append({"path": "plots/first.csv", "md5": "new"})

    repository.change("dvc.lock", edit_by_hand)
    main, workspace = find_revision("main"), find_revision("workspace")
    assert inputs.find_unexplained(main, workspace, "first") == [
        "models/first.keras",
        "metrics/first.json",
        "plots/first.csv",
    ]


def test_files_that_concern_every_stage_are_named(repository: Repository) -> None:
    main, workspace = find_revision("main"), find_revision("workspace")
    assert inputs.find_changed_pipeline(main, workspace) == []
    repository.write("dvc.yaml", "stages: {}\n")
    repository.write("requirements.lock", "numpy==2.0\n")
    changed = inputs.find_changed_pipeline(main, find_revision("workspace"))
    assert changed == ["dvc.yaml", "requirements.lock"]


def test_changed_parameters_have_their_old_and_their_new_value(repository: Repository) -> None:
    repository.write(".dvc/config", "")
    repository.write("versions.yaml", "numpy: '1.0'\nkeras: '3.0'\n")
    read = [{"versions.yaml": ["numpy", "keras"]}, "datasets"]
    repository.write("dvc.yaml", dump({"stages": {"train": {"cmd": "true", "params": read}}}))
    repository.commit("A pipeline")
    repository.set("datasets.second.training.epochs", 4)
    repository.edit_parameters(lambda content: content["datasets"]["first"].update(seed=1))
    repository.edit_parameters(lambda content: content["datasets"]["first"].pop("training"))
    repository.write("versions.yaml", "numpy: '2.0'\nkeras: '3.0'\n")
    expected = {
        "datasets.first.seed": (None, 1),
        "datasets.first.training.epochs": (3, None),
        "datasets.second.training.epochs": (3, 4),
        "versions.yaml: numpy": ("1.0", "2.0"),
    }
    changed = inputs.find_changed_parameters(find_revision("HEAD"), find_revision("workspace"))
    assert list(changed.items()) == list(expected.items())
    repository.commit("Changed")
    assert inputs.find_changed_parameters(find_revision("HEAD^"), find_revision("HEAD")) == expected
