"""A new data set: from its files to a reviewed result, by sections of params.yaml and tools.yaml alone."""

import contextlib
import gzip
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from textwrap import indent

import numpy as np
import pytest
from helpers import ROOT, Project
from PIL import Image
from sections import FILES, read_both, read_section
from servers import Server

import tools.new.__main__ as new
from stages import fetch, preprocess
from stages.common import layout
from stages.common.errors import UserError
from stages.parameters import Dataset, load
from stages.sources import idx, npz
from tools.common import settings
from tools.common.settings import About
from tools.new import yaml_text
from tools.predict import card, images, prediction

CLASSES = {
    "bar": (slice(3, 5), slice(0, 9)),
    "pole": (slice(0, 7), slice(4, 6)),
    "dot": (slice(2, 4), slice(2, 4)),
}
SHAPE = (7, 9, 3)


def draw(random: np.random.Generator, name: str) -> np.ndarray:
    """Draw a coloured thing at a random place, in front of dark noise."""
    pixels = random.integers(0, 70, SHAPE).astype(np.uint8)
    pixels[CLASSES[name]] = random.integers(120, 256, 3)
    return np.roll(pixels, random.integers(-1, 2, 2), axis=(0, 1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of pictures in colour: three classes, a rare class among them, without test pictures."""
    random = np.random.default_rng(0)
    for part, counts in (("train", (60, 90, 6)), ("test", (40, 40, 0))):
        for name, count in zip(CLASSES, counts, strict=True):
            place = tmp_path / "things" / part / name
            place.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(draw(random, name)).save(place / f"{number:03}.png")
    return tmp_path / "things"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_from_a_folder_of_pictures_to_a_reviewed_result(project: Project, folder: Path) -> None:
    before = read_both(project)
    make = ("make", "-o", ".venv/installed")
    completed = project.run(*make, "new", "NAME=things", f"FROM={folder}")
    assert (
        "params.yaml: added things: 3 classes, images of 7 x 9 x 3 (height x width x channels): "
        in completed.stdout
    )
    assert ": 125 for training, 31 for validation, 80 for the test" in completed.stdout
    assert "tools.yaml: added things: about" in completed.stdout
    for name, text in read_both(project).items():
        lines = iter(text.splitlines())
        assert all(line in lines for line in before[name].splitlines())  # nothing but new lines
    assert read_section(project, "things")["classes"] == ["bar", "dot", "pole"]
    assert read_about(project, "things").background == "dark"

    few = {"epochs": 40}
    project.edit_parameters(lambda content: content["datasets"]["things"]["training"].update(few))
    project.run("dvc", "repro", "evaluate@things")
    project.commit("Add things")
    metrics = json.loads((project.folder / "metrics/things.json").read_text())
    assert metrics["test"]["accuracy"] > 0.7
    assert metrics["test"]["macro_f1"] > 0.7  # the class without test pictures does not count
    assert "things.csv" in project.run("dvc", "plots", "show", "plots/confusion/things.csv", "--json").stdout

    nothing = {"learning_rate": 1e-7, "epochs": 2, "warmup_epochs": 0}
    project.edit_parameters(lambda content: content["datasets"]["things"]["training"].update(nothing))
    project.run("dvc", "repro", "evaluate@things")
    completed = project.run(*make, "review", "BASE=HEAD", expect=2)  # it has learned nothing
    assert "Error 1" in completed.stderr  # make's own exit code is 2 whatever the recipe's
    report = (project.folder / "review/report.md").read_text()
    assert "**Stopped**: the network is worse than HEAD: things: " in report
    assert (project.folder / "review/things-confusion.png").exists()
    with Image.open(project.folder / "review/things-right-to-wrong.png") as picture:
        assert picture.mode == "P"  # in colour

    with contextlib.chdir(project.folder):
        network = prediction.load("things")
        (found,) = network.predict([images.read(folder / "test/pole/000.png", network.image_format)])
        assert found.file.background == "dark"
        card.main(["things"])
    text = (project.folder / "cards/things.md").read_text()
    assert "| accuracy | " in text
    assert "| dot | - |" in text


def make_arrays() -> dict[str, np.ndarray]:
    """Make letters like EMNIST's: labels from 1 to 26."""
    random = np.random.default_rng(0)
    return {
        layout.TRAIN_IMAGES: random.integers(0, 200, (260, 4, 5), np.uint8),
        layout.TRAIN_LABELS: np.tile(np.arange(1, 27, dtype=np.uint8), 10),
        layout.TEST_IMAGES: random.integers(0, 200, (26, 4, 5), np.uint8),
        layout.TEST_LABELS: np.arange(1, 27, dtype=np.uint8),
    }


def read_about(project: Project, name: str) -> About:
    return settings.load(path=project.folder / "tools.yaml").dataset(name).about


def load_dataset(project: Project, name: str) -> Dataset:
    return load(project.folder / "params.yaml").dataset(name)


def run_stages(project: Project, name: str) -> dict[str, np.ndarray]:
    with contextlib.chdir(project.folder):
        fetch.main(name)
        preprocess.main(name)
    return read_raw(project, name)


def read_raw(project: Project, name: str) -> dict[str, np.ndarray]:
    return {file: idx.read(project.folder / "data/raw" / name / file) for file in layout.RAW_FILES}


def are_right(files: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(files[file], values) for file, values in make_arrays().items())


def write_idx(folder: Path) -> None:
    for name, values in make_arrays().items():
        idx.write(folder / name, values)


def test_idx_files_with_a_prefix(parameters: Project, tmp_path: Path) -> None:
    for name, values in make_arrays().items():
        source = tmp_path / f"letters-{name.replace('t10k', 'test')}"
        idx.write(source, values)
        source.with_name(f"{source.name}.gz").write_bytes(gzip.compress(source.read_bytes()))
        source.unlink()
        idx.write(tmp_path / f"digits-{name}", values)
    ambiguous = parameters.here("tools.new", "letters", tmp_path, expect=2)
    assert ambiguous.stderr.count("\n") == 1
    assert "name a folder or how its files begin" in ambiguous.stderr
    with contextlib.chdir(parameters.folder):
        new.main("letters", f"{tmp_path}/letters-")
    letters = read_section(parameters, "letters")
    assert letters["files"][layout.TEST_LABELS]["name"] == "letters-test-labels-idx1-ubyte"
    assert letters["classes"] == [str(number) for number in range(1, 27)]
    assert are_right(run_stages(parameters, "letters"))


@pytest.mark.parametrize("spelling", ["images-idx3-ubyte", "images.idx3-ubyte"])
def test_idx_files_of_either_spelling_beside_their_checksums(
    parameters: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    for name, values in make_arrays().items():
        source_name = name.replace("-idx", ".idx") if "." in spelling else name
        idx.write(tmp_path / source_name, values)
        (tmp_path / f"{source_name}.gz.sha256").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    with contextlib.chdir(parameters.folder):
        new.main("letters", f"~/{tmp_path.name}")
    assert are_right(run_stages(parameters, "letters"))


def test_idx_files_on_a_server(parameters: Project, tmp_path: Path, serve: Callable[..., Server]) -> None:
    files = {}
    for name, values in make_arrays().items():
        idx.write(tmp_path / name, values)
        files[f"/set/{name}"] = (tmp_path / name).read_bytes()

    def answer(handler: object) -> None:
        content = files.get(handler.path)  # type: ignore[attr-defined]
        handler.send_response(404 if content is None else 200)  # type: ignore[attr-defined]
        handler.send_header("Content-Length", str(len(content or b"")))  # type: ignore[attr-defined]
        handler.end_headers()  # type: ignore[attr-defined]
        handler.wfile.write(content or b"")  # type: ignore[attr-defined]

    with contextlib.chdir(parameters.folder):
        new.main("letters", f"{serve(answer).url}/set")
    assert are_right(run_stages(parameters, "letters"))


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
    ],
)
def test_an_archive_of_arrays(parameters: Project, tmp_path: Path, names: tuple[str, ...]) -> None:
    values = dict(zip(names, make_arrays().values(), strict=True))
    values[names[1]] = values[names[1]].astype(np.int64)[:, None]  # as some have them
    np.savez_compressed(
        tmp_path / "letters.npz", **values, val_images=np.zeros((3, 4, 5)), names=np.array(["a", 1], object)
    )
    with contextlib.chdir(parameters.folder):
        new.main("letters", str(tmp_path / "letters.npz"))
    assert are_right(run_stages(parameters, "letters"))
    assert list((parameters.folder / "data/raw/letters").glob("*.npz")) == []

    dataset = load_dataset(parameters, "letters")
    for changes, message in (
        ({names[0]: (values[names[0]] / 3).astype(np.float16)}, r"letters\.npz: expected .*float16"),
        ({}, rf"source\.arrays\.train-images-idx3-ubyte: expected one of .*, found '{names[0]}'"),
    ):
        others = {name: array for name, array in values.items() if changes or name != names[0]}
        np.savez(tmp_path / "changed.npz", **{**others, **changes})
        with pytest.raises(UserError, match=message):
            npz.write_files(dataset.source, tmp_path / "changed.npz", tmp_path)

    np.savez_compressed(tmp_path / "letters.npz", **values, more=1)
    (parameters.folder / "data/raw/letters" / layout.TEST_LABELS).unlink()
    with pytest.raises(UserError, match=r"letters\.npz: expected "), contextlib.chdir(parameters.folder):
        fetch.main("letters")


@pytest.mark.parametrize(
    ("file", "values", "message"),
    [
        (layout.TRAIN_LABELS, np.array([0, 2**30] * 130, np.int32), "expected labels up to 10,000"),
        (layout.TRAIN_LABELS, np.zeros(260, np.uint8), "classes: expected at least 2 items"),
        (
            layout.TRAIN_LABELS,
            np.arange(260, dtype=np.int16) - 1,
            "train-labels-idx1-ubyte: expected labels from 0",
        ),
        (
            layout.TEST_LABELS,
            np.full(26, 27, np.uint8),
            "t10k-labels-idx1-ubyte: expected labels from 1",
        ),
        (layout.TRAIN_IMAGES, np.full((260, 4, 5), np.nan), "expected pixels that are numbers, found nan"),
        (layout.TEST_IMAGES, np.full((26, 4, 5), np.inf), "expected pixels that are numbers, found inf"),
        (layout.TEST_IMAGES, np.full((26, 4, 5), 200.00001), "found 200.00001; clip them to 200"),
        (layout.TRAIN_IMAGES, np.zeros(260, np.uint8), "train-images-idx3-ubyte: expected shape (n, height"),
        (
            layout.TEST_IMAGES,
            np.zeros((26, 4, 6), np.uint8),
            "t10k-images-idx3-ubyte: expected images of",
        ),
    ],
)
def test_files_that_a_stage_would_refuse_are_not_added(
    parameters: Project, tmp_path: Path, file: str, values: np.ndarray, message: str
) -> None:
    for name, usual in make_arrays().items():
        idx.write(tmp_path / name, values if name == file else usual)
    before = read_both(parameters)
    with pytest.raises(UserError) as error, contextlib.chdir(parameters.folder):
        new.main("letters", str(tmp_path))
    assert message in str(error.value)
    assert tempfile.gettempdir() not in str(error.value).replace(str(tmp_path), "")
    assert read_both(parameters) == before


@pytest.mark.parametrize("name", ["Letters", "../letters", "-letters", "letters\n"])
def test_a_name_is_checked_before_anything_else(parameters: Project, name: str) -> None:
    with (
        pytest.raises(UserError, match="the name: expected small letters, numbers and _"),
        contextlib.chdir(parameters.folder),
    ):
        new.main(name, "no-such-folder")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("somebody:hunter2@", "", "FROM: expected no name or password"),
        ("", "/data?token=hunter2", "FROM: expected no secret in an address, found a value of 'token'"),
        ("", "/data?id=hunter2", "/data?...: expected a URL that ends with the name of a file or a folder"),
    ],
)
def test_a_secret_is_sent_and_shown_nowhere(
    parameters: Project, serve: Callable[..., Server], before: str, after: str, message: str
) -> None:
    requests = []
    server = serve(lambda handler: requests.append(handler.path))
    url = server.url.replace("://", f"://{before}") + after
    make = ("make", "--file", str(ROOT / "Makefile"), "-o", ".venv/installed")
    done = parameters.run(*make, "new", "NAME=letters", f"FROM={url}", expect=2)
    assert message in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert requests == []


SECTION = {"largest_pixel": 255, "about": {"limits": []}}
TEXT = """\
  letters:
    largest_pixel: 255
    about:
      limits: []
"""
WINDOWS_TEXT = TEXT.replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("datasets:\n  a:\n    b: 1\n", f"datasets:\n  a:\n    b: 1\n\n{TEXT}"),
        (
            "datasets:\n# on a\n  a: 1  # one\n# on b\n  b: 2\n\n# on c\nc: 3\n",
            f"datasets:\n# on a\n  a: 1  # one\n# on b\n  b: 2\n\n{TEXT}\n# on c\nc: 3\n",
        ),
        ("c: 3\ndatasets:\n  a: 1", f"c: 3\ndatasets:\n  a: 1\n\n{TEXT}"),
        ("datasets:\r\n  a: 1\r\n", f"datasets:\r\n  a: 1\r\n\r\n{WINDOWS_TEXT}"),
        ("datasets:\n\n    a: 1\nc: 3\n", f"datasets:\n\n    a: 1\n\n{indent(TEXT, '  ')}c: 3\n"),
        ("datasets:\n  a: 1 \n \n\n\nc: 3\n", f"datasets:\n  a: 1 \n\n{TEXT} \n\n\nc: 3\n"),
        ("c: 3\r\ndatasets:\n  a: 1\n", f"c: 3\r\ndatasets:\n  a: 1\r\n\r\n{WINDOWS_TEXT[:-2]}\n"),
        ("# on c\nc: 3\n", f"# on c\nc: 3\n\ndatasets:\n{TEXT}"),
        ("c: 3\r\n", f"c: 3\r\n\r\ndatasets:\r\n{WINDOWS_TEXT}"),
        ("datasets: {}\n# on c\nc: 3\n", f"datasets:\n\n{TEXT}# on c\nc: 3\n"),
    ],
    ids=[
        *("last", "comments", "no line end", "Windows", "four spaces", "blank lines", "mixed line ends"),
        *("no data sets", "no data sets, Windows", "empty data sets"),
    ],
)
def test_the_rest_of_the_file_stays_as_it_is(before: str, after: str) -> None:
    assert yaml_text.insert_section(before, "letters", SECTION) == after


def test_tools_yaml_without_data_sets_gets_the_key(parameters: Project, tmp_path: Path) -> None:
    write_idx(tmp_path)
    parameters.edit_tools(lambda content: content.pop("datasets"))
    before = read_both(parameters)["tools.yaml"]
    parameters.here("tools.new", "letters", tmp_path)
    after = read_both(parameters)["tools.yaml"]
    assert after.startswith(f"{before.rstrip()}\n\ndatasets:\n  letters:\n    about:\n")
    assert read_about(parameters, "letters").limits == []


def test_a_name_in_tools_yaml_alone_is_one_line(parameters: Project, tmp_path: Path) -> None:
    write_idx(tmp_path)
    parameters.edit_tools(lambda content: content["datasets"].update(letters={"about": {"title": "Old"}}))
    before = read_both(parameters)
    completed = parameters.here("tools.new", "letters", tmp_path, expect=2)
    assert completed.stderr.count("\n") == 1
    assert "tools.yaml: expected a new name, found 'letters' there, though" in completed.stderr
    assert read_both(parameters) == before


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_replaced_leaves_both_as_they_were(
    parameters: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_idx(tmp_path)
    before = read_both(parameters)
    replace = Path.replace

    def refuse(source: Path, target: Path) -> Path:
        if target == Path(name):  # as Windows does while another program has the file open
            raise PermissionError(13, "Permission denied", str(target))
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(UserError, match="expected a place to write to"), contextlib.chdir(parameters.folder):
        new.main("letters", str(tmp_path))
    assert read_both(parameters) == before
    assert sorted(path.name for path in parameters.folder.iterdir()) == sorted(
        [".dvc", *FILES]
    )  # a lock file


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("new", "expected make new NAME="),
        ("share", "expected make share REMOTE="),
        ("search", "expected make search DATASET="),
        ("try", "expected make try DATASET="),
    ],
)
def test_a_target_says_what_it_needs(parameters: Project, target: str, message: str) -> None:
    make = ("make", "--file", str(ROOT / "Makefile"), "-o", ".venv/installed")
    assert message in parameters.run(*make, target, expect=2).stderr


@pytest.mark.parametrize(
    ("name", "files", "message"),
    [
        ("letters", {}, "expected pictures in FOLDER/CLASS/*.png, or in FOLDER/train/CLASS and"),
        ("mnist", {}, "params.yaml: expected a new name, found 'mnist' there already"),
        ("letters", {"a.npz": b"no archive"}, "a.npz: expected an .npz file of numbers"),
        (
            "letters",
            {"x/a.png": b"", "x/b.png": b"", "x/c.png": b"", "y/a.png": b"", "y/b.png": b"", "y/c.png": b""},
            "x/a.png: an empty file",
        ),
    ],
)
def test_a_data_set_that_cannot_be_added_is_one_line(
    parameters: Project, tmp_path: Path, name: str, files: dict[str, bytes], message: str
) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    for file, content in files.items():
        (origin / file).parent.mkdir(parents=True, exist_ok=True)
        (origin / file).write_bytes(content)
        if file == "a.npz":
            origin = origin / file
    before = read_both(parameters)
    completed = parameters.here("tools.new", name, origin, expect=2)
    assert completed.stderr.count("\n") == 1
    assert message in completed.stderr
    assert read_both(parameters) == before
