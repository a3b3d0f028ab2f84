"""Fetching from real HTTP servers that do well, badly, or nothing; and from folders."""

import gzip
import http.server
import json
import ssl
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from helpers import Project
from servers import (
    CONTENT,
    DRIP_SECONDS,
    FILES,
    NAME,
    NAMES,
    Answer,
    Server,
    bomb,
    broken,
    busy,
    drip,
    elsewhere,
    encoded_bomb,
    endless,
    expected,
    forbidden,
    good,
    half,
    half_without_length,
    hang,
    in_circles,
    missing,
    other_content,
    page,
    reset,
    send,
    source,
)

from stages import fetch as fetch_stage
from stages.common.errors import UserError
from stages.fetch import fetch
from stages.sources.mirrors import Timeouts, download
from stages.sources.schema import RawFile, RawFiles, ScikitLearn


def get(tmp_path: Path, *mirrors: str) -> str:
    return download(
        mirrors,
        NAME,
        expected(CONTENT[NAME]),
        tmp_path / "file",
        timeouts=Timeouts(silence_seconds=0.3, pause_seconds=0.01),
    )


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
        (busy, "the server answers 429 ", 3),
        (reset, "Response payload is not completed", 3),
        (elsewhere, "expected 460000 bytes, found 34", 2),
        (in_circles, "the server redirects without end", 10),
        (endless, "expected 460000 bytes, found more", 1),
        (encoded_bomb, "expected 460000 bytes, found more", 1),
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


def test_a_mirror_that_never_pauses_and_never_ends_is_left_in_time(
    tmp_path: Path, serve: Callable[[Answer], Server], capsys: pytest.CaptureFixture[str]
) -> None:
    slow, well = serve(drip), serve(good)
    timeouts = Timeouts(silence_seconds=0.5, bytes_per_second=1_000_000, pause_seconds=0.01)
    start = time.monotonic()
    assert (
        download([slow.url, well.url], NAME, expected(CONTENT[NAME]), tmp_path / "file", timeouts) == well.url
    )
    assert time.monotonic() - start < 100 * DRIP_SECONDS
    assert capsys.readouterr().err == (
        f"warning: {slow.url}/{NAME}: expected the whole file within 1 s, found a part\n"
    )
    assert len(slow.requests) == 1


@pytest.mark.parametrize("answer", [bomb, encoded_bomb, endless])
def test_a_bomb_does_not_fill_the_memory(
    tmp_path: Path, serve: Callable[[Answer], Server], answer: Answer
) -> None:
    get(tmp_path, serve(good).url)
    bad = serve(answer)
    tracemalloc.start()
    with pytest.raises(UserError):
        get(tmp_path, bad.url)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50_000_000  # the bomb has 100 MB
    assert (tmp_path / "file").stat().st_size <= len(CONTENT[NAME])


def test_a_proxy_that_answers_with_a_page_is_not_believed(
    tmp_path: Path, serve: Callable[[Answer], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(page)
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(UserError, match="expected 460000 bytes, found 34"):
        get(tmp_path, "http://example.org/files")
    assert proxy.requests == [f"http://example.org/files/{NAME}.gz"]


def test_a_password_is_used_and_not_shown(
    tmp_path: Path, serve: Callable[[Answer], Server], capsys: pytest.CaptureFixture[str]
) -> None:
    def locked(request: http.server.BaseHTTPRequestHandler) -> None:
        (good if request.headers["Authorization"] == "Basic bWU6c2VjcmV0" else forbidden)(request)

    server = serve(locked)
    with_password, with_another = (
        server.url.replace("://", f"://me:{word}@") for word in ("secret", "hidden")
    )
    shown = get(tmp_path, with_another, with_password)
    assert shown == server.url
    with pytest.raises(UserError) as error:
        get(tmp_path, with_another)
    printed = capsys.readouterr()
    for text in (printed.out, printed.err, str(error.value)):
        assert "hidden" not in text
        assert "secret" not in text
    assert f"{server.url}/{NAME}: the server answers 403" in printed.err


def test_a_query_is_not_shown(
    tmp_path: Path, serve: Callable[[Answer], Server], capsys: pytest.CaptureFixture[str]
) -> None:
    """By no mirror that answers, that has nothing, or that is none."""

    def redirect(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", "ftp://example.org/x?sig=hunter2")
        request.end_headers()

    forbidding, leading = serve(forbidden), serve(redirect)
    urls = [forbidding.url, leading.url, "http://localhost:9", "http://localhost:port", "nothing://host"]
    with pytest.raises(UserError) as error:
        get(tmp_path, *(f"{url}/data?token=hunter2" for url in urls))
    assert "hunter2" in forbidding.requests[0]
    printed = capsys.readouterr()
    for text in (printed.out, printed.err, str(error.value)):
        assert "hunter2" not in text
    for url in urls:
        assert f"{url}/data?..." in str(error.value)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.slow
def test_a_certificate_is_checked(
    project: Project, authority: trustme.CA, serve: Callable[..., Server], tmp_path: Path
) -> None:
    certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(certificate)
    known = tmp_path / "authorities.pem"
    authority.cert_pem.write_to_path(known)
    server = serve(good, certificate)

    def other_source(parameters: dict) -> None:
        twin = parameters["datasets"]["twin"]
        twin["source"] = source(server.url).model_dump()
        twin["files"] = FILES.model_dump(by_alias=True)

    project.edit_parameters(other_source)
    fetch_it = ("python", "-m", "stages", "fetch", "twin")
    done = project.run(*fetch_it, expect=2)
    assert "certificate verify failed" in done.stderr
    assert server.requests == []
    project.run(*fetch_it, SSL_CERT_FILE=str(known))
    assert {Path(name).name: content for name, content in project.files("data/raw/twin/*").items()} == CONTENT


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
            "largest_pixel": 255, "validation_images": 10, "seed": 0, "computation": "portable",
            "network": {"hidden": [8], "dropout": 0.0, "batch_normalization": False},
            "training": {
                "optimizer": "SGD", "learning_rate": 0.1, "schedule": "constant", "warmup_epochs": 0,
                "weight_decay": 0.0, "label_smoothing": 0.0, "batch_size": 8, "epochs": 1,
            },
        }},
        "evaluation": {"calibration_bins": 15},
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
        (
            {"seed": 1},
            "yaml: datasets.set.files: train-images-idx3-ubyte: expected 1 bytes, SHA-256 0{64}, found 91984 "
            "bytes, SHA-256 [0-9a-f]{64}; .*t10k-labels-idx1-ubyte: expected 1 bytes, .*; if the source",
        ),
    ],
)
def test_a_bundled_data_set_that_is_not_the_expected_one_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    nothing = dict.fromkeys(NAMES, RawFile(bytes=1, sha256="0" * 64))
    settings = {"kind": "scikit_learn", "test_images": 360, "seed": 0, **changes}
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
