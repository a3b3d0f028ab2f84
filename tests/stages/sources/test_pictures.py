"""Folders of pictures: which become which images, and which are refused in one line."""

import lzma
import re
import tarfile
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stages.common import layout
from stages.common.errors import UserError
from stages.sources import idx, picture_folders, picture_list, picture_parts, pictures
from stages.sources.schema import Draw, Pictures

GREY = np.arange(0, 240, 40, dtype=np.uint8).reshape(2, 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part, name, files in (("train", "b", 2), ("train", "a c", 3), ("test", "b", 1)):
        (tmp_path / part / name).mkdir(parents=True)
        for number in range(files):
            Image.fromarray(GREY + number).save(tmp_path / part / name / f"{number}.png")
    (tmp_path / "train/b/.hidden").write_text("")
    return tmp_path


def source(folder: Path, **changes: object) -> Pictures:
    usual = {"folder": str(folder), "classes": ["a c", "b"], "height": 2, "width": 3, "channels": 1}
    return Pictures(kind="pictures", **{**usual, **changes})


def save(path: Path, brightness: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (3, 2), brightness).save(path)


def test_classes_are_numbered_and_pictures_taken_in_order(folder: Path) -> None:
    pictures.write_files(source(folder), folder)
    assert idx.read(folder / layout.TRAIN_LABELS).tolist() == [0, 0, 0, 1, 1]
    assert idx.read(folder / layout.TEST_LABELS).tolist() == [1]
    assert [image[0, 0] for image in idx.read(folder / layout.TRAIN_IMAGES)] == [0, 1, 2, 0, 1]


def test_a_class_of_test_pictures_alone_is_refused(folder: Path) -> None:
    save(folder / "test/d/0.png", 0)
    with pytest.raises(
        UserError, match=r"test/d: expected a folder of a class in source\.classes in params\.yaml"
    ):
        pictures.write_files(source(folder), folder)


def test_a_folder_of_another_name_does_not_exchange_the_classes(folder: Path) -> None:
    (folder / "train/a c").rename(folder / "train/zebra")
    with pytest.raises(UserError, match=r"train/zebra: expected a folder of a class in source\.classes"):
        pictures.write_files(source(folder), folder)


def test_a_class_without_training_pictures_is_refused(folder: Path) -> None:
    for file in (folder / "train/b").iterdir():
        file.unlink()
    with pytest.raises(UserError, match=r"train/b: expected training pictures of this class, found none"):
        pictures.write_files(source(folder), folder)


def test_pictures_that_the_memory_does_not_hold_are_refused(folder: Path) -> None:
    large = source(folder).model_copy(update={"height": 10**7, "width": 10**7})
    with pytest.raises(UserError, match="expected pictures that the memory holds, found: Unable to allocate"):
        pictures.write_files(large, folder)


def test_bad_files_are_named_at_once_the_first_few_in_the_error(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(20):
        (folder / f"train/b/note {number:02}.txt").write_text("no picture")
    (folder / "train/a c/cut.png").write_bytes((folder / "train/a c/0.png").read_bytes()[:40])
    with pytest.raises(UserError) as error:
        pictures.write_files(source(folder), folder)
    assert str(error.value).startswith("expected 27 pictures, found 21 files that cannot be read: ")
    assert "train/a c/cut.png: a damaged one" in str(error.value)
    assert "train/b/note 01.txt: a file of another format; move it elsewhere" in str(error.value)
    assert str(error.value).endswith("; and 18 more, as listed above")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 21
    assert lines[-1].endswith(
        "train/b/note 19.txt: a file of another format; move it elsewhere, or save it as PNG"
    )


@pytest.mark.parametrize("content", ["cut in the header", "cut in the pixels"])
def test_bad_files_of_all_parts_are_named_at_once(folder: Path, content: str) -> None:
    for place in ("train/b", "test/b"):
        whole = next((folder / place).glob("*.png")).read_bytes()
        (folder / place / "bad.png").write_bytes(whole[: 20 if "header" in content else len(whole) // 2])
    with pytest.raises(UserError, match="found 2 files that cannot be read") as error:
        pictures.write_files(source(folder), folder)
    assert "train/b/bad.png" in str(error.value)
    assert "test/b/bad.png" in str(error.value)


@pytest.mark.parametrize("name", [".DS_Store", "._0.png", "Thumbs.db", "thumbs.db", "desktop.ini", ".hidden"])
def test_files_of_systems_are_skipped(folder: Path, name: str) -> None:
    (folder / "train/b" / name).write_text("")
    (folder / "train/__MACOSX/b").mkdir(parents=True)
    (folder / "train/__MACOSX/b/._0.png").write_text("")
    pictures.write_files(source(folder), folder)
    assert len(idx.read(folder / layout.TRAIN_LABELS)) == 5


def test_people_count_two_before_ten() -> None:
    names = ["class 10", "class 2", "class 1", "b", "a12b", "a2c", "a2b"]
    ordered = ["a2b", "a2c", "a12b", "b", "class 1", "class 2", "class 10"]
    assert sorted(names, key=picture_folders.count_naturally) == ordered


@pytest.mark.parametrize("suffix", ["\\.zip", ".zip", ".tar", ".tar.gz", ".tgz"])
def test_an_archive_is_as_good_as_its_folder(folder: Path, suffix: str) -> None:
    archive = folder / f"pictures{suffix}"
    files = list(folder.rglob("*.png"))
    if suffix.endswith(".zip"):
        with zipfile.ZipFile(archive, "w") as members:
            for file in files:
                name = file.relative_to(folder).as_posix()
                members.writestr(name.replace("/", "\\") if "\\" in suffix else name, file.read_bytes())
    else:
        with tarfile.open(archive, "w:gz" if "gz" in suffix else "w") as tar:
            for file in files:
                tar.add(file, file.relative_to(folder))
    written = []
    for place in (folder, archive):
        (folder / f"from {place.name}").mkdir()
        pictures.write_files(source(place), folder / f"from {place.name}")
        written.append({path.name: path.read_bytes() for path in (folder / f"from {place.name}").iterdir()})
    assert written[0] == written[1]
    archive.write_bytes(archive.read_bytes()[:200])
    with pytest.raises(
        UserError, match=rf"pictures{re.escape(suffix)}: expected a whole \.zip or \.tar file"
    ):
        pictures.write_files(source(archive), folder)


def cut_xz(path: Path) -> None:
    content = bytearray(lzma.compress(bytes(range(256)) * 50))
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def link_to_nothing(path: Path) -> None:
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo("p/a.png")
        member.type, member.linkname = tarfile.LNKTYPE, "p/none.png"
        tar.addfile(member)


def file_and_folder(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as members:
        members.writestr("a", "x")
        members.writestr("a/1.png", "x")


def long_name(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as members:
        members.writestr(f"a/{'x' * 300}.png", "x")


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.tar.xz", cut_xz),
        ("a.tar", link_to_nothing),
        ("a.zip", file_and_folder),
        ("b.zip", long_name),
        ("c.zip", lambda path: path.write_text("no archive")),
        ("d.tar", lambda path: path.write_bytes(b"")),
    ],
)
def test_a_damaged_archive_is_one_line_without_a_temporary_folder(
    tmp_path: Path, name: str, make: Callable[[Path], object]
) -> None:
    make(tmp_path / name)
    with pytest.raises(UserError) as error, picture_folders.open_folder(str(tmp_path / name)):
        pass
    assert str(error.value).startswith(f"{tmp_path / name}: expected a whole .zip or .tar file of pictures")
    assert "\n" not in str(error.value)
    assert tempfile.gettempdir() not in str(error.value).replace(str(tmp_path), "")


def link(kind: bytes, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo("p/b.png")
    member.type, member.linkname = kind, target
    return member


@pytest.mark.parametrize(
    "evil",
    [
        tarfile.TarInfo("../../outside.png"), tarfile.TarInfo("p/../../outside.png"),
        link(tarfile.SYMTYPE, "/etc/passwd"), link(tarfile.SYMTYPE, "../../a.png"),
        link(tarfile.LNKTYPE, "../a.png"), link(tarfile.LNKTYPE, "../" * 20 + "etc/passwd"),
        link(tarfile.SYMTYPE, "b.png"), link(tarfile.SYMTYPE, "."),
        link(tarfile.SYMTYPE, ".."), link(tarfile.SYMTYPE, "none.png"), link(tarfile.LNKTYPE, "p/b.png"),
        link(tarfile.FIFOTYPE, ""), link(tarfile.CHRTYPE, ""),
    ],
    ids=lambda evil: f"{evil.name} {evil.type.decode()} {evil.linkname}",
)  # fmt: skip
def test_an_archive_reads_and_writes_nothing_outside(tmp_path: Path, evil: tarfile.TarInfo) -> None:
    save(tmp_path / "a.png", 0)
    archive = tmp_path / "inner/evil.tar"
    archive.parent.mkdir()
    with tarfile.open(archive, "w") as tar:
        tar.add(tmp_path / "a.png", "p/a.png")
        tar.addfile(evil)
    with (
        pytest.raises(UserError, match=r"evil\.tar: expected a whole"),
        picture_folders.open_folder(str(archive)),
    ):
        pass
    assert not list(tmp_path.rglob("outside*"))


def test_links_of_an_archive_are_what_they_lead_to(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 0)
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("//absolute.png"))
        tar.add(tmp_path / "a.png", "p/a.png")
        for name, kind, target in (
            ("p/0.png", tarfile.SYMTYPE, "1.png"),  # a link to a link that comes later
            ("p/1.png", tarfile.LNKTYPE, "p/a.png"),
            ("q", tarfile.SYMTYPE, "p"),
        ):
            member = link(kind, target)
            member.name = name
            tar.addfile(member)
    with picture_folders.open_folder(str(tmp_path / "a.tar")) as folder:
        found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")}
    content = (tmp_path / "a.png").read_bytes()
    names = [f"{folder}/{name}.png" for folder in "pq" for name in "01a"]
    assert found == {"absolute.png": b"", **dict.fromkeys(names, content)}


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Pictures of 12 people, who each show up in both classes, five times in all."""
    for person in range(12):
        for number in range(5):
            name = "ab"[number % 2]
            save(tmp_path / f"{name}/p{person:02}_{number}.png", 10 * person + number)
    return tmp_path


def test_parts_are_drawn_of_every_class_its_share_by_their_seed(people: Path) -> None:
    drawn = source(people, train=".", test=Draw(images=12, seed=0), classes=["a", "b"])
    parts = picture_parts.divide(drawn, people)
    assert [len(parts[part]) for part in ("train", "test")] == [48, 12]
    assert sorted(parts["train"] + parts["test"]) == sorted(picture_folders.list_by_class(people, ["a", "b"]))
    assert sum(label for _, label in parts["test"]) == 5  # two fifths of each person's pictures
    assert picture_parts.divide(drawn, people) == parts
    other = drawn.model_copy(update={"test": Draw(images=12, seed=1)})
    assert picture_parts.divide(other, people) != parts


@pytest.mark.parametrize("groups", [r"/(p\d+)_", "people.csv"])
def test_no_group_is_in_two_parts(people: Path, groups: str) -> None:
    rows = [f"{path.relative_to(people).as_posix()},{path.name[:3]}" for path in people.rglob("*.png")]
    (people / "people.csv").write_text("\n".join(["file,group", *rows]) + "\n")
    of_groups = source(
        people, train=".", test=Draw(images=10, seed=0), validation=Draw(images=10, seed=0),
        groups=groups, classes=["a", "b"],
    )  # fmt: skip
    parts = picture_parts.divide(of_groups, people)
    names = {part: {path.name[:3] for path, _ in files} for part, files in parts.items()}
    assert len(set.union(*names.values())) == sum(map(len, names.values())) == 12
    assert [len(parts[part]) for part in ("validation", "test")] == [10, 10]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (r"(p0)\d_", "expected a group for each picture, .* found none for 10 of 60: a/p10_0.png"),
        (r"(p)", "expected at least two groups to draw from, by .*, found one: p; correct source.groups"),
        ("none.csv", r"none\.csv: expected a table with the columns file and group"),
    ],
)
def test_groups_that_cannot_be_told_are_one_line(people: Path, groups: str, message: str) -> None:
    draw = Draw(images=10, seed=0)
    of_groups = source(people, train=".", test=draw, validation=draw, groups=groups, classes=["a", "b"])
    with pytest.raises(UserError, match=message):
        picture_parts.divide(of_groups, people)


@pytest.mark.parametrize("images", [1, 59, 60, 1000])
def test_a_number_that_cannot_be_drawn_is_answered_with_those_that_can(people: Path, images: int) -> None:
    drawn = source(people, train=".", test=Draw(images=images, seed=0), classes=["a", "b"])
    with pytest.raises(UserError, match=r"test\.images: expected from 2 \(one a class\) to 58 of the 60"):
        picture_parts.divide(drawn, people)


def test_a_class_of_one_picture_cannot_be_drawn_from(people: Path) -> None:
    save(people / "c/alone.png", 0)
    drawn = source(people, train=".", test=Draw(images=10, seed=0), classes=["a", "b", "c"])
    with pytest.raises(UserError, match=r"/c: expected at least two pictures of a class .* found 1"):
        picture_parts.divide(drawn, people)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_class_is_the_same_however_its_accents_are_written(tmp_path: Path, form: str) -> None:
    for part, accents in (("train", form), ("test", "NFC"), ("val", "NFD")):
        for name in ("café", "thé"):
            save(tmp_path / part / unicodedata.normalize(accents, name) / f"{part}.png", len(name))
    named = source(tmp_path, validation="val", classes=["café", "thé"])
    parts = picture_parts.divide(named, tmp_path)
    assert [[label for _, label in files] for files in parts.values()] == [[0, 1]] * 3
    save(tmp_path / "test" / unicodedata.normalize("NFD", "café") / "x.png", 0)
    with pytest.raises(UserError, match="which look the same; join the folders"):
        picture_parts.divide(named, tmp_path)


def test_the_list_names_the_picture_of_each_image(folder: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    Image.new("L", (30, 50), 7).save(folder / "train/b/\r\udce9,1.png")
    pictures.write_files(source(folder), raw)
    table = picture_list.read(raw)
    assert table is not None
    training = table[table["part"] == "train"]
    assert training["file"].tolist() == [
        *(f"train/a c/{number}.png" for number in range(3)), "train/b/\\r\\udce9,1.png", "train/b/0.png",
        "train/b/1.png",
    ]  # fmt: skip
    images = idx.read(raw / layout.TRAIN_IMAGES)
    assert len(images) == len(training)
    assert (images[3] == 7).all()
    assert training[["height", "width"]].to_numpy().tolist() == [[2, 3]] * 3 + [[50, 30]] + [[2, 3]] * 2


def test_a_group_in_two_folders_of_parts_is_named(people: Path) -> None:
    for name in ("train", "test"):
        for label in ("a", "b"):
            save(people / name / label / "p01_0.png", 0)
            save(people / name / label / f"{name}_1.png", 0)
    of_groups = source(
        people,
        train="train",
        test="test",
        validation=Draw(images=1, seed=0),
        groups=r"/([a-z0-9]+)_\d",
        classes=["a", "b"],
    )
    with pytest.raises(
        UserError, match=r"found 'p01' in (train|test|validation) and in (train|test|validation)"
    ):
        picture_parts.divide(of_groups, people)


def test_a_folder_that_is_not_here_says_what_travels(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"found nothing there; check the name\. .*dvc pull"):
        pictures.write_files(source(tmp_path / "none"), tmp_path)
