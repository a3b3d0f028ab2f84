"""docs/architecture.md is of this code: its links, and the arrows of its picture."""

import ast
import re
from pathlib import Path

import pytest
from helpers import ROOT

TEXT = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
ROOMS = {"sources", "checks", "splits", "network", "scoring", "common"}
# Of parameters and of each stage, the arrow to common is not drawn.
MODULES = {"parameters", "fetch", "preprocess", "train", "evaluate"}


def drawn_arrows() -> set[tuple[str, str]]:
    """The arrows between stages and rooms in the picture."""
    arrows = set()
    picture = TEXT[TEXT.index("subgraph stages") : TEXT.index("end\n")]
    for starts, ends in re.findall(r"^\s*([\w &]+) --> ([\w &]+)$", picture, re.MULTILINE):
        arrows |= {(start, end) for start in starts.split(" & ") for end in ends.split(" & ")}
    return arrows


def imports(file: Path) -> set[str]:
    """The modules that a file imports, with their dotted names."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms_of(file: Path) -> set[str]:
    parts = [name.split(".") for name in imports(file) if name.startswith("stages.")]
    return {part[1] for part in parts if part[1] in ROOMS}


def test_its_arrows_are_the_imports() -> None:
    arrows = {
        (room, other)
        for room in ROOMS
        for file in (ROOT / "stages" / room).glob("*.py")
        for other in rooms_of(file) - {room}
    }
    arrows |= {
        (module, room) for module in MODULES for room in rooms_of(ROOT / f"stages/{module}.py") - {"common"}
    }
    assert drawn_arrows() == arrows


def test_no_stage_imports_a_tool() -> None:
    for file in (ROOT / "stages").rglob("*.py"):
        assert not [name for name in imports(file) if name.split(".")[0] == "tools"], file


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", TEXT))))
def test_its_links_lead_to_files(target: str) -> None:
    assert (ROOT / "docs" / target).exists()


@pytest.mark.parametrize(("name", "target"), re.findall(r"\[\w+\.(?!py\b)(\w+)\]\(([^)]+\.py)\)", TEXT))
def test_its_functions_are_in_their_files(name: str, target: str) -> None:
    assert f"\ndef {name}(" in (ROOT / "docs" / target).read_text(encoding="utf-8")


def test_docstrings_open_with_a_noun_or_an_imperative() -> None:
    riddle = re.compile(r'"""(What|Whose|Whoever|Where|Which|Whether|How) ')
    for folder in ("stages", "tools"):
        for file in (ROOT / folder).rglob("*.py"):
            assert not riddle.search(file.read_text(encoding="utf-8")), file


def test_few_folders_stand_on_top() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))}
    generated = {"cards", "dvc_plots", "review", "searches", "mutants"}
    assert len(folders - generated) <= 10
    assert not list((ROOT / "docs").rglob("*.py"))
