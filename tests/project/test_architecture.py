"""docs/architecture.md is of this code."""

import re
import subprocess
from pathlib import Path

import pytest
from helpers import ROOT

from tools.common import markdown
from tools.plots import architecture

TEXT = (ROOT / architecture.PAGE).read_text(encoding="utf-8")


def test_its_picture_and_its_modules_are_the_present_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert markdown.filled(TEXT, architecture.PAGE, architecture.made) == TEXT, (
        "run python -m tools.plots.architecture"
    )


def test_the_picture_is_of_every_stage() -> None:
    assert set(re.findall(r'"(\w+)"', TEXT)) == {"fetch", "preprocess", "train", "evaluate"}


def test_every_package_is_on_it() -> None:
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*/*.py"]
    tracked = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    packages = {Path(path).parent.as_posix() for path in tracked.splitlines()}
    assert {f"modules of {package}" for package in packages} | {"stages"} == set(
        markdown.marks(TEXT, architecture.PAGE)
    )


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", TEXT))))
def test_its_links_lead_to_files(target: str) -> None:
    assert (ROOT / "docs" / target).exists()
