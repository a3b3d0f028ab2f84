"""Pages of data sets and networks that are unlike those of this project."""

import io
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import Opened
from PIL import Image

from stages.splits.arrays import Split
from tools.common.revision import Result
from tools.explore import page
from tools.gallery.contents import describe_split

HOSTILE = [
    '<img src=x onerror="window.hacked = 1">',
    "\"'&`${1}",
    "ἀλφα, \U0001f456",
    "العربية",
    '=SUM(1)"te,d',
]
METRICS = {"accuracy": 0.5, "macro_f1": 0.5, "log_loss": 1.0}


def make_result(
    classes: list[str], labels: np.ndarray, guesses: np.ndarray, probability: np.ndarray
) -> Result:
    names = np.array(classes)
    predictions = pd.DataFrame(
        {"actual": names[labels], "predicted": names[guesses], "probability": probability}
    )
    return Result(predictions, METRICS)


def make_contents(
    classes: list[str],
    images: int = 30,
    right: float = 0.5,
    sides: tuple[int, int] = (6, 5),
    **changes: Any,
) -> dict[str, Any]:
    """Return the contents of a page for a network that is right in a share of the images."""
    random = np.random.default_rng(0)
    labels = np.arange(images) % len(classes)
    results = []
    for share in (right, right / 2):  # now, and before
        is_right = random.random(images) < share
        others = (labels + random.integers(1, max(len(classes), 2), images)) % len(classes)
        guesses = np.where(is_right, labels, others)
        results.append(make_result(classes, labels, guesses, random.uniform(0.5, 1, images).round(4)))
    base = results[1] if changes.get("base") else None
    split = Split(random.integers(0, 256, (images, *sides), np.uint8), labels.astype(np.int32))
    described = describe_split(results[0], base, split, classes, 255)
    described["suspicious"] = [[0, 0, 1 % len(classes), 0.01, 0.9, 1]]
    return {
        "name": "odd",
        "title": classes[0],
        "base": None,
        "comparedWith": "main (0123456, 2026-01-01)",
        "classes": classes,
        "largestPixel": 255,
        "background": None,
        "framing": None,
        "shape": sides,
        "network": None,
        "obstacle": classes[0],
        "splits": {"validation": described, "test": described},
        **changes,
    }


@pytest.fixture
def open_contents(open_page: Callable[[Path], Opened], tmp_path: Path) -> Callable[..., Opened]:
    def opener(*arguments: Any, **changes: Any) -> Opened:
        written = tmp_path / "odd.html"
        written.write_text(page.build(make_contents(*arguments, **changes)), encoding="utf-8")
        opened = open_page(written)
        opened.page.wait_for_function("document.querySelector('.answers li')")
        assert opened.messages == []
        return opened

    return opener


def test_names_of_classes_are_text(open_contents: Callable[..., Opened]) -> None:
    opened = open_contents(HOSTILE)
    assert opened.page.evaluate("window.hacked") is None
    assert opened.page.locator("img").count() == 0
    shown = opened.page.locator(".matrix tbody th").all_inner_texts()
    assert [name.strip() for name in shown] == HOSTILE
    assert f"cannot compute this network: {HOSTILE[0]}" in opened.page.locator("#trial").inner_text()
    with opened.page.expect_download() as download:
        opened.page.locator("a[download]").click()
    assert download.value.suggested_filename == "odd-labels.csv"
    saved = pd.read_csv(download.value.path())
    assert saved.loc[0].tolist() == ["validation", 0, HOSTILE[0], HOSTILE[1], 0.01, 0.9, 1]
    assert len(saved) == 2


def test_a_spreadsheet_computes_no_name(open_contents: Callable[..., Opened]) -> None:
    opened = open_contents(list(reversed(HOSTILE)))
    with opened.page.expect_download() as download:
        opened.page.locator("a[download]").click()
    assert pd.read_csv(download.value.path())["label"][0] == f"'{HOSTILE[-1]}"


def test_tiles_and_suspicious_labels_name_the_files_of_pictures(
    open_page: Callable[[Path], Opened], tmp_path: Path
) -> None:
    contents = make_contents(["a", "b"], images=30)
    for split in contents["splits"]:  # the same images in both
        contents["splits"][split] = contents["splits"][split] | {
            "files": [f"{split}/b/{HOSTILE[0]} {number}.jpg" for number in range(30)]
        }
    contents["splits"]["test"]["files"][0] = "=1.jpg"
    (tmp_path / "odd.html").write_text(page.build(contents), encoding="utf-8")
    opened = open_page(tmp_path / "odd.html")
    assert opened.page.evaluate("window.hacked") is None
    for place in ("#confusions", "#labels"):
        tiles = opened.page.locator(f"{place} .tile").element_handles()
        assert tiles
        for tile in tiles:
            number = int(tile.inner_text().split(" ")[0].removeprefix("#"))
            file = contents["splits"]["test"]["files"][number]
            assert tile.inner_text().endswith(f"\n{file}")
            assert str(tile.get_attribute("aria-label")).endswith(f"; {file}")
    with opened.page.expect_download() as download:
        opened.page.locator("a[download]").click()
    saved = pd.read_csv(download.value.path())
    assert saved.columns[:3].tolist() == ["split", "image", "file"]
    assert saved["file"].tolist() == [contents["splits"]["validation"]["files"][0], "'=1.jpg"]
    assert saved["label"].tolist() == ["a", "a"]


def test_images_of_no_pictures_have_no_files(open_contents: Callable[..., Opened]) -> None:
    opened = open_contents(["a", "b"])
    assert opened.page.locator(".file").count() == 0
    with opened.page.expect_download() as download:
        opened.page.locator("a[download]").click()
    assert "file" not in pd.read_csv(download.value.path())


@pytest.mark.parametrize(("base", "right"), [(None, 0.5), ("main", 1.0)])  # with a base, all pairs are fewer
def test_many_classes_are_searched_by_pairs(
    open_contents: Callable[..., Opened], base: str | None, right: float
) -> None:
    names = [f"class {number}" for number in range(60)]
    opened = open_contents(names, images=900, right=right, base=base)
    pairs = opened.page.locator(".matrix th")
    assert pairs.count() == 200
    opened.page.locator(".search").fill("class 59")
    texts = pairs.all_inner_texts()
    assert 0 < len(texts) < 60
    assert all("class 59" in text for text in texts)
    cells = opened.page.locator(".matrix td button")
    shares = cells.evaluate_all("cells => cells.map(cell => Number(cell.style.getPropertyValue('--share')))")
    assert all(0 < share <= 1 for share in shares)
    cells.first.click()
    assert opened.page.locator(".matrix [aria-pressed=true]").count() == 1
    if base is None:
        counted = opened.page.locator("#confusions .count").inner_text()
        assert counted.startswith(f"{cells.first.inner_text()} image")
    assert "the 50 of 60 with most images unanswered" in opened.page.locator(".by-class caption").inner_text()
    assert opened.page.locator(".by-class tbody tr").count() == 50


def test_filters_combine_with_a_cell_of_differences(open_contents: Callable[..., Opened]) -> None:
    opened = open_contents(["a", "b", "c"], images=300, base="main")
    opened.page.locator('[data-actual="0"][data-predicted="1"]').click()
    before = opened.page.locator("#confusions .count").inner_text()
    assert "taken for \u2068b\u2069 now or before" in before
    opened.page.locator("[name=low]").fill("1")
    assert opened.page.locator("#confusions .count").inner_text() == before
    opened.page.locator("[name=low]").fill("75")
    after = opened.page.locator("#confusions .count").inner_text()
    assert 0 < int(after.split(" ")[0]) < int(before.split(" ")[0])


@pytest.mark.parametrize("classes", [["only one"], ["a", "b"]])
def test_a_network_without_mistakes_has_a_page(
    open_contents: Callable[..., Opened], classes: list[str]
) -> None:
    opened = open_contents(classes, right=1.0)
    assert (
        "100.00\N{NO-BREAK SPACE}% of the answers are right" in opened.page.locator(".answers").inner_text()
    )
    points = opened.page.locator("polyline.test").get_attribute("points")
    assert points is not None
    assert "NaN" not in points
    ticks = opened.page.locator("#threshold svg text").all_text_contents()
    assert len({tick for tick in ticks if "." in tick}) == 5


def test_a_target_out_of_reach_shows_all_answers(open_contents: Callable[..., Opened]) -> None:
    opened = open_contents(["a", "b"], images=2000, right=0.0)
    assert "No threshold makes 99" in opened.page.locator(".reached").inner_text()
    assert opened.page.locator("[name=threshold]").input_value() == "0"
    assert "100.0\N{NO-BREAK SPACE}% of 2,000 images" in opened.page.locator(".answers").inner_text()
    opened.page.locator("[name=target]").fill("")
    assert "No threshold makes 99" in opened.page.locator(".reached").inner_text()


def test_an_image_becomes_larger_where_the_network_says_nothing(open_contents: Callable[..., Opened]) -> None:
    opened = open_contents(["a", "b"])
    tile = opened.page.locator("#confusions .tile").first
    tile.click()
    assert tile.get_attribute("aria-expanded") == "true"
    assert opened.page.locator(".tile.large").count() == 1
    tile.click()
    assert tile.get_attribute("aria-expanded") == "false"


@pytest.mark.slow
@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("sides", [(64, 58), (10, 40), (64, 2), (3, 90), (8, 8)])
def test_the_shape_of_a_tile_is_that_of_its_image(
    open_contents: Callable[..., Opened], sides: tuple[int, int], is_large: bool
) -> None:
    opened = open_contents(["a", "b"], sides=sides)
    tile = opened.page.locator("#confusions .tile").first
    if is_large:
        tile.click()
    box = tile.locator("canvas").bounding_box()
    assert box is not None
    assert box["height"] / box["width"] == pytest.approx(sides[0] / sides[1], rel=0.02)
    longest = max(box["height"], box["width"])
    assert 97 < longest <= 281 if is_large else 80 < longest <= 97


def describe(images: np.ndarray, largest_pixel: int = 255) -> dict[str, Any]:
    labels = np.zeros(len(images), np.uint8)
    result = make_result(["a"], labels, labels, np.linspace(0.5, 1, len(images)))
    return describe_split(result, None, Split(images, labels), ["a"], largest_pixel)["images"]


def test_a_split_has_no_more_bytes_than_promised() -> None:
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (12_000, 28, 28), np.uint8)
    some = describe(noise)
    assert 5_000 < len(some["numbers"]) < 10_000
    assert some["numbers"] == sorted(some["numbers"])
    assert some["numbers"][0] == 0  # the least sure
    assert 5.5e6 < sum(map(len, some["sheets"])) < 6.5e6
    drawn = (noise[:10_000] * (random.random((10_000, 28, 28)) < 0.3)).astype(np.uint8)  # as dense as clothes
    assert describe(drawn)["numbers"] is None


@pytest.mark.parametrize(
    ("shape", "dtype", "largest", "sides", "exact"),
    [
        ((400, 300, 3), np.uint8, 255, (96, 72), False),
        ((8, 9), np.uint8, 16, (8, 9), True),
        ((8, 9, 1), np.uint8, 255, (8, 9), True),
        ((8, 9), np.uint16, 65535, (8, 9), False),
        ((8, 9), np.float32, 1, (8, 9), False),
    ],
)
def test_images_of_any_kind_are_drawn(
    shape: tuple[int, ...], dtype: Any, largest: int, sides: tuple[int, int], exact: bool
) -> None:
    images = (np.random.default_rng(0).random((40, *shape)) * largest).astype(dtype)
    shown = describe(images, largest)
    assert (shown["height"], shown["width"], shown["areExact"]) == (*sides, exact)
    sheet = np.asarray(Image.open(io.BytesIO(b64decode(shown["sheets"][0].partition(",")[2]))))
    assert sheet.shape[:2] == (2 * sides[0], 32 * sides[1])
    if images.shape[1:3] == sides:
        first = np.asarray(images[0], float).reshape(sides) * (255 / largest)
        assert np.abs(sheet[: sides[0], : sides[1]] - first).max() <= 0.5
