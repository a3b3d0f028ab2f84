"""Remedies for a missing file: a remote is named where DVC has one."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.checks import description
from stages.common import checksums
from stages.common.errors import UserError
from stages.network import model_file
from stages.splits import arrays

READERS: dict[str, Callable[[], object]] = {
    "dvc repro": lambda: checksums.check(Path("SHA256SUMS"), []),
    "dvc repro train@pets": lambda: model_file.load(Path("models/pets.keras")),
    "dvc repro preprocess@pets": lambda: description.read(Path("models/pets.json")),
    "dvc repro preprocess@pets ": lambda: arrays.compute_fingerprint([Path("data/processed/pets/train")]),
}


def dvc(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments], check=True, capture_output=True)


@pytest.mark.parametrize("scope", [None, "--project", "--local"])
def test_a_default_remote_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scope: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    dvc("init", "--no-scm", "--quiet")
    if scope:
        dvc("remote", "add", scope, "--default", "storage", str(tmp_path / "remote"))
    for command, read in READERS.items():
        with pytest.raises(UserError) as error:
            read()
        advice = f"run {'dvc pull, or ' if scope else ''}{command.strip()}"
        assert str(error.value).endswith(f"; {advice}")


@pytest.mark.parametrize("content", [b"no section", b"\xff\xfe", b"[core]\nremote\n[core]\n"])
def test_a_broken_configuration_is_no_reason_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(".dvc").mkdir()
    Path(".dvc/config").write_bytes(content)
    with pytest.raises(UserError, match=r"; run dvc repro$"):
        checksums.check(Path("SHA256SUMS"), [])
