"""Fetching from real HTTP servers that do well, badly, or nothing; and from folders."""

import contextlib
import gzip
import hashlib
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stages import fetch as fetch_stage
from stages.errors import UserError
from stages.fetch import fetch
from stages.mirrors import Patience, download
from stages.parameters import Mirrors, RawFile, RawFiles, ScikitLearn

NAMES = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)  # fmt: skip
CONTENT = {name: name.encode() * 20_000 for name in NAMES}
NAME = NAMES[0]
BODY = gzip.compress(CONTENT[NAME])
BOMB = gzip.compress(bytes(100_000_000))

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


class Server:
    """An HTTP server on this machine that answers every request in one way, and keeps count of them."""

    def __init__(self, answer: Answer) -> None:
        requests: list[str] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                requests.append(self.path)
                with contextlib.suppress(ConnectionError):  # the client hangs up on wrong content
                    answer(self)

            def log_message(self, *_: object) -> None:
                """Keep the test's output clean."""

        self.requests = requests
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], Server]]:
    servers: list[Server] = []

    def start(answer: Answer) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.http.shutdown()
        server.http.server_close()


def send(request: http.server.BaseHTTPRequestHandler, body: bytes, status: int = 200) -> None:
    request.send_response(status)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def good(request: http.server.BaseHTTPRequestHandler) -> None:
    name = request.path.rpartition("/")[2].removesuffix(".gz")
    send(request, gzip.compress(CONTENT[name]))


def other_content(request: http.server.BaseHTTPRequestHandler) -> None:
    name = request.path.rpartition("/")[2].removesuffix(".gz")
    send(request, gzip.compress(bytes(len(CONTENT[name]))))


def page(request: http.server.BaseHTTPRequestHandler) -> None:
    send(request, b"<html>You are not logged in</html>")


def bomb(request: http.server.BaseHTTPRequestHandler) -> None:
    send(request, BOMB)


def half(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(BODY)))
    request.end_headers()
    request.wfile.write(BODY[: len(BODY) // 2])


def half_without_length(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    request.wfile.write(BODY[: len(BODY) // 2])


def hang(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(BODY)))
    request.end_headers()
    request.wfile.write(BODY[:100])
    request.wfile.flush()
    time.sleep(2)


def missing(request: http.server.BaseHTTPRequestHandler) -> None:
    send(request, b"", 404)


def forbidden(request: http.server.BaseHTTPRequestHandler) -> None:
    send(request, b"", 403)


def broken(request: http.server.BaseHTTPRequestHandler) -> None:
    send(request, b"", 503)


def expected(content: bytes) -> RawFile:
    return RawFile(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def get(tmp_path: Path, *mirrors: str) -> str:
    return download(
        mirrors,
        NAME,
        expected(CONTENT[NAME]),
        tmp_path / "file",
        patience=Patience(silence_seconds=0.3, pause_seconds=0.01),
    )


FILES = RawFiles(**{name: expected(content) for name, content in CONTENT.items()})


def source(*urls: str) -> Mirrors:
    return Mirrors(kind="mirrors", urls=list(urls))


def test_a_good_mirror_gives_the_decompressed_file(tmp_path: Path, serve: Callable[[Answer], Server]) -> None:
    server = serve(good)
    assert get(tmp_path, server.url) == server.url
    assert (tmp_path / "file").read_bytes() == CONTENT[NAME]
    assert server.requests == [f"/{NAME}.gz"]


def test_a_mirror_may_serve_the_file_uncompressed(tmp_path: Path, serve: Callable[[Answer], Server]) -> None:
    def plain(request: http.server.BaseHTTPRequestHandler) -> None:
        if request.path.endswith(".gz"):
            missing(request)
        else:
            send(request, CONTENT[NAME])

    server = serve(plain)
    get(tmp_path, server.url)
    assert (tmp_path / "file").read_bytes() == CONTENT[NAME]
    assert server.requests == [f"/{NAME}.gz", f"/{NAME}"]


@pytest.mark.parametrize(
    ("answer", "reason", "requests"),
    [
        (other_content, "expected SHA-256 ", 1),
        (page, "expected 460000 bytes, found 34", 1),
        (bomb, "expected 460000 bytes, found more", 1),
        (missing, "not found, with or without .gz", 2),
        (forbidden, "the server answers 403 ", 1),
        (broken, "the server answers 503 ", 3),
        (half, "Response payload is not completed", 3),
        (half_without_length, "Compressed file ended before the end-of-stream marker was reached", 3),
        (hang, "nothing arrived for 0.3 s", 3),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_bad_mirror_is_reported_and_the_next_one_used(
    tmp_path: Path,
    serve: Callable[[Answer], Server],
    capsys: pytest.CaptureFixture[str],
    answer: Answer,
    reason: str,
    requests: int,
) -> None:
    bad, well = serve(answer), serve(good)
    assert get(tmp_path, bad.url, well.url) == well.url
    assert (tmp_path / "file").read_bytes() == CONTENT[NAME]
    assert len(bad.requests) == requests
    report = capsys.readouterr().err
    assert report.startswith(f"warning: {bad.url}/{NAME}: {reason}")
    assert report.count("\n") == 1


def test_a_dead_mirror_is_reported_and_the_next_one_used(
    tmp_path: Path, serve: Callable[[Answer], Server], capsys: pytest.CaptureFixture[str]
) -> None:
    dead = serve(good)
    dead.http.server_close()
    well = serve(good)
    assert get(tmp_path, dead.url, well.url) == well.url
    assert "Cannot connect to host" in capsys.readouterr().err


def test_a_connection_lost_once_is_tried_again(tmp_path: Path, serve: Callable[[Answer], Server]) -> None:
    answers = iter([half, good])

    def first_badly_then_well(request: http.server.BaseHTTPRequestHandler) -> None:
        next(answers)(request)

    server = serve(first_badly_then_well)
    get(tmp_path, server.url)
    assert (tmp_path / "file").read_bytes() == CONTENT[NAME]
    assert len(server.requests) == 2


def test_when_every_mirror_fails_each_is_listed_with_its_reason(
    tmp_path: Path, serve: Callable[[Answer], Server]
) -> None:
    servers = [serve(answer) for answer in (missing, page, broken)]
    with pytest.raises(UserError) as error:
        get(tmp_path, *(server.url for server in servers), str(tmp_path / "nowhere"), "gopher://nowhere")
    message = str(error.value)
    for server in servers:
        assert f"{server.url}/{NAME}: " in message
    assert f"{tmp_path / 'nowhere'}/{NAME}: not found" in message
    assert f"gopher://nowhere/{NAME}: Protocol not known" in message
    assert "DATASETS_MIRROR" in message
    assert "\n" not in message


def test_fetch_leaves_four_verified_files(tmp_path: Path, serve: Callable[[Answer], Server]) -> None:
    fetch(source(serve(good).url), FILES, tmp_path / "raw" / "set")
    assert {file.name: file.read_bytes() for file in (tmp_path / "raw" / "set").iterdir()} == CONTENT


@pytest.mark.parametrize("answer", [other_content, page, bomb, missing, half, forbidden])
def test_fetch_leaves_nothing_after_a_failure(
    tmp_path: Path, serve: Callable[[Answer], Server], answer: Answer
) -> None:
    def all_but_the_last(request: http.server.BaseHTTPRequestHandler) -> None:
        (answer if NAMES[-1] in request.path else good)(request)

    with pytest.raises(UserError, match=NAMES[-1]):
        fetch(source(serve(all_but_the_last).url), FILES, tmp_path / "raw" / "set")
    assert list((tmp_path / "raw").iterdir()) == []


def test_fetch_keeps_the_old_files_after_a_failure(tmp_path: Path, serve: Callable[[Answer], Server]) -> None:
    folder = tmp_path / "raw" / "set"
    fetch(source(serve(good).url), FILES, folder)
    with pytest.raises(UserError):
        fetch(source(serve(forbidden).url), FILES, folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == CONTENT


def test_a_first_mirror_is_asked_before_the_others(tmp_path: Path, serve: Callable[[Answer], Server]) -> None:
    first, other = serve(good), serve(good)
    fetch(source(other.url), FILES, tmp_path / "set", first_mirror=f"{first.url}/set")
    assert first.requests == [f"/set/{name}.gz" for name in NAMES]
    assert other.requests == []


def test_the_variable_names_a_mirror_with_a_folder_for_each_data_set(
    tmp_path: Path, serve: Callable[[Answer], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = serve(missing)
    text = json.dumps({
        "datasets": {"letters": {
            "source": source(serve(good).url).model_dump(), "files": FILES.model_dump(by_alias=True),
            "classes": ["a", "b"],
            "largest_pixel": 255, "validation_images": 10, "seed": 0,
            "network": {"hidden": [8], "dropout": 0.0, "batch_normalization": False},
            "training": {
                "optimizer": "SGD", "learning_rate": 0.1, "schedule": "constant", "warmup_epochs": 0,
                "weight_decay": 0.0, "label_smoothing": 0.0, "batch_size": 8, "epochs": 1,
            },
        }},
        "evaluation": {"calibration_bins": 15},
        "review": {
            "tolerance": {"accuracy": 0.0, "macro_f1": 0.0, "log_loss": 0.0, "calibration_error": 0.0},
        },
    })  # fmt: skip
    (tmp_path / "params.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATASETS_MIRROR", f"{first.url}/data/")
    fetch_stage.main("letters")
    assert first.requests[:2] == [f"/data/letters/{NAME}.gz", f"/data/letters/{NAME}"]
    assert {file.name: file.read_bytes() for file in (tmp_path / "data/raw/letters").iterdir()} == CONTENT


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_images": 1797}, "source.test_images: expected a part of 1797 images"),
        ({"test_images": 5}, "source.test_images: expected a part of 1797 images"),
        ({"loader": "load_iris"}, "source.loader: expected a function of sklearn.datasets that loads images"),
        (
            {"loader": "load_files"},
            "source.loader: expected a function of sklearn.datasets that loads images",
        ),
        (
            {"loader": "load_nothing"},
            "source.loader: expected a function of sklearn.datasets that loads images",
        ),
        ({"seed": 1}, "files.train-images-idx3-ubyte.sha256: expected 0{64}, found [0-9a-f]{64}; "),
    ],
)
def test_a_bundled_data_set_that_is_not_the_expected_one_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    nothing = dict.fromkeys(NAMES, RawFile(bytes=1, sha256="0" * 64))
    settings = {"kind": "scikit_learn", "loader": "load_digits", "test_images": 360, "seed": 0, **changes}
    with pytest.raises(UserError, match=message):
        fetch(ScikitLearn(**settings), RawFiles(**nothing), tmp_path / "raw" / "set")
    assert list((tmp_path / "raw").iterdir()) == []


def test_a_mirror_may_be_a_folder_of_plain_or_compressed_files(tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    for number, (name, content) in enumerate(CONTENT.items()):
        if number % 2:
            (mirror / name).write_bytes(content)
        else:
            (mirror / f"{name}.gz").write_bytes(gzip.compress(content))
    fetch(source(str(mirror)), FILES, tmp_path / "set")
    assert {file.name: file.read_bytes() for file in (tmp_path / "set").iterdir()} == CONTENT
