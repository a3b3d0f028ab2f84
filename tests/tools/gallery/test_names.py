"""Names of the picture files of images, compared with the pictures themselves."""

from pathlib import Path

import numpy as np
import pytest
from helpers import Project
from PIL import Image
from sections import copy_both, count_images, save_pictures

from stages.common import layout
from stages.common.errors import UserError
from stages.splits import arrays
from stages.splits.arrays import Split
from tools.gallery.names import find_names


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A folder with nothing but params.yaml and tools.yaml."""
    copied = copy_both(tmp_path / "work")
    monkeypatch.chdir(copied.folder)
    return copied


def add_pets(project: Project, folder: Path, *parts: str) -> dict[str, Split]:
    """Add a data set of pictures, and return its splits."""
    for part in parts:
        for name in ("cat", "dog"):
            save_pictures(folder / part / name, count=12)
    project.here("tools.new", "pets", folder)
    count_images(project)
    return {split: arrays.read(layout.processed("pets", split)) for split in layout.SPLITS}


@pytest.mark.parametrize("parts", [("",), ("train", "test"), ("train", "val"), ("train", "val", "test")])
def test_each_image_of_each_split_is_that_of_its_file(
    project: Project, tmp_path: Path, parts: tuple[str, ...]
) -> None:
    splits = add_pets(project, tmp_path / "pets", *parts)
    names = find_names("pets", splits)
    assert list(names) == list(layout.SPLITS)
    for split, (images, _) in splits.items():
        pictures = [np.asarray(Image.open(tmp_path / "pets" / name)) for name in names[split]]
        assert np.array_equal(np.stack(pictures), images)
    every = [name for split in names.values() for name in split]
    assert len(set(every)) == len(every) == 24 * len(parts)


def test_images_that_were_made_of_no_pictures_have_no_names(project: Project, tmp_path: Path) -> None:
    splits = add_pets(project, tmp_path / "pets", "")
    (layout.raw("pets") / layout.PICTURE_LIST).unlink()
    assert find_names("pets", splits) == {}


def test_pictures_of_other_images_are_refused(project: Project, tmp_path: Path) -> None:
    images, labels = add_pets(project, tmp_path / "pets", "")["validation"]
    for other in (Split(images[::-1], labels), Split(images[:-1], labels[:-1])):
        with pytest.raises(UserError) as error:
            find_names("pets", {"validation": other})
        assert str(error.value) == (
            "data/raw/pets: expected the pictures of the images in data/processed/pets/validation, found "
            "others; run: dvc checkout"
        )


@pytest.mark.parametrize("content", ["", "part\ntrain\n", 'file,part\n"', "part,file\ntrain,cat/000.png\n"])
def test_a_damaged_list_is_an_error_of_one_line(project: Project, tmp_path: Path, content: str) -> None:
    splits = add_pets(project, tmp_path / "pets", "")
    (layout.raw("pets") / layout.PICTURE_LIST).write_text(content)
    with pytest.raises(UserError) as error:
        find_names("pets", splits)
    assert str(error.value).startswith("data/raw/pets")
    assert str(error.value).endswith("; run: dvc checkout")
    assert "\n" not in str(error.value)
