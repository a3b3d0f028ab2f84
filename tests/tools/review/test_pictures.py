"""Images of a review without a pipeline: in the page, and in the folder beside it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import Opened
from review_repository import IMAGES, SPLIT, Repository, review

from stages.common import layout
from stages.splits import arrays
from stages.splits.arrays import Split
from tools.gallery import sheets
from tools.review import page, pictures
from tools.review.review import Review

WRONG = 3
Draw = Callable[[], Review]


@pytest.fixture
def new(repository: Repository) -> Repository:
    """A repository with a third data set in the workspace, whose images are there."""
    write_results(repository, "third", WRONG)
    return repository


def write_results(repository: Repository, dataset: str, wrong: int) -> None:
    """Write predictions and images of a data set, as after `dvc repro`."""
    section = {"training": {"epochs": 3}, "classes": ["cat", "dog"], "largest_pixel": 255}
    repository.set(f"datasets.{dataset}", section)
    repository.predict(dataset, wrong)
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, 8, 5, 3), np.uint8)
    arrays.write(layout.processed(dataset, SPLIT), Split(images, np.arange(IMAGES, dtype=np.uint8) % 2))
    repository.lock()


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """A function that draws the pictures of a review, and writes its page."""

    def draw_review() -> Review:
        drawn = review()
        (tmp_path / "drawn").mkdir()
        pictures.draw(drawn, tmp_path / "drawn")
        (tmp_path / "report.html").write_text(page.build(drawn), encoding="utf-8")
        return drawn

    return draw_review


@pytest.mark.usefixtures("new")
def test_the_page_has_the_images_of_a_new_data_set(
    draw: Draw, tmp_path: Path, open_page: Callable[[Path], Opened]
) -> None:
    draw()
    opened = open_page(tmp_path / "report.html")
    explorer = opened.page.locator("#third .explorer")
    assert explorer.locator(".count").inner_text() == f"{IMAGES} images, {WRONG} of them wrong"
    assert explorer.locator(".tile").count() == explorer.locator(".tile canvas").count() == IMAGES
    assert [
        tile.get_attribute("class") for tile in explorer.locator(".tile").element_handles()[: WRONG + 1]
    ] == [
        *["tile wrong"] * WRONG,
        "tile right",
    ]


@pytest.mark.usefixtures("new")
def test_where_images_do_not_fit_into_the_page_it_says_which_are_there(
    draw: Draw, tmp_path: Path, open_page: Callable[[Path], Opened], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "MOST_BYTES", 5000)
    (described,) = (comparison.contents for comparison in draw().comparisons if comparison.contents)
    held = len(described["splits"][SPLIT]["images"]["numbers"])
    assert WRONG < held < IMAGES
    opened = open_page(tmp_path / "report.html")
    explorer = opened.page.locator("#third .explorer")
    assert explorer.locator(".count").inner_text() == (
        f"{IMAGES} images, {WRONG} of them wrong; this page has {held} of them: mistakes, then the least sure"
    )
    assert explorer.locator(".tile").count() == explorer.locator(".tile canvas").count() == held
    explorer.locator("[name=answer]").select_option("wrong")
    assert explorer.locator(".count").inner_text() == f"{WRONG} images, {WRONG} of them wrong"


def test_of_a_comparison_the_page_says_that_it_has_no_images_that_are_right_as_before(
    repository: Repository,
    draw: Draw,
    tmp_path: Path,
    open_page: Callable[[Path], Opened],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pictures, "draw_learning_curves", lambda *_: {})  # which DVC draws
    write_results(repository, "first", 5)
    draw()
    explorer = open_page(tmp_path / "report.html").page.locator("#first .explorer")
    assert explorer.locator(".count").inner_text() == "3 images, 3 of them wrong"
    explorer.locator("[name=change]").select_option("all")
    assert explorer.locator(".count").inner_text() == (
        f"{IMAGES} images, 5 of them wrong; this page has 5 of them: mistakes and changes alone"
    )
    assert explorer.locator(".tile").count() == explorer.locator(".tile canvas").count() == 5


def test_no_picture_is_drawn_of_no_mistakes(new: Repository, draw: Draw, tmp_path: Path) -> None:
    write_results(new, "third", 0)
    drawn = draw()
    assert [path.name for path in (tmp_path / "drawn").iterdir()] == ["third-confusion.png"]
    (third,) = (comparison for comparison in drawn.comparisons if comparison.dataset == "third")
    assert [picture.path.name for picture in third.pictures] == ["third-confusion.png"]
    assert third.contents is not None


@pytest.mark.usefixtures("new")
def test_a_picture_is_drawn_of_some_mistakes(draw: Draw, tmp_path: Path) -> None:
    draw()
    assert (tmp_path / "drawn/third-mistakes.png").exists()


@pytest.mark.usefixtures("new")
def test_the_page_names_the_files_of_pictures(
    draw: Draw,
    tmp_path: Path,
    open_page: Callable[[Path], Opened],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [f"cat/{number}.jpg" for number in range(IMAGES)]
    monkeypatch.setattr(
        pictures,
        "find_names",
        lambda dataset, splits: dict.fromkeys(splits, names) if dataset == "third" else {},
    )
    draw()
    tile = open_page(tmp_path / "report.html").page.locator("#third .tile").first
    assert tile.inner_text().startswith("#0 ")
    assert tile.locator(".file").inner_text() == "cat/0.jpg"


def test_a_damaged_list_of_pictures_leaves_the_page_without_names(
    new: Repository, draw: Draw, tmp_path: Path, open_page: Callable[[Path], Opened]
) -> None:
    new.write("data/raw/third/pictures.csv", "damaged")
    draw()
    tile = open_page(tmp_path / "report.html").page.locator("#third .tile").first
    assert tile.inner_text().startswith("#0 ")
    assert tile.locator(".file").count() == 0
