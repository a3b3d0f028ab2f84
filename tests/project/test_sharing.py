"""Results are shared through a remote: whoever clones gets data and models, and need not train."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import boto3
import pytest
from helpers import TWIN, Project, set_value
from moto.server import ThreadedMotoServer
from ruamel.yaml import YAML

S3 = {
    "AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_MAX_ATTEMPTS": "1",  # five take minutes, waiting ever longer
}  # fmt: skip
RESULTS = ("data/**/*", "models/*")
BUCKET = "team"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """A server that speaks the protocol of S3, and has a bucket."""
    for name, value in S3.items():
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    yield host, port
    server.stop()


class Line:
    """A connection to a server that is lost after some bytes, for good, until it is mended."""

    def __init__(self, server: tuple[str, int], bytes_left: int) -> None:
        self.server, self.bytes_left, self.broken = server, bytes_left, False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.broken:
                client.close()
                continue
            server = socket.create_connection(self.server)
            for ends in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=ends, daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while not self.broken and (content := source.recv(4096)):
                self.bytes_left -= len(content)
                self.broken = self.bytes_left < 0
                target.sendall(content)
        except OSError:
            pass
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # which, unlike close, wakes the thread that reads from it
            end.close()

    def mend(self) -> None:
        self.bytes_left, self.broken = 10**12, False


def shared(project: Project, address: str) -> None:
    project.run("dvc", "remote", "add", "--default", "storage", address)
    project.commit("Share results")


def colleague(project: Project, folder: Path) -> Project:
    project.run("git", "clone", "--quiet", str(project.folder), str(folder / "clone"))
    return Project(folder / "clone")


def has_everything(clone: Project, project: Project) -> None:
    """The clone has the same data and models, and nothing left to do."""
    assert clone.files(*RESULTS) == project.files(*RESULTS)
    assert "Data and pipelines are up to date." in clone.run("dvc", "repro").stdout
    assert clone.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.slow
def test_a_colleague_gets_everything_from_a_shared_folder(project: Project, tmp_path: Path) -> None:
    shared(project, str(tmp_path / "storage"))
    project.run("dvc", "push")
    clone = colleague(project, tmp_path)
    done = clone.run("dvc", "repro", "--pull", "--allow-missing")
    assert "Running stage" not in done.stdout
    assert clone.files(*RESULTS) == {}  # nothing changed, so nothing is needed
    clone.run("dvc", "pull")
    has_everything(clone, project)


@pytest.mark.slow
def test_make_share_says_to_commit_a_new_address(project: Project, tmp_path: Path) -> None:
    share = ("make", "-o", ".venv/installed", "share", f"REMOTE={tmp_path / 'storage'}")
    says = "Next: commit .dvc/config, which has the address"
    assert says in project.run(*share).stdout.splitlines()[-1]
    project.run("git", "add", ".dvc/config")
    assert says in project.run(*share).stdout  # it is not committed yet
    project.commit("Share results")
    assert says not in project.run(*share).stdout
    clone = colleague(project, tmp_path)
    clone.run("dvc", "pull")
    has_everything(clone, project)


SECRET = "hunter2"


@pytest.mark.parametrize(
    "remote",
    [
        f"ssh://me:{SECRET}@host/x",
        f"s3://bucket/x?token={SECRET}",
        f"https://host/x;sig={SECRET}",
        f"webdavs://me:a/{SECRET}@h/x",
        f"https://{SECRET}@host/x",
        f"ssh://me%3A{SECRET}@host/x",
    ],
)
def test_make_share_refuses_a_secret(project: Project, remote: str) -> None:
    config = project.files(".dvc/config")
    done = project.here("tools.share", remote, expect=2)
    assert done.stderr.startswith("error: REMOTE: expected no secret in an address")
    assert SECRET not in done.stdout + done.stderr
    assert project.files(".dvc/config") == config


def test_a_remote_may_have_the_name_of_a_user(project: Project) -> None:
    done = project.run("python", "-m", "tools.share", "ssh://me@127.0.0.1:1/x", expect=2)
    assert "127.0.0.1:1/x: expected a remote that takes all files" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("earlier", [False, True])
def test_a_remote_that_takes_no_files_leaves_the_configuration(
    project: Project, tmp_path: Path, earlier: bool
) -> None:
    if earlier:
        shared(project, str(tmp_path / "storage"))
    (tmp_path / "file").touch()
    config = project.files(".dvc/config")
    done = project.run("python", "-m", "tools.share", str(tmp_path / "file/below"), expect=2)
    last = done.stderr.splitlines()[-1]
    assert "file/below: expected a remote that takes all files" in last
    assert "the same command" in last
    assert project.files(".dvc/config") == config


def test_what_is_not_here_and_another_address_are_named(project: Project, tmp_path: Path) -> None:
    shared(project, str(tmp_path / "first storage"))
    lock = YAML(typ="safe").load(project.folder / "dvc.lock")["stages"]["train@digits"]["outs"]
    (digest,) = [entry["md5"] for entry in lock if entry["path"] == "models/digits.keras"]
    (project.folder / "models/digits.keras").unlink()
    (project.folder / f".dvc/cache/files/md5/{digest[:2]}/{digest[2:]}").unlink()
    done = project.run("python", "-m", "tools.share", str(tmp_path / "second"))
    assert "Not copied, since they are not here: models/digits.keras; dvc repro makes them" in done.stdout
    assert f"has the address, no longer {tmp_path / 'first storage'}, for" in done.stdout


@pytest.mark.slow
def test_a_change_pulls_no_more_than_it_needs(project: Project, tmp_path: Path) -> None:
    shared(project, str(tmp_path / "storage"))
    project.run("dvc", "push")
    clone = colleague(project, tmp_path)
    clone.edit_parameters(lambda content: set_value(content, "datasets.digits.classes.0", "zero"))
    done = clone.run("dvc", "repro", "--pull", "--allow-missing")
    assert re.findall(r"Running stage '(.*)'", done.stdout) == ["preprocess@digits", "evaluate@digits"]
    assert clone.files(f"data/raw/{TWIN}/*") == {}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_lost_connection_to_s3_is_an_error_and_the_second_try_goes_on(
    project: Project, tmp_path: Path, s3: tuple[str, int]
) -> None:
    shared(project, f"s3://{BUCKET}/project")
    line = Line(s3, bytes_left=200_000)
    endpoint = ("dvc", "remote", "modify", "--local", "storage", "endpointurl", line.url)
    project.run(*endpoint)
    lost = project.run("dvc", "push", expect=None)
    assert lost.returncode not in (0, None)
    line.mend()
    project.run("dvc", "push")

    clone = colleague(project, tmp_path)
    clone.run(*endpoint)
    line.bytes_left = 200_000
    lost = clone.run("dvc", "pull", expect=None)
    assert lost.returncode not in (0, None)
    whole = project.files(*RESULTS)
    assert all(whole[name] == content for name, content in clone.files(*RESULTS).items())  # nothing half
    line.mend()
    clone.run("dvc", "pull")
    has_everything(clone, project)


@pytest.mark.slow
def test_another_project_takes_a_model(project: Project, tmp_path: Path) -> None:
    shared(project, str(tmp_path / "storage"))
    project.run("dvc", "push")
    project.run("git", "tag", "--annotate", "digits@v1.0.0", "--message", "Version 1.0.0 of digits")
    other = Project(tmp_path / "other")
    other.folder.mkdir()
    other.run("git", "init", "--quiet", "--initial-branch=main")
    other.run("dvc", "init", "--quiet")
    other.run("dvc", "import", str(project.folder), "models/digits.keras")
    other.run("dvc", "artifacts", "get", "--out", "named.keras", str(project.folder), "digits")
    model = project.files("models/*")["models/digits.keras"]
    assert other.files("*.keras") == {"digits.keras": model, "named.keras": model}
    loaded = "import keras; print(keras.saving.load_model('digits.keras').output_shape)"
    assert other.run("python", "-c", loaded).stdout == "(None, 10)\n"
