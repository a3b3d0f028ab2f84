"""Folders of pictures as people have them: each layout is understood, or refused by what was found there."""

import contextlib
import os
import shutil
from pathlib import Path

import pytest
from helpers import ROOT, Project
from PIL import Image
from sections import count_images, read_both, read_section, save_pictures

from stages import fetch
from stages.common import layout
from stages.sources import idx


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("",), {"train": 8, "validation": 2, "test": 2}),
        (("train", "test"), {"train": 10, "validation": 2, "test": 12}),
        (("Train", "Test"), {"train": 10, "validation": 2, "test": 12}),
        (("training", "testing"), {"train": 10, "validation": 2, "test": 12}),
        (("TRAIN", "val", "test"), {"train": 12, "validation": 12, "test": 12}),
        (("train", "validation", "test"), {"train": 12, "validation": 12, "test": 12}),
        (("train", "valid"), {"train": 10, "validation": 12, "test": 2}),
        (("train",), {"train": 8, "validation": 2, "test": 2}),
        (("outer/train", "outer/test"), {"train": 10, "validation": 2, "test": 12}),
        (("one/two",), {"train": 8, "validation": 2, "test": 2}),
        (("train/images", "test/images"), {"train": 10, "validation": 2, "test": 12}),
        (("train_images", "test_images"), {"train": 10, "validation": 2, "test": 12}),
        (("images train", "pictures-val"), {"train": 10, "validation": 12, "test": 2}),
        (("Training Set", "Test Set", "Validation Set"), {"train": 12, "validation": 12, "test": 12}),
    ],
)
def test_each_layout_is_understood(
    parameters: Project, tmp_path: Path, parts: tuple[str, ...], expected: dict[str, int]
) -> None:
    for part in parts:
        for name in ("cat", "dog"):
            save_pictures(tmp_path / "pets" / part / name)
    done = parameters.here("tools.new", "pets", tmp_path / "pets")
    assert "2 classes, images of 16 x 16 x 3 (height x width x channels): " in done.stdout
    section = read_section(parameters)
    assert section["classes"] == ["cat", "dog"]
    assert ("were drawn, of every class its share" in done.stdout) == isinstance(
        section["source"]["test"], dict
    )
    assert count_images(parameters) == expected
    assert count_images(parameters) == expected  # and again, by the hashes


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz"])
def test_an_archive_of_a_folder_is_the_folder(parameters: Project, tmp_path: Path, suffix: str) -> None:
    for name in ("cat", "dog"):
        save_pictures(tmp_path / "outer/pets" / name)
    kind = {"zip": "zip", "tar": "tar", "tar.gz": "gztar"}[suffix]
    archive = shutil.make_archive(str(tmp_path / "pets"), kind, tmp_path / "outer")
    parameters.here("tools.new", "pets", tmp_path / "outer")
    parameters.here("tools.new", "packed", archive)
    sections = [read_section(parameters, name) for name in ("pets", "packed")]
    assert sections[0]["files"] == sections[1]["files"]
    assert count_images(parameters, "packed") == {"train": 8, "validation": 2, "test": 2}


def test_a_class_may_be_called_train(parameters: Project, tmp_path: Path) -> None:
    for name in ("train", "test", "ship"):
        save_pictures(tmp_path / "toys" / name)
    parameters.here("tools.new", "toys", tmp_path / "toys")
    assert read_section(parameters, "toys")["classes"] == ["ship", "test", "train"]


def test_classes_come_in_the_order_in_which_people_count(parameters: Project, tmp_path: Path) -> None:
    for number in range(1, 13):
        save_pictures(tmp_path / f"months/{number}", 4)
    parameters.here("tools.new", "months", tmp_path / "months")
    assert read_section(parameters, "months")["classes"] == [str(number) for number in range(1, 13)]
    with contextlib.chdir(parameters.folder):
        fetch.main("months")
        labels = idx.read(layout.raw("months") / layout.TEST_LABELS)
    assert labels.tolist() == list(range(12))


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(40, 30), (30, 40)], "35 x 35 x 3"),
        ([(6, 150)], "6 x 64 x 3"),
        ([(150, 6)], "64 x 6 x 3"),
        ([(100, 1000)], "8 x 64 x 3"),
        ([(10, 20), (20, 10), (480, 640), (20, 20), (20, 21)], "20 x 20 x 3"),
    ],
)
def test_pictures_of_many_sizes_get_a_usual_one(
    parameters: Project, tmp_path: Path, sizes: list[tuple[int, int]], expected: str
) -> None:
    for name in ("cat", "dog"):
        for number, size in enumerate(sizes):
            save_pictures(tmp_path / f"pets/{name}/{number}", 4, size)
    assert f"images of {expected} (height" in parameters.here("tools.new", "pets", tmp_path / "pets").stdout


def test_what_is_left_out_is_said(parameters: Project, tmp_path: Path) -> None:
    for part in ("train", "test", "extra"):
        for name in ("cat", "dog"):
            save_pictures(tmp_path / "pets" / part / name)
    save_pictures(tmp_path / "pets/train/cat/dog", 2)
    Image.new("L", (9, 9)).save(tmp_path / "pets/train/loose.png")
    (tmp_path / "pets/LICENCE.txt").write_text("free")
    out = parameters.here("tools.new", "pets", tmp_path / "pets").stdout
    assert "extra beside train: left out" in out
    assert f"in {tmp_path}/pets/train that are in no folder of a class: left out (loose.png)" in out
    assert f"in {tmp_path}/pets that are in no folder of a class: left out (LICENCE.txt)" in out
    assert "train/cat has folders of other classes in it: dog; their pictures count as cat" in out


def nothing(folder: Path) -> None:
    folder.mkdir()


def one_class(folder: Path) -> None:
    save_pictures(folder / "cat")


def loose_pictures(folder: Path) -> None:
    save_pictures(folder)


def only_test_pictures(folder: Path) -> None:
    save_pictures(folder / "Test/cat")
    save_pictures(folder / "Test/dog")


def two_trainings(folder: Path) -> None:
    for part in ("train", "Training"):
        save_pictures(folder / part / "cat")
        save_pictures(folder / part / "dog")


def one_picture(folder: Path) -> None:
    save_pictures(folder / "cat")
    save_pictures(folder / "dog", 1)


def strange_test_class(folder: Path) -> None:
    for name in ("train/cat", "train/dog", "test/cat", "test/cow"):
        save_pictures(folder / name)


def no_utf8(folder: Path) -> None:
    save_pictures(folder / "cat")
    strange = folder / os.fsdecode(b"caf\xe9")
    strange.mkdir()
    shutil.copy(folder / "cat/000.png", strange)


def carriage_return(folder: Path) -> None:
    save_pictures(folder / "cat")
    save_pictures(folder / "x\ry")


def interpolation(folder: Path) -> None:
    save_pictures(folder / "cat")
    save_pictures(folder / "${dog}")


def pipe(folder: Path) -> None:
    save_pictures(folder / "cat")
    save_pictures(folder / "dog")
    os.mkfifo(folder / "cat/x.png")


def huge(folder: Path) -> None:
    save_pictures(folder / "cat")
    save_pictures(folder / "dog")
    Image.new("1", (12_000, 9_000)).save(folder / "cat/x.png")


def test_links_that_lead_upwards_end(parameters: Project, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        save_pictures(tmp_path / "pets" / name)
        for number in range(3):
            (tmp_path / f"pets/{name}/up{number}").symlink_to("..")
            (tmp_path / f"pets/{name}/here{number}").symlink_to(".")
    (tmp_path / "pets/cat/aside").symlink_to("../dog")
    (tmp_path / "pets/dog/aside").symlink_to("../cat")
    parameters.here("tools.new", "pets", tmp_path / "pets")
    assert read_section(parameters)["classes"] == ["cat", "dog"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (nothing, "expected pictures in FOLDER/CLASS/*.png, or in FOLDER/train/CLASS"),
        (nothing, "found nothing"),
        (one_class, "found cat/"),
        (loose_pictures, "found 000.png, 001.png"),
        (only_test_pictures, "expected a folder train beside Test, found Test/"),
        (two_trainings, "expected one folder of train pictures, found "),
        (one_picture, "pets: expected at least 3 pictures of a class, found 1 of dog; add pictures"),
        (strange_test_class, "test/cow: expected folders of the same classes as in "),
        (no_utf8, "expected a name in UTF-8, found other bytes; rename the folder"),
        (carriage_return, "rename the folder"),
        (interpolation, "rename the folder"),
        (pipe, "cat/x.png: a folder, a device or a pipe; move it elsewhere"),
        (huge, "cat/x.png: 12,000 x 9,000 pixels, more than 89,478,485; make it smaller"),
    ],
)
def test_what_cannot_be_added_is_one_line(
    parameters: Project, tmp_path: Path, make: object, message: str
) -> None:
    make(tmp_path / "pets")  # type: ignore[operator]
    before = read_both(parameters)
    done = parameters.here("tools.new", "pets", tmp_path / "pets", expect=2)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Warning" not in done.stderr
    assert read_both(parameters) == before


@pytest.mark.parametrize("parts", [("train", "test"), ("Training", "val", "test")])
def test_parts_within_classes_are_told(parameters: Project, tmp_path: Path, parts: tuple[str, ...]) -> None:
    for name in ("cat", "dog"):
        for part in parts:
            save_pictures(tmp_path / "pets" / name / part)
    done = parameters.here("tools.new", "pets", tmp_path / "pets", expect=2)
    assert "in every folder of a class; exchange the levels: train/cat for cat/train" in done.stderr
    assert all(part in done.stderr for part in parts)


def test_training_pictures_in_no_class_are_told(parameters: Project, tmp_path: Path) -> None:
    save_pictures(tmp_path / "pets/train")
    for name in ("cat", "dog"):
        save_pictures(tmp_path / "pets/test" / name)
    done = parameters.here("tools.new", "pets", tmp_path / "pets", expect=2)
    assert (
        "pets/train: expected a folder of pictures for each class, as in test, found 000.png" in done.stderr
    )


def test_classes_that_may_be_a_level_deeper_are_told(parameters: Project, tmp_path: Path) -> None:
    for fold in ("fold1", "fold2"):
        for name in ("cat", "dog"):
            save_pictures(tmp_path / "pets" / fold / name)
    out = parameters.here("tools.new", "pets", tmp_path / "pets").stdout
    assert "warning: every class has the same folders in it: cat, dog. If these are the classes, put" in out


@pytest.mark.parametrize("parts", [("",), ("train", "test")])
def test_a_folder_without_pictures_is_told_and_is_no_class(
    parameters: Project, tmp_path: Path, parts: tuple[str, ...]
) -> None:
    for part in parts:
        for name in ("cat", "dog"):
            save_pictures(tmp_path / "pets" / part / name)
        (tmp_path / "pets" / part / "cow").mkdir()
    out = parameters.here("tools.new", "pets", tmp_path / "pets").stdout
    assert out.count("warning: no pictures in cow of ") == len(parts)
    (tmp_path / "pets" / parts[-1] / "pig").mkdir()
    save_pictures(tmp_path / "pets" / parts[0] / "dog", 9)
    out = parameters.here("tools.new.refresh", "pets").stdout
    assert "warning: no pictures in cow, pig of " in out


def test_a_single_class_with_pictures_is_named(parameters: Project, tmp_path: Path) -> None:
    save_pictures(tmp_path / "pets/cat")
    (tmp_path / "pets/dog").mkdir()
    error = parameters.here("tools.new", "pets", tmp_path / "pets", expect=2).stderr
    assert "found cat/, dog/, and pictures only in cat/; add pictures of another class" in error


def test_all_classes_with_too_few_pictures_are_named_at_once(parameters: Project, tmp_path: Path) -> None:
    for name, count in (("cat", 1), ("cow", 9), ("dog", 2)):
        save_pictures(tmp_path / "pets" / name, count)
    error = parameters.here("tools.new", "pets", tmp_path / "pets", expect=2).stderr
    assert "expected at least 3 pictures of a class, found 1 of cat, 2 of dog; add pictures" in error


def test_all_bad_files_are_counted_at_once(parameters: Project, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        save_pictures(tmp_path / "pets" / name)
    (tmp_path / "pets/cat/note.txt").write_text("no picture")
    whole = (tmp_path / "pets/dog/000.png").read_bytes()
    (tmp_path / "pets/dog/cut.png").write_bytes(whole[: len(whole) // 2])
    done = parameters.here("tools.new", "pets", tmp_path / "pets", expect=2)
    assert "expected 14 pictures, found 2 files that cannot be read: " in done.stderr
    assert "note.txt: a file of another format" in done.stderr
    assert "cut.png: a damaged one" in done.stderr


def test_bad_files_of_all_parts_are_named_at_once(parameters: Project, tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        for name in ("cat", "dog"):
            save_pictures(tmp_path / "pets" / part / name)
        (tmp_path / "pets" / part / "dog/note.txt").write_text("no picture")
    done = parameters.here("tools.new", "pets", tmp_path / "pets", expect=2)
    assert "found 3 files that cannot be read: " in done.stderr
    for part in ("train", "val", "test"):
        assert f"{part}/dog/note.txt: a file of another format" in done.stderr


def test_a_group_that_is_a_whole_class_is_told(parameters: Project, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        save_pictures(tmp_path / "pets" / name)
    done = parameters.here("tools.new", "pets", tmp_path / "pets", "--groups", "(cat|dog)/", expect=2)
    assert "expected several groups in a class, by '(cat|dog)/', since groups are drawn whole" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rel$x", "it's", 'q"q', "a b", "`false`", "${x}", "#1", "%s*"])
def test_make_takes_a_folder_of_any_name(parameters: Project, tmp_path: Path, name: str) -> None:
    for label in ("cat", "dog"):
        save_pictures(tmp_path / name / label)
    (tmp_path / "rel").mkdir()
    shutil.copy(ROOT / "Makefile", parameters.folder)
    make = ("make", "-o", ".venv/installed", "new", "NAME=pets", f"FROM={tmp_path / name}")
    parameters.run(*make, r"GROUPS=([0-9]+)\.png$")
    source = read_section(parameters)["source"]
    assert source["folder"] == f"{tmp_path / name}"
    assert source["groups"] == r"([0-9]+)\.png$"


@pytest.mark.parametrize("name", ["~nosuch", "~nosuch/pets"])
def test_a_home_directory_of_nobody_is_one_line(parameters: Project, name: str) -> None:
    done = parameters.here("tools.new", "pets", name, expect=2)
    assert done.stderr.startswith(f"error: {name}: expected a folder or URL")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pets.7z", "found a file of another kind; unpack it, if it is an archive"),
        ("pets.rar", "found a file of another kind; unpack it, if it is an archive"),
        ("cat.png", "found a file of another kind; unpack it, if it is an archive"),
        ("pets.csv", "found a file of another kind; unpack it, if it is an archive"),
        ("http://localhost:1/pets.zip", "found another file; download it, and name what you have then"),
        ("https://localhost:1/pets.npz?download=1", "found a query after ?; download the file, and name it"),
        ("https://localhost:1/pets.7z", "found another file; download it, and name what you have then"),
    ],
)
def test_a_file_of_another_kind_is_one_line(
    parameters: Project, tmp_path: Path, name: str, message: str
) -> None:
    if "://" not in name:
        (tmp_path / name).write_bytes(b"7z or something else")
        name = str(tmp_path / name)
    done = parameters.here("tools.new", "pets", name, expect=2)
    shown = name.replace("download=1", "...")  # a query may be a secret
    assert f"{shown}: expected " in done.stderr
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_grey_pictures_are_the_same_data_set_in_files_of_colours(
    parameters: Project, tmp_path: Path, mode: str
) -> None:
    for name in ("cat", "dog"):
        save_pictures(tmp_path / "pets" / name)
        for path in (tmp_path / "pets" / name).iterdir():
            grey = Image.open(path).convert("L")
            grey.save(path)
            (tmp_path / "again" / name).mkdir(parents=True, exist_ok=True)
            grey.convert(mode).save(tmp_path / "again" / name / path.name)
    parameters.here("tools.new", "pets", tmp_path / "pets")
    parameters.here("tools.new", "again", tmp_path / "again")
    sections = [read_section(parameters, name) for name in ("pets", "again")]
    assert sections[0]["source"]["channels"] == 1
    for key in ("files", "network", "training"):
        assert sections[0][key] == sections[1][key]


def test_a_folder_that_is_not_there_is_one_line(parameters: Project, tmp_path: Path) -> None:
    done = parameters.here("tools.new", "pets", tmp_path / "none", expect=2)
    assert f"{tmp_path}/none: expected a folder or URL with IDX files, an .npz file, or" in done.stderr


def test_groups_stay_together(parameters: Project, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        for home in range(10):
            save_pictures(tmp_path / f"pets/{name}/home{home}", 3)
    done = parameters.here("tools.new", "pets", tmp_path / "pets", "--groups", "/(home[0-9]+)/")
    assert "whole groups by" in done.stdout
    counts = count_images(parameters)
    assert counts == {"train": 36, "validation": 12, "test": 12}
    assert read_section(parameters)["validation_images"] == 12
    refused = parameters.here("tools.new", "more", tmp_path / "pets", "--groups", "home", expect=2)
    assert "expected a .csv file, or a regular expression with the group in one pair of" in refused.stderr
