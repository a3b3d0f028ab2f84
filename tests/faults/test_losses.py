"""Nothing that a user brought is changed or removed, whatever it is called and wherever it lies."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import TWIN, Project
from PIL import Image

from stages.common import layout
from stages.common.errors import UserError
from stages.sources import idx
from stages.sources.places import expect_outside_outputs

LINE = re.compile(r"^error: .*$", re.MULTILINE)


def put_pictures(folder: Path) -> None:
    """Write 12 pictures a class, 8 x 8 pixels, as people have them."""
    random = np.random.default_rng(0)
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            place = folder / part / name
            place.mkdir(parents=True)
            for number in range(12):
                pixels = random.integers(0, 256, (8, 8, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.png")


def put_idx(folder: Path) -> None:
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for images, labels in (
        (layout.TRAIN_IMAGES, layout.TRAIN_LABELS),
        (layout.TEST_IMAGES, layout.TEST_LABELS),
    ):
        idx.write(folder / images, random.integers(0, 256, (24, 8, 8)).astype(np.uint8))
        idx.write(folder / labels, (np.arange(24) % 2).astype(np.uint8))


def put_archive(folder: Path) -> None:
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    np.savez(
        folder / "pets.npz",
        x_train=random.integers(0, 256, (24, 8, 8)).astype(np.uint8),
        y_train=np.arange(24) % 2,
        x_test=random.integers(0, 256, (24, 8, 8)).astype(np.uint8),
        y_test=np.arange(24) % 2,
    )


KINDS = {"pictures": (put_pictures, ""), "IDX files": (put_idx, ""), "an archive": (put_archive, "pets.npz")}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "place", ["data/raw/pets", "data/raw/others", "models/pets", "data/processed/a/train"]
)
def test_files_where_stages_write_are_refused_and_kept(project: Project, kind: str, place: str) -> None:
    put, name = KINDS[kind]
    put(project.folder / place)
    before = project.files(f"{place}/**/*")
    for origin in (
        f"{place}/{name}",
        f"./{place}/../{Path(place).name}/{name}",
        str(project.folder / place / name),
    ):
        error = project.here("tools.new", "pets", origin, expect=2).stderr
        assert error.count("\n") == 1
        assert error.startswith("error: FROM: expected a place outside of ")
    assert project.files(f"{place}/**/*") == before
    assert "pets" not in (project.folder / "params.yaml").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_source_that_is_moved_to_where_stages_write_is_kept(project: Project, kind: str) -> None:
    """Edit params.yaml by hand; DVC must not remove the folder before the stage can refuse it."""
    put, name = KINDS[kind]
    put(project.folder / "data/own")
    project.here("tools.new", "pets", f"data/own/{name}")
    (project.folder / "data/own").rename(project.folder / "data/raw/pets")

    def move(content: dict) -> None:
        source = content["datasets"]["pets"]["source"]
        if "folder" in source:
            source["folder"] = "data/raw/pets"
        else:
            source["urls"] = ["data/raw/pets"]

    project.edit_parameters(move)
    before = project.files("data/raw/pets/**/*")
    done = project.run("dvc", "repro", "evaluate@pets", expect=255)
    (line,) = LINE.findall(done.stderr)
    assert line.startswith("error: params.yaml: datasets.pets.source: expected a place outside of data/raw")
    assert project.files("data/raw/pets/**/*") == before


@pytest.mark.parametrize("link", [True, False], ids=["a link", "a URL"])
def test_no_other_name_leads_there(project: Project, monkeypatch: pytest.MonkeyPatch, link: bool) -> None:
    monkeypatch.chdir(project.folder)
    address = f"file://{project.folder}/data/raw/pets"
    if link:
        address = "pets"
        (project.folder / address).symlink_to("data/raw/pets")
    with pytest.raises(UserError, match="outside of data/raw"):
        expect_outside_outputs([address], "FROM")


def test_places_elsewhere_are_welcome(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(project.folder)
    for address in (
        "data/own",
        "data/rawest",
        str(tmp_path / "data/raw"),
        "https://example.org/data/raw",
        "~",
    ):
        expect_outside_outputs([address], "FROM")


def test_files_in_the_way_of_a_new_data_set_are_kept(project: Project) -> None:
    put_pictures(project.folder / "own")
    for place in ("data/raw/pets/notes.txt", "data/processed/pets/test/1.png", "models/pets.keras"):
        path = project.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("the only copy", encoding="utf-8")
        error = project.here("tools.new", "pets", "own", expect=2).stderr
        assert error.startswith(f"error: {place}: expected no file there")
        assert path.read_text(encoding="utf-8") == "the only copy"
        path.unlink()
    project.here("tools.new", "pets", "own")


@pytest.mark.slow
def test_a_data_set_whose_results_dvc_keeps_can_be_added_anew(project: Project) -> None:
    put_pictures(project.folder / "own")
    texts = {name: (project.folder / name).read_bytes() for name in ("params.yaml", "tools.yaml")}
    project.here("tools.new", "pets", "own")
    project.run("dvc", "repro", "preprocess@pets")
    for name, text in texts.items():
        (project.folder / name).write_bytes(text)
    project.here("tools.new", "pets", "own")


REASONS: dict[str, Callable[[dict], object]] = {
    "data/raw/digits": lambda section: section["files"]["train-images-idx3-ubyte"].update(name="other"),
    "data/processed/digits/train": lambda section: section.update(seed=1),
}


@pytest.mark.slow
@pytest.mark.parametrize("place", REASONS)
def test_a_stage_replaces_no_folder_with_files_of_others(project: Project, place: str) -> None:
    """Name the file that a user has put beside those of a stage, and not the one that a system has."""
    for name in ("only copy.xcf", ".DS_Store"):
        (project.folder / place / name).write_text("brought", encoding="utf-8")
    project.edit_parameters(lambda content: REASONS[place](content["datasets"]["digits"]))
    before = project.files(f"{place}/*")
    done = project.run("dvc", "repro", "evaluate@digits", expect=255)
    (line,) = LINE.findall(done.stderr)
    expected = "expected no files but those that this command writes, found only copy.xcf; move them"
    assert line.startswith(f"error: {place}: {expected}")
    assert project.files(f"{place}/*") == before


MISTAKES: dict[str, Callable[[dict], object]] = {
    "a typing error": lambda section: section["training"].update(epoch=3),
    "a wrong value": lambda section: section["training"].update(learning_rate=-1),
    "a wrong type": lambda section: section["network"].update(hidden="many"),
    "a diverging training": lambda section: section["training"].update(learning_rate=1e30, weight_decay=0),
    "a class too few": lambda section: section.update(classes=9),
    "a wrong hash": lambda section: section["files"]["train-images-idx3-ubyte"].update(sha256="0" * 64),
}


@pytest.mark.slow
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_parameters_costs_nothing(project: Project, mistake: str) -> None:
    project.edit_parameters(lambda content: MISTAKES[mistake](content["datasets"][TWIN]))
    patterns = ("data/**/*", "models/*", "metrics/*", "predictions/**/*", "plots/**/*")
    before = project.files(*patterns)
    done = project.run("dvc", "repro", f"evaluate@{TWIN}", expect=255)
    assert len(LINE.findall(done.stderr)) == 1
    assert project.files(*patterns) == before
    project.run("git", "checkout", "--", "params.yaml")
    assert "up to date" in project.run("dvc", "status").stdout


def test_a_review_keeps_what_others_have_put_into_its_folder(project: Project) -> None:
    path = project.folder / "review/notes.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine", encoding="utf-8")
    error = project.here("tools.review", "main", expect=2).stderr
    assert error.startswith(
        "error: review: expected no files but those that this command writes, found notes.txt"
    )
    assert path.read_text(encoding="utf-8") == "mine"


def test_a_repair_removes_only_files_of_the_stages(project: Project) -> None:
    raw, split = project.folder / "data/raw/digits", project.folder / "data/processed/digits/train"
    for folder in (raw, split):
        (folder / "only copy.xcf").write_text("brought", encoding="utf-8")
        for path in folder.iterdir():
            if path.name != "only copy.xcf":
                path.chmod(0o644)
                path.write_bytes(b"rotten")
    project.here("tools.repair")
    assert [path.name for folder in (raw, split) for path in folder.iterdir()] == ["only copy.xcf"] * 2
