"""Checks before training: what is wrong with a data set is found, and what is well is not."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from stages.checks import counts, findings
from stages.checks.counts import Examined
from stages.common.errors import UserError
from stages.splits.arrays import Split

CLASSES = ["cat", "dog"]
COUNTS = {"train": 60, "validation": 12, "test": 20}
Parts = dict[str, Split]


def take_crops(count: int, seed: int) -> np.ndarray:
    """Cut photographs out of scikit-learn's two, each at its own place and scale, of 48 x 48 pixels then."""
    random = np.random.default_rng(seed)
    pictures = [Image.fromarray(picture) for picture in load_sample_images().images]
    crops = []
    for _ in range(count):
        side = random.integers(60, 200)
        left, top = random.integers(0, (640 - side, 427 - side))
        crop = pictures[random.integers(2)].crop((left, top, left + side, top + side))
        crops.append(np.asarray(crop.resize((48, 48))))
    return np.array(crops)


def make_noise(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 20, 20), np.uint8)


def make_parts(make: Callable[[int, int], np.ndarray]) -> Parts:
    return {
        name: Split(make(count, seed + 5).copy(), (np.arange(count) % 2).astype(np.uint8))
        for seed, (name, count) in enumerate(COUNTS.items())
    }


def list_texts(parts: Parts) -> list[str]:
    return [finding.text for finding in findings.list_findings(counts.examine(take_whole(parts), CLASSES))]


def take_whole(parts: Parts) -> dict[str, Examined]:
    return {name: take_rows(name, part, range(len(part.labels))) for name, part in parts.items()}


def take_rows(name: str, part: Split, rows: range) -> Examined:
    return Examined(part, np.array(rows), [f"{name} {row}" for row in rows])


@pytest.mark.parametrize("make", [take_crops, make_noise])
def test_a_data_set_in_order_has_no_findings(make: Callable[[int, int], np.ndarray]) -> None:
    assert list_texts(make_parts(make)) == []


def compress(image: np.ndarray, quality: int) -> np.ndarray:
    content = io.BytesIO()
    Image.fromarray(image).save(content, "JPEG", quality=quality)
    with Image.open(content) as opened:
        return np.asarray(opened)


@pytest.mark.parametrize("make", [take_crops, make_noise])
def test_images_of_one_split_in_another_are_counted(make: Callable[[int, int], np.ndarray]) -> None:
    parts = make_parts(make)
    parts["test"].images[:5] = parts["train"].images[10:15]
    parts["validation"].images[3] = parts["train"].images[0]
    parts["test"].images[7] = parts["validation"].images[5]
    assert list_texts(parts)[:3] == [
        "validation images identical to a training image: 1 of 12, as validation 3 and train 0",
        "test images identical to a training image: 5 of 20, as test 0 and train 10",
        "test images identical to a validation image: 1 of 20, as test 7 and validation 5",
    ]
    which = counts.examine(take_whole(parts), CLASSES)["which"]
    assert which == {
        "identical: validation in train": [["validation 3", "train 0"]],
        "identical: test in train": [[f"test {row}", f"train {row + 10}"] for row in range(5)],
        "identical: test in validation": [["test 7", "validation 5"]],
        "identical with different labels": [["train 0", "validation 3"]],
    }


@pytest.mark.parametrize("quality", [90, 75])
def test_a_twin_survives_another_compression(quality: int) -> None:
    parts = make_parts(take_crops)
    for number in range(10):
        parts["test"].images[number] = compress(parts["train"].images[number], quality)
    (text,) = list_texts(parts)
    assert text.endswith(", as test 0 and train 0")
    found = int(text.removeprefix("test images nearly identical to a training image: ").partition(" of ")[0])
    assert 9 <= found <= 10


def test_twins_with_other_labels_and_of_the_same_split_are_counted() -> None:
    parts = make_parts(make_noise)
    parts["train"].images[1] = parts["train"].images[0]  # another label
    parts["train"].images[4] = parts["train"].images[2]
    assert list_texts(parts) == [
        "images identical to one with another label: 2, as train 0 and train 1",
        "training images identical to another one: 2, as train 1 and train 0",
    ]


def test_a_class_with_few_images_or_none_is_named() -> None:
    parts = make_parts(make_noise)
    labels = np.zeros(60, np.uint8)
    labels[:9] = 1
    parts["train"] = Split(parts["train"].images, labels)
    parts["test"] = Split(parts["test"].images, np.zeros(20, np.uint8))
    assert list_texts(parts) == ["fewer than 10 training images of dog", "no test images of dog"]


def test_images_of_one_colour_are_counted_and_grave_if_all_are() -> None:
    parts = make_parts(take_crops)
    parts["train"].images[:3] = [200, 10, 10]
    assert list_texts(parts)[0] == "train images of one colour: 3 of 60, as train 0"
    parts["test"].images[:] = np.arange(20)[:, None, None, None]
    content = counts.examine(take_whole(parts), CLASSES)
    grave = [found for found in findings.list_findings(content) if found.is_grave]
    assert [found.text for found in grave] == ["test images of one colour: 20 of 20, as test 0"]
    with pytest.raises(UserError, match=r"found: test images of one colour: 20 of 20, .* checks\.strict"):
        findings.expect_nothing_grave(grave, "data/raw/pets")


@pytest.mark.parametrize(("factor", "word"), [(0.4, "darker"), (1.0, None), (2.0, "brighter")])
def test_test_images_of_another_brightness_are_told(factor: float, word: str | None) -> None:
    parts = make_parts(lambda count, seed: take_crops(count, seed) // 2)
    parts["test"].images[:] = np.clip(parts["test"].images * factor, 0, 255)
    texts = list_texts(parts)
    assert bool(texts) == (word is not None)
    assert all(f"test images are {word} than training images: mean pixel " in text for text in texts)


def test_another_colour_or_two_pixels_are_no_twins() -> None:
    parts = make_parts(lambda count, _: np.full((count, 20, 20, 3), 255, np.uint8))
    for (name, part), channel in zip(parts.items(), (0, 1, 2), strict=True):
        darkness = np.random.default_rng(channel).integers(0, 60, (COUNTS[name], 1, 1))
        part.images[:, 5:15, 5:15, channel] = darkness  # each split has squares of another colour
    assert not [text for text in list_texts(parts) if "nearly identical" in text]
    tiny = make_parts(
        lambda count, seed: np.random.default_rng(seed).integers(0, 256, (count, 2, 2), np.uint8)
    )
    assert list_texts(tiny) == []


def test_only_the_rows_of_a_split_count() -> None:
    parts = make_parts(make_noise)
    whole = Split(
        np.concatenate([parts["train"].images, parts["test"].images]),
        np.concatenate([parts["train"].labels, parts["test"].labels]),
    )
    splits = {
        "train": take_rows("train", whole, range(60)),
        "validation": take_rows("validation", parts["validation"], range(12)),
        "test": take_rows("test", whole, range(60, 80)),
    }
    content = counts.examine(splits, CLASSES)
    assert findings.list_findings(content) == []
    assert content["images"]["test"] == {"cat": 10, "dog": 10}


@pytest.mark.parametrize(("side", "word"), [(40, None), (50, None), (80, "larger"), (20, "smaller")])
def test_test_pictures_of_another_size_are_told(side: int, word: str | None) -> None:
    sides = {"train": 40, "validation": 40, "test": side}
    examined = {
        name: split._replace(sizes=np.full((len(split.rows), 2), sides[name]))
        for name, split in take_whole(make_parts(make_noise)).items()
    }
    texts = [found.text for found in findings.list_findings(counts.examine(examined, CLASSES))]
    assert texts == (
        [f"test pictures are {word} than training pictures: median {side} x {side} beside 40 x 40 pixels"]
        if word
        else []
    )


def test_of_many_twins_a_thousand_are_named_and_all_are_counted() -> None:
    parts = make_parts(make_noise)
    labels = (np.arange(1500) % 2).astype(np.uint8)
    parts["train"], parts["test"] = (Split(make_noise(1500, 9), labels) for _ in range(2))
    content = counts.examine(take_whole(parts), CLASSES)
    assert content["identical"]["test in train"] == 1500
    assert len(content["which"]["identical: test in train"]) == counts.MOST_LISTED
