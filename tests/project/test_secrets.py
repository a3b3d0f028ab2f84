"""Passwords and tokens stay where they are: in the environment."""

import gzip
import http.server
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import TWIN, Project
from servers import Server, forbidden, send

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI-not-real",
    "GITHUB_TOKEN": "ghp_0123456789-not-real",
    "HF_TOKEN": "hf_0123456789-not-real",
}
PASSWORD = "hunter2-not-real"


@pytest.mark.slow
@pytest.mark.parametrize(
    "address", [f"https://me:{PASSWORD}@example.org", f"https://example.org/?sig={PASSWORD}"]
)
def test_a_secret_in_params_yaml_goes_no_further(project: Project, address: str) -> None:
    def with_secret(parameters: dict) -> None:
        parameters["datasets"][TWIN]["source"] = {"kind": "mirrors", "urls": [address]}

    project.edit_parameters(with_secret)
    before = project.files("**/*")
    for command in (("dvc", "repro", f"fetch@{TWIN}"), ("python", "-m", "tools.predict.card", TWIN)):
        done = project.run(*command, expect=None)
        assert done.returncode != 0
        assert f"error: params.yaml: datasets.{TWIN}: source.urls.0: expected no " in done.stderr
        assert PASSWORD not in done.stdout + done.stderr
    after = project.files("**/*")
    assert {name: after[name] for name in after if not name.startswith(".dvc/tmp/")} == {
        name: before[name] for name in before if not name.startswith(".dvc/tmp/")
    }


def test_a_line_that_is_no_yaml_is_quoted_without_its_secret(project: Project) -> None:
    path = project.folder / "params.yaml"
    path.write_text(
        f"datasets: [https://me:{PASSWORD}@example.org, https://example.org?sig={PASSWORD}: ]: x\n"
    )
    done = project.here("stages", "fetch", TWIN, expect=2)
    assert done.stderr.startswith("error: params.yaml: expected YAML, found: mapping values are not allowed")
    assert "line 1, column " in done.stderr
    assert PASSWORD not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_run_and_a_review_leave_no_secret_behind(project: Project, serve: Callable[..., Server]) -> None:
    raw = project.folder / "data/raw/digits"

    def with_password(request: http.server.BaseHTTPRequestHandler) -> None:
        if "Authorization" not in request.headers:
            forbidden(request)
        else:
            send(request, gzip.compress((raw / Path(request.path).stem).read_bytes()))

    def downloaded(parameters: dict) -> None:
        parameters["datasets"][TWIN]["source"] = {"kind": "mirrors", "urls": [f"{server.url}/nothing"]}

    server = serve(with_password)
    project.edit_parameters(downloaded)
    shutil.rmtree(project.folder / f"data/raw/{TWIN}")  # or nothing would be downloaded
    mirror = server.url.replace("://", f"://me:{PASSWORD}@")
    printed = []
    again = ("dvc", "repro", "--force", "--single-item", f"fetch@{TWIN}", f"train@{TWIN}")
    for command in (again, ("python", "-m", "tools.review", "main")):
        done = project.run(*command, DATASETS_MIRROR=mirror, **SECRETS)
        printed += [done.stdout.encode(), done.stderr.encode()]
    assert f"from {server.url}/{TWIN}".encode() in printed[0]  # by way of the address with the password
    files = project.files("**/*")
    assert f"metrics/{TWIN}.json" in files
    assert "review/report.html" in files
    for secret in (PASSWORD, *SECRETS.values()):
        assert not [text for text in printed if secret.encode() in text]
        assert [name for name, content in files.items() if secret.encode() in content] == [
            "tests/project/test_secrets.py"
        ]
