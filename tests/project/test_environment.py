"""The environment: half of .venv is gone, another Python is used, or the home directory takes no files."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import ROOT, TWIN, Project, copy_of_the_project

from stages.common import packages

REAL = Path(sysconfig.get_path("purelib"))
MATPLOTLIB = ("Matplotlib", "MPLCONFIGDIR", "mkdir")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the project with an environment of its own, whose packages are links. Not to be changed."""
    project = copy_of_the_project(tmp_path_factory.mktemp("environment"))
    project.run(sys.executable, "-m", "venv", "--without-pip", ".venv")
    for entry in REAL.iterdir():
        (packages_folder(project) / entry.name).symlink_to(entry)
    script = Path(sys.executable).with_name("dvc").read_text(encoding="utf-8")
    dvc = project.folder / ".venv/bin/dvc"
    dvc.write_text(f"#!{project.folder}/.venv/bin/python\n" + script.partition("\n")[2], encoding="utf-8")
    dvc.chmod(0o755)
    (project.folder / ".venv/installed").touch()
    return project


def packages_folder(project: Project) -> Path:
    (folder,) = project.folder.glob(".venv/lib/python3*/site-packages")
    return folder


@pytest.fixture
def broken(installed: Project, tmp_path: Path) -> Project:
    return installed.copy(tmp_path)


def remove_lib(project: Project) -> None:
    shutil.rmtree(project.folder / ".venv/lib")


def remove_python(project: Project) -> None:
    for path in project.folder.glob(".venv/bin/python*"):
        path.unlink()


def leave_a_link_to_nothing(project: Project) -> None:
    remove_python(project)
    (project.folder / ".venv/bin/python").symlink_to("/nowhere/python")


def remove_a_module(project: Project) -> None:
    (packages_folder(project) / "numpy").unlink()


def uninstall(project: Project) -> None:
    for path in packages_folder(project).glob("numpy*"):
        path.unlink()


def install_another_version(project: Project) -> None:
    (information,) = packages_folder(project).glob("numpy-*.dist-info")
    copy = information.with_suffix(".new")
    shutil.copytree(information, copy)
    information.unlink()
    metadata = copy / "METADATA"
    text = metadata.read_text(encoding="utf-8")
    metadata.write_text(re.sub("^Version: .*$", "Version: 1.0", text, flags=re.MULTILINE), encoding="utf-8")
    copy.rename(information)


BREAKS = [
    *(remove_lib, remove_python, leave_a_link_to_nothing),
    *(remove_a_module, uninstall, install_another_version),
]


def test_a_whole_environment_is_ready(installed: Project) -> None:
    done = installed.run("make", "ready")
    assert done.stdout + done.stderr == ""
    assert installed.run("make", "install").stderr == ""
    assert (installed.folder / ".venv/installed").exists()


def test_tensorflow_for_graphics_cards_may_take_the_place_of_tensorflow_cpu(broken: Project) -> None:
    folder = packages_folder(broken)
    (information,) = folder.glob("tensorflow_cpu-*.dist-info")
    other = folder / information.name.replace("tensorflow_cpu", "tensorflow")
    shutil.copytree(information, other.with_suffix(".new"))
    information.unlink()
    assert "found no tensorflow-cpu" in broken.run("make", "ready", expect=2).stderr
    other.with_suffix(".new").rename(other)
    for name, old, new in (
        ("METADATA", "Name: tensorflow-cpu", "Name: tensorflow"),
        ("RECORD", information.name, other.name),
    ):
        text = (other / name).read_text(encoding="utf-8")
        (other / name).write_text(text.replace(old, new), encoding="utf-8")
    assert broken.run("make", "ready").stderr == ""


@pytest.mark.parametrize("damage", BREAKS)
def test_make_says_in_one_line_that_the_environment_is_broken(
    broken: Project, damage: Callable[[Project], None]
) -> None:
    damage(broken)
    done = broken.run("make", "demo", expect=2)
    assert done.stdout == ""
    error, of_make = done.stderr.splitlines()
    assert re.fullmatch(r"error: .*\.venv: expected .*, found (none|no .*); mend it: make install", error)
    assert of_make.startswith("make: *** ")


def test_make_install_begins_anew_with_a_broken_environment(broken: Project) -> None:
    remove_a_module(broken)
    done = broken.run("make", "install", "PYTHON=false", expect=2)
    assert re.search(r"found no numpy [\d.]+; mend it: make install", done.stderr)
    assert not (broken.folder / ".venv/installed").exists()


def test_no_target_but_install_leaves_the_check_out() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = dict(re.findall(r"^([a-z]+): (\S+)", makefile, re.MULTILINE))
    assert {name for name, first in targets.items() if first == "$(INSTALLED)"} == {"ready", "install"}
    using = re.findall(r"^([a-z]+):.*\n\t(?:@?\$\(.*\n\t)*@?(?:python|dvc|ruff) ", makefile, re.MULTILINE)
    assert len(using) > 10
    assert {targets.get(name) for name in using} == {"ready"}


@pytest.fixture
def other_python(tmp_path: Path) -> str:
    """A PATH on which `python` has none of the packages."""
    (tmp_path / "bin").mkdir()
    base = subprocess.run(
        [sys.executable, "-c", "import sys; print(sys._base_executable)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    (tmp_path / "bin/python").symlink_to(base)
    git = Path(shutil.which("git") or "git").parent
    return os.pathsep.join([str(tmp_path / "bin"), str(git), "/bin"])


def test_dvc_without_an_activated_environment_is_one_line(installed: Project, other_python: str) -> None:
    done = installed.run(".venv/bin/dvc", "repro", "fetch@digits", expect=None, PATH=other_python)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert re.fullmatch(
        r"error: \S+: expected the Python of this project's \.venv, with all its packages, found no package "
        r"\w+; activate it \(\. \.venv/bin/activate\), use make, or mend it: make install",
        error,
    )


@pytest.mark.parametrize(
    "command",
    [
        ("stages", "fetch", "digits"), ("tools.repair",), ("tools.review", "main"), ("tools.new", "a", "b"),
        ("tools.predict.card", "digits"), ("tools.verify", "digits"), ("tools.search", "digits"),
    ],
)  # fmt: skip
def test_another_python_is_one_line(installed: Project, other_python: str, command: tuple[str, ...]) -> None:
    done = installed.run("python", "-m", *command, expect=2, PATH=other_python)
    (error,) = done.stderr.splitlines()
    assert "expected the Python of this project's .venv, with all its packages, found no package " in error


def test_an_old_python_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(packages, "OLDEST_PYTHON", (9, 9))
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    packages.explain_missing_packages()
    with pytest.raises(SystemExit) as done:
        sys.excepthook(TypeError, TypeError("unsupported operand type(s) for |"), None)
    assert done.value.code == 2
    assert "too old for this project; activate it" in capsys.readouterr().err


def test_a_fault_of_our_own_keeps_its_traceback(tmp_path: Path) -> None:
    program = "from stages.common import packages; packages.explain_missing_packages(); import stages.nothing"
    done = Project(tmp_path).run("python", "-c", program, expect=1, PYTHONPATH=str(ROOT))
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    "command", [("python", "-m", "stages", "fetch", "digits"), ("python", "-m", "tools.repair")]
)
def test_a_sub_folder_is_one_line(installed: Project, command: tuple[str, ...]) -> None:
    done = Project(installed.folder / "docs").run(*command, expect=1)
    assert done.stdout == ""
    (error,) = done.stderr.splitlines()
    assert "No module named" in error


def test_dvc_in_a_sub_folder_is_one_line(installed: Project) -> None:
    done = Project(installed.folder / "docs").run("dvc", "repro", expect=None)
    assert done.returncode != 0
    (error,) = done.stderr.splitlines()
    assert re.fullmatch(r"ERROR: '.*dvc\.yaml' does not exist", error)


# Neither can be made, not even by root.
HOMES = ["/proc/nobody", os.devnull]
DRAWING = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "tools").rglob("*.py")
    if re.search(
        r"^(import|from) (matplotlib|stages.scoring.gallery)", path.read_text(encoding="utf-8"), re.MULTILINE
    )
)


@pytest.mark.slow
@pytest.mark.parametrize("module", DRAWING)
def test_a_tool_that_draws_needs_no_home(module: str) -> None:
    home = HOMES[len(module) % 2]
    done = Project(ROOT).run(
        "python", "-c", f"import {module}", HOME=home, XDG_CACHE_HOME=None, XDG_CONFIG_HOME=None
    )
    assert done.stderr == ""


@pytest.mark.slow
def test_stages_that_draw_need_no_home(project: Project) -> None:
    for stage in (f"preprocess@{TWIN}", f"evaluate@{TWIN}"):
        home = HOMES[0]  # in the other, DVC itself does not start
        done = project.run("dvc", "repro", "--force", "--single-item", stage, HOME=home, XDG_CACHE_HOME=None)
        assert not [word for word in MATPLOTLIB if word in done.stdout + done.stderr]
    assert project.run("git", "status", "--porcelain").stdout == ""
