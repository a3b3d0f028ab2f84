"""Predictions for images in files, and model cards."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import ROOT, Project
from PIL import Image, ImageDraw
from ruamel.yaml import YAML

from stages import parameters
from stages.common.errors import UserError
from stages.sources import idx
from tools.common import settings
from tools.predict import card, images
from tools.predict.images import ImageFormat

RAW = "data/raw/digits/t10k-images-idx3-ubyte"
DIGITS = ImageFormat((8, 8), np.dtype(np.uint8), 16, "dark")


def predict(project: Project, *files: str) -> list[dict]:
    """Return the predictions that the command prints for programs."""
    return json.loads(project.here("tools.predict", "digits", *files, "--json").stdout)


def test_the_test_images_are_predicted_as_they_were_scored(finished: Project) -> None:
    predictions = predict(finished, RAW)
    scored = pd.read_csv(finished.folder / "predictions/digits/test.csv", dtype={"predicted": str})
    table = pd.DataFrame(predictions)
    assert table["class"].tolist() == scored["predicted"].tolist()
    assert table["probability"].tolist() == pytest.approx(scored["probability"].tolist(), abs=1e-3)
    assert table["image"].tolist() == list(range(len(scored)))


def test_pictures_and_arrays_of_the_same_image_are_the_same(finished: Project, tmp_path: Path) -> None:
    image = idx.read(finished.folder / RAW)[1]
    np.save(tmp_path / "array.npy", image)
    idx.write(tmp_path / "image.idx", image)
    enlarged = Image.fromarray(np.rint(image * (255 / 16)).astype(np.uint8)).resize((80, 80), 0)
    enlarged.save(tmp_path / "picture.png")
    Image.fromarray(255 - np.asarray(enlarged)).save(tmp_path / "ink.jpg", quality=95)
    files = [str(tmp_path / name) for name in ("array.npy", "image.idx", "picture.png", "ink.jpg")]
    predictions = predict(finished, *files)
    assert [prediction["file"] for prediction in predictions] == files
    assert len({prediction["class"] for prediction in predictions}) == 1
    assert [(prediction["background"], prediction["inverted"]) for prediction in predictions] == [
        (None, False), (None, False), ("dark", False), ("light", True),
    ]  # fmt: skip
    lines = finished.here("tools.predict", "digits", *files).stdout.splitlines()
    assert lines[3].startswith(f"{files[3]}: {predictions[3]['class']} (")
    assert lines[3].endswith("%); on light, inverted")
    for prediction, line in zip(predictions, lines, strict=True):
        likeliest = prediction["likeliest"]
        assert len(likeliest) == line.count("%") == 3
        assert likeliest[0] == {"class": prediction["class"], "probability": prediction["probability"]}
        assert [item["probability"] for item in likeliest] == sorted(
            (item["probability"] for item in likeliest), reverse=True
        )


def test_the_background_can_be_stated(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 255, np.uint8)).save(tmp_path / "white.png")
    by_edges = images.read(tmp_path / "white.png", DIGITS)
    as_dark = images.read(tmp_path / "white.png", DIGITS, "dark")
    assert (by_edges.inverted, as_dark.inverted) == (True, False)
    assert by_edges.pixels.max() == 0
    assert as_dark.pixels.min() == 16
    idx.write(tmp_path / "array.idx", np.full((2, 8, 8), 16, np.uint8))
    assert images.read(tmp_path / "array.idx", DIGITS, "light").pixels.max() == 0
    unknown = DIGITS._replace(background=None)
    assert not images.read(tmp_path / "white.png", unknown).inverted


def test_arrays_of_another_size_are_stretched(tmp_path: Path) -> None:
    np.save(tmp_path / "large.npy", np.full((3, 20, 30), 16.0))
    pixels = images.read(tmp_path / "large.npy", DIGITS).pixels
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.full((3, 8, 8), 16))


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        *[((64,), 1), ((1, 64), 1), ((50, 64), 50), ((64, 64), 64), ((8, 8), 1), ((8, 64), 8)],
        *[((5, 8, 8, 1), 5), ((8, 8, 1), 1), ((5, 64, 1), 5)],  # with an axis for the only channel
        *[((5, 1, 8, 8), 5), ((5, 1, 64), 5)],
    ],
)
def test_an_image_may_be_a_row(tmp_path: Path, shape: tuple[int, ...], count: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 17, shape)
    np.save(tmp_path / "rows.npy", pixels)
    found = images.read(tmp_path / "rows.npy", DIGITS)
    assert found.warning is None
    assert np.array_equal(found.pixels, pixels.reshape(count, 8, 8))


def test_pixels_of_another_range_are_told(finished: Project, tmp_path: Path) -> None:
    image = idx.read(finished.folder / RAW)[:3] / 16
    np.save(tmp_path / "scaled.npy", np.rint(image))
    done = finished.here("tools.predict", "digits", tmp_path / "scaled.npy", "--json")
    warning = (
        f"{tmp_path}/scaled.npy: pixels from 0 to 1, where the training images have pixels from 0 to 16; "
        "multiply them by 16"
    )
    assert done.stderr == f"warning: {warning}\n"
    assert [prediction["warning"] for prediction in json.loads(done.stdout)] == [warning] * 3


def test_ink_is_framed_where_the_data_set_has_a_framing(project: Project, tmp_path: Path) -> None:
    text = (project.folder / "tools.yaml").read_text()
    framing = "framing: {longest_side: 8, stroke_width: [1.0, 2.0], centre: box}"
    (project.folder / "tools.yaml").write_text(
        text.replace("background: dark", f"background: dark\n      {framing}", 1)
    )
    picture = Image.new("L", (400, 300), 230)
    ImageDraw.Draw(picture).ellipse((250, 60, 330, 200), outline=20, width=12)
    picture.save(tmp_path / "zero.png")
    Image.new("L", (400, 300), 230).save(tmp_path / "blank.png")
    files = (tmp_path / "zero.png", tmp_path / "blank.png", RAW)
    done = project.here("tools.predict", "digits", *files, "--show", tmp_path / "seen.png")
    zero, blank, *own = done.stdout.splitlines()
    assert zero.startswith(f"{files[0]}: 0 (")
    assert zero.endswith("%); on light, inverted, framed")
    assert blank == f"{files[1]}: nothing, since there is no ink on it"
    scored = pd.read_csv(project.folder / "predictions/digits/test.csv", dtype={"predicted": str})
    assert [line.split(": ")[1].split(" ")[0] for line in own] == scored["predicted"].tolist()
    with Image.open(tmp_path / "seen.png") as seen:
        assert seen.width == 1200
        assert np.asarray(seen.convert("L")).std() > 10
    found = json.loads(project.here("tools.predict", "digits", *files[:2], "--json").stdout)
    assert [item["class"] for item in found] == ["0", None]
    assert [item["framed"] for item in found] == [True, False]
    wrong = text.replace("background: dark", "background: dark\n      framing: {centre: top}", 1)
    (project.folder / "tools.yaml").write_text(wrong)
    done = project.here("tools.predict", "digits", files[0], expect=2)
    assert "datasets.digits.about.framing.centre: expected 'mass' or 'box', found 'top'" in done.stderr


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.float64(3), "expected images of shape ('n', 8, 8)"),
        (np.zeros(8), "expected images of shape ('n', 8, 8)"),
        (np.zeros((2, 8, 8, 3)), "expected images of shape ('n', 8, 8)"),
        (np.zeros((0, 8, 8)), "expected images, found none"),
        (np.zeros((8, 8, 3)), "expected images of shape ('n', 8, 8)"),
        (np.zeros((16, 16)), "expected images of shape ('n', 8, 8)"),
        (np.zeros((5, 63)), "expected images of shape ('n', 8, 8)"),
        (np.full((8, 8), 17), "expected whole numbers from 0 to 16"),
        (
            np.full((8, 8), np.nan),
            "expected whole numbers from 0 to 16, as in the training images, found pixels",
        ),
        (np.full((8, 8), 0.5), "expected whole numbers from 0 to 16"),
        (np.full((8, 8), "1"), "expected whole numbers from 0 to 16"),
        (np.ones((8, 8), bool), "expected whole numbers from 0 to 16"),
        (np.full((8, 8), -1), "expected whole numbers from 0 to 16"),
        (np.full((8, 8), print), "expected an .npy file"),
    ],
)
def test_arrays_that_are_no_images_are_one_line(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "array.npy", array)
    with pytest.raises(UserError) as error:
        images.read(tmp_path / "array.npy", DIGITS)
    assert str(error.value).startswith(f"{tmp_path / 'array.npy'}: {message}")
    assert "; " in str(error.value)  # and what to do


def test_the_first_of_several_pictures_is_read_and_the_others_are_told(tmp_path: Path) -> None:
    frames = [Image.new("L", (8, 8), value) for value in (200, 10, 90)]
    frames[0].save(tmp_path / "three.gif", save_all=True, append_images=frames[1:])
    found = images.read(tmp_path / "three.gif", DIGITS, "dark")
    assert found.pixels.max() == round(200 * 16 / 255)
    assert found.warning is not None
    assert "3 pictures in one file, of which the first is read" in found.warning


def test_file_names_cannot_spoil_the_output(finished: Project, tmp_path: Path) -> None:
    names = ["new\nline.png", "\x1b[31m.png", "\udcff.png", "雪$x_{2}$.png"]
    for name in names:
        Image.new("L", (100, 100), 120).save(tmp_path / name, format="png")
    files = [str(tmp_path / name) for name in names]
    seen = tmp_path / "seen.png"
    done = finished.here("tools.predict", "digits", *files, "--show", seen)
    assert done.stdout.count("\n") == done.stderr.count("\n") == len(names)
    assert "\x1b" not in done.stdout + done.stderr
    assert "new\\nline.png: " in done.stdout
    with Image.open(seen) as picture:
        assert picture.width == 1200
    completed = finished.here("tools.predict", "digits", files[3], "--show", files[3] + "/x.png", expect=2)
    assert completed.stderr.count("\n") == 2  # a warning, and the error
    assert "error: --show: expected a place for " in completed.stderr
    assert completed.stdout.count("\n") == 1  # what was predicted is not lost
    ascii_only = finished.run(
        "python",
        "-m",
        "tools.predict",
        "digits",
        files[3],
        "--json",
        PYTHONUTF8="0",
        PYTHONIOENCODING="ascii",
    )
    assert json.loads(ascii_only.stdout)[0]["file"] == files[3]


def test_an_archive_is_one_line(tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", images=np.zeros((2, 8, 8)))
    with pytest.raises(UserError, match=r"found an \.npz or another archive; unpack it"):
        images.read(tmp_path / "images.npz", DIGITS)


def test_what_is_unlike_the_training_images_is_told(finished: Project, tmp_path: Path) -> None:
    own = idx.read(finished.folder / RAW)[:50]
    noise = np.random.default_rng(0).integers(0, 17, (2, 8, 8), np.uint8)
    np.save(tmp_path / "mixed.npy", np.concatenate([own, noise]))
    Image.new("L", (100, 100), 120).save(tmp_path / "grey.png")
    idx.write(tmp_path / "own.idx", own[0])
    files = [str(tmp_path / name) for name in ("mixed.npy", "grey.png", "own.idx")]
    done = finished.here("tools.predict", "digits", *files, "--json")
    unlike = [item["unlike_training_images"] for item in json.loads(done.stdout)]
    assert unlike[50:] == [True, True, True, False]
    assert sum(unlike[:50]) <= 3
    first = unlike.index(True)
    assert done.stderr.splitlines() == [
        f"warning: {files[0]}: {sum(unlike[:52])} of 52 images are unlike the training images, the first "
        f"#{first}, so their classes say little",
        f"warning: {files[1]}: unlike the training images, so its class says little",
    ]
    lines = finished.here("tools.predict", "digits", *files).stdout.splitlines()
    assert lines[52].endswith("unlike the training images")
    assert not lines[53].endswith("unlike the training images")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digits", "no-such.png"], "no-such.png: expected a file of images, found none"),
        (["digits", "docs"], "docs: expected a file of images, found a folder; name its files, docs/*"),
        (["digits", "https://example.org/a.png"], "found an address; download what it leads to"),
        (["letters", "README.md"], "expected one of digits, twin, found 'letters'"),
        (["digits"], "the following arguments are required: FILE"),
        (["digits", RAW, "--show", "seen.jpg"], "--show: expected the name of a PNG file, such as seen.png"),
        (["digits", RAW, "--show", "metrics"], "--show: expected the name of a PNG file, such as seen.png"),
    ],
)
def test_a_wrong_argument_is_one_line(finished: Project, arguments: list[str], message: str) -> None:
    completed = finished.here("tools.predict", *arguments, expect=2)
    assert completed.stderr.count("\n") == 1
    assert message in completed.stderr


def test_a_card_names_what_preprocess_has_found(project: Project) -> None:
    path = project.folder / "plots/data/digits.json"
    content = json.loads(path.read_text())
    content["identical"]["test in train"] = 3
    content["which"]["identical: test in train"] = [["a_b.png", "c.png"]]
    path.write_text(json.dumps(content))
    lock = project.folder / "dvc.lock"
    old = YAML(typ="safe").load(lock)["stages"]["preprocess@digits"]["outs"]
    (entry,) = [entry for entry in old if entry["path"] == "plots/data/digits.json"]
    new = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    lock.write_text(lock.read_text().replace(entry["md5"], new))
    project.here("tools.predict.card", "digits")
    limits = (project.folder / "cards/digits.md").read_text().partition("## Limits")[2]
    assert (
        "- Found before training: test images identical to a training image: 3 of 360, as a_b.png" in limits
    )


def test_what_can_be_read_is_predicted_and_all_else_is_named(finished: Project, tmp_path: Path) -> None:
    Image.new("L", (8, 8), 120).save(tmp_path / "good.png")
    (tmp_path / "empty.png").touch()
    (tmp_path / "a folder").mkdir()
    files = [tmp_path / name for name in ("empty.png", "good.png", "a folder", "none.png")]
    done = finished.here("tools.predict", "digits", *files, expect=2)
    assert done.stdout.startswith(f"{tmp_path / 'good.png'}: ")
    assert done.stdout.count("\n") == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "empty.png: expected a picture, found an empty file" in error
    assert f"name its files, '{tmp_path / 'a folder'}'/*; {tmp_path / 'none.png'}: expected" in error
    many = finished.here("tools.predict", "digits", *files[2:] * 4, expect=2)
    assert many.stderr.endswith("check its name; and 3 more\n") or many.stderr.endswith("/*; and 3 more\n")
    as_json = finished.here("tools.predict", "digits", *files, "--json", expect=2).stdout
    assert [row["file"] for row in json.loads(as_json)] == [str(files[1])]


def test_a_card_says_what_the_repository_holds(project: Project) -> None:
    assert project.here("tools.predict.card", "digits").stdout == "cards/digits.md\n"
    text = (project.folder / "cards/digits.md").read_text()
    metrics = json.loads((project.folder / "metrics/digits.json").read_text())["test"]
    for metric, value in metrics.items():
        assert f"| {metric} | {value:.4f} | " in text
    about = settings.load(path=ROOT / "tools.yaml").dataset("digits").about
    for fact in (about.title, about.licence, about.source, *about.limits, card.LIMIT_OF_EVERY_NETWORK):
        assert fact in text
    for file in parameters.load(ROOT / "params.yaml").dataset("digits").files.items_by_file().values():
        assert file.sha256 in text
    assert "| learning_rate | 0.003 |" in text
    assert "| augmentation.shift | 0.0 |" in text
    assert text.count("\n| ") > 30
    assert "?" not in project.run("git", "status", "--porcelain").stdout


def test_a_network_of_other_classes_than_the_parameters_is_refused(project: Project) -> None:
    project.edit_parameters(lambda content: content["datasets"]["digits"]["classes"].append("ten"))
    completed = project.here("tools.predict", "digits", RAW, expect=2)
    assert re.search(r"models/digits\.keras: expected 11 classes, .* found 10; run: dvc", completed.stderr)


def test_a_network_of_images_of_another_size_is_refused(project: Project) -> None:
    path = project.folder / "models/digits.json"
    text = path.read_text()
    for key, right, wrong in (
        ("shape", "[8, 8]", "[9, 9]"),
        ("dtype", '"uint8"', '"int16"'),
        ("largest_pixel", "16", "255"),
        ("classes", '["0", "1"', '["1", "0"'),
    ):
        path.write_text(text.replace(f'"{key}": {right}', f'"{key}": {wrong}'))
        completed = project.here("tools.predict", "digits", RAW, expect=2)
        assert f"models/digits.json: {key}: expected " in completed.stderr
        assert "; run: dvc repro evaluate@digits" in completed.stderr
    path.unlink()
    completed = project.here("tools.predict", "digits", RAW, expect=2)
    assert "models/digits.json: expected the description of a data set, found no file" in completed.stderr


def test_a_file_that_is_no_picture_is_refused(finished: Project) -> None:
    assert (
        "README.md: expected a picture"
        in finished.here("tools.predict", "digits", "README.md", expect=2).stderr
    )


def test_two_zeros_do_not_make_an_idx_file(tmp_path: Path) -> None:
    (tmp_path / "photo.heic").write_bytes(b"\0\0\0\x24ftypheic")
    with pytest.raises(UserError, match=r"photo\.heic: expected a picture"):
        images.read(tmp_path / "photo.heic", DIGITS)


@pytest.mark.parametrize("content", [None, ""])
def test_a_card_without_the_scores_of_classes_is_one_line(project: Project, content: str | None) -> None:
    path = project.folder / "plots/classes/digits.csv"
    path.unlink() if content is None else path.write_text(content)
    completed = project.here("tools.predict.card", "digits", expect=2)
    assert "found changed since: plots/classes/digits.csv; run: dvc repro evaluate@digits" in completed.stderr


def test_a_card_is_not_made_of_old_results_and_new_parameters(project: Project) -> None:
    project.edit_parameters(lambda content: content["datasets"]["digits"]["training"].update(epochs=3))
    completed = project.here("tools.predict.card", "digits", expect=2)
    assert "found changed since: datasets.digits.training; run: dvc repro evaluate@digits" in completed.stderr


def test_a_card_needs_no_results_yet(project: Project) -> None:
    (project.folder / "predictions/digits/test.csv").unlink()
    project.here("tools.predict.card", "digits")
    assert "## Results" not in (project.folder / "cards/digits.md").read_text()
