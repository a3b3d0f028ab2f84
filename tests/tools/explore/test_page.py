"""The page in a real browser without a network: what it shows, compared with the files it was made of."""

import io
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import TWIN, Opened, Project
from PIL import Image

from stages.network import model_file
from stages.splits import arrays
from stages.splits.arrays import Split
from tools.explore.contents import collect
from tools.review.predictions import find_changed_images


@pytest.fixture(scope="module")
def changed(slower: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the slower project, in which only pages are written."""
    return slower.copy(tmp_path_factory.mktemp("explored"))


@cache
def write(project: Project, *arguments: str) -> Path:
    """Write a page by the command, once for all tests."""
    done = project.here("tools.explore", *arguments)
    written = project.folder / "explore" / f"{arguments[0]}.html"
    assert done.stdout == f"Open it in a browser: explore/{arguments[0]}.html\n"
    return written.rename(written.with_stem("-".join(arguments).replace("--", "")))


def table(project: Project, dataset: str, split: str = "test") -> pd.DataFrame:
    return pd.read_csv(
        project.folder / f"predictions/{dataset}/{split}.csv", dtype={"actual": str, "predicted": str}
    )


Opener = Callable[[Path], Opened]


@pytest.fixture
def digits(changed: Project, open_page: Opener) -> Opened:
    return open_page(write(changed, "digits"))


def test_it_loads_nothing_and_has_no_errors(changed: Project, digits: Opened) -> None:
    address = write(changed, "digits").as_uri()
    assert [url for url in digits.requests if not url.startswith(("data:image/png;base64,", "data:,"))] == [
        address
    ]
    assert digits.messages == []


def test_its_numbers_are_those_of_the_files(changed: Project, digits: Opened) -> None:
    metrics = json.loads((changed.folder / "metrics/digits.json").read_text())
    text = digits.page.locator("h1 + p").inner_text()
    for split in ("validation", "test"):
        for name in ("accuracy", "macro_f1", "log_loss"):
            assert f" {metrics[split][name]:.4f}" in text
    confusion = pd.read_csv(changed.folder / "plots/confusion/digits.csv")
    cells = digits.page.locator(".matrix td button").evaluate_all(
        "cells => cells.map(cell => cell.textContent)"
    )
    assert [0 if cell == "·" else int(cell.replace(",", "")) for cell in cells] == confusion["count"].tolist()


def count(opened: Opened) -> int:
    """Return the number of images that are chosen, as the page says it."""
    text = opened.page.locator("#confusions .count").inner_text()
    return int(re.match(r"([\d,]+) image", text)[1].replace(",", ""))  # type: ignore[index]


def numbers(opened: Opened, place: str = "#confusions") -> list[int]:
    """Return the numbers of the images that are shown."""
    texts = opened.page.locator(f"{place} .tile span:first-of-type").all_inner_texts()
    return [int(text.split(" ")[0].removeprefix("#")) for text in texts]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_filters_combine(changed: Project, digits: Opened, split: str) -> None:
    found = table(changed, "digits", split)
    form = digits.page.locator(".filters")
    form.locator("[name=split]").select_option(split)
    assert count(digits) == len(found)
    form.locator("[name=either]").select_option(label="8")
    chosen = found[(found["actual"] == "8") | (found["predicted"] == "8")]
    assert count(digits) == len(chosen)
    form.locator("[name=high]").fill("99.5")
    form.locator("[name=low]").fill("50")
    chosen = chosen[chosen["probability"].between(0.5, 0.995)]
    assert count(digits) == len(chosen)
    form.locator("[name=actual]").select_option(label="8")
    chosen = chosen[chosen["actual"] == "8"]
    assert count(digits) == len(chosen)
    form.locator("[name=answer]").select_option("right")
    right = chosen[chosen["actual"] == chosen["predicted"]]
    assert count(digits) == len(right) > 0
    assert numbers(digits) == right.sort_values("probability", kind="stable").index.tolist()[:48]
    form.locator("[type=reset]").click()
    digits.page.wait_for_function(f"document.querySelector('.count').textContent.startsWith('{len(found)} ')")


def test_the_surest_mistakes_come_first(changed: Project, digits: Opened) -> None:
    found = table(changed, "digits")
    wrong = found[found["actual"] != found["predicted"]].sort_values(
        "probability", ascending=False, kind="stable"
    )
    assert 1 < len(wrong) < 48
    assert numbers(digits)[: len(wrong)] == wrong.index.tolist()
    assert digits.page.locator("#confusions .tile.wrong").count() == len(wrong)
    digits.page.locator("#confusions .more").click()
    assert len(numbers(digits)) == 96


def test_a_cell_and_a_class_choose_images(changed: Project, digits: Opened) -> None:
    found = table(changed, "digits")
    actual, predicted = found.loc[found["actual"] != found["predicted"], ["actual", "predicted"]].iloc[0]
    digits.page.locator(f'.matrix [data-actual="{actual}"][data-predicted="{predicted}"]').click()
    of_cell = found[(found["actual"] == actual) & (found["predicted"] == predicted)]
    assert sorted(numbers(digits)) == of_cell.index.tolist()
    assert digits.page.locator(".matrix [aria-pressed=true]").count() == 1
    digits.page.locator('.matrix tbody [data-class="3"]').click()
    assert count(digits) == ((found["actual"] == "3") | (found["predicted"] == "3")).sum()


def test_keys_choose_a_cell(changed: Project, digits: Opened) -> None:
    found = table(changed, "digits")
    digits.page.locator(".matrix td button").first.focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "ArrowLeft", "ArrowRight", "ArrowUp", "Enter"):
        digits.page.keyboard.press(key)
    assert count(digits) == ((found["actual"] == "1") & (found["predicted"] == "1")).sum()
    assert digits.page.locator(".matrix td button[tabindex='0']").count() == 1


def test_an_image_is_that_of_the_arrays_and_the_network_says_what_it_said(
    changed: Project, digits: Opened
) -> None:
    found = table(changed, "digits")
    images = np.load(changed.folder / "data/processed/digits/test/images.npy")
    exact = digits.page.evaluate(
        """async () => Promise.all([...Array(360).keys()].map(async number => {
            const canvas = await pictures.test.draw(number).ready;
            const pixels = canvas.getContext("2d").getImageData(0, 0, 8, 8);
            return [...toPixels([readChannel(pixels, 0)], contents.largestPixel)];
        }))"""
    )
    assert np.array_equal(np.array(exact).reshape(images.shape), images)
    number = numbers(digits)[0]
    digits.page.locator("#confusions .tile").first.click()
    told = digits.page.locator("#confusions .tile.large .told")
    told.first.wait_for()
    answer, share = told.first.inner_text().replace("\u2068", "").split("\u2069: ")
    assert answer == found["predicted"][number]
    shown = float(share.removesuffix("\N{NO-BREAK SPACE}%"))
    assert shown == pytest.approx(100 * found["probability"][number], abs=0.06)
    assert told.count() == 3
    digits.page.locator("#confusions .tile").first.click()
    assert told.count() == 0


def test_the_threshold_makes_so_many_answers_right(changed: Project, digits: Opened) -> None:
    digits.page.locator("[name=target]").fill("98.5")
    threshold = float(digits.page.locator("[name=threshold]").input_value())
    choosing = table(changed, "digits", "validation")
    right = choosing["actual"] == choosing["predicted"]
    reaching = [
        least for least in choosing["probability"] if right[choosing["probability"] >= least].mean() >= 0.985
    ]
    assert threshold == min(reaching)
    lines = digits.page.locator(".answers li").all_inner_texts()
    for split, line in zip(("validation", "test"), lines, strict=True):
        found = table(changed, "digits", split)
        answered = found[found["probability"] >= threshold]
        accuracy = (answered["actual"] == answered["predicted"]).mean()
        share = len(answered) / len(found)
        start = f"{split}: {share:.1%} of {len(found)} images are answered, and {accuracy:.2%}"
        assert line.replace("\N{NO-BREAK SPACE}%", "%").startswith(start)
    rows = digits.page.locator(".by-class tbody tr").all_inner_texts()
    found = table(changed, "digits")
    for name, row in zip(map(str, range(10)), rows, strict=True):
        of_class = found[found["actual"] == name]
        answered = of_class[of_class["probability"] >= threshold]
        cells = row.split("\t")
        assert cells[:4] == [name, *map(str, (len(of_class), len(of_class) - len(answered), len(answered)))]
    digits.page.locator("[name=target]").fill("100.5")
    assert "No threshold" in digits.page.locator(".reached").inner_text()


def test_the_images_that_a_base_answered_otherwise_are_shown(changed: Project, open_page: Opener) -> None:
    opened = open_page(write(changed, TWIN, "--base", "main"))
    now = table(changed, TWIN)
    text = changed.run("git", "show", f"main:predictions/{TWIN}/test.csv").stdout
    before = pd.read_csv(io.StringIO(text), dtype={"actual": str, "predicted": str})
    lost, gained = find_changed_images(before, now)
    for kind, rows in (("lost", lost), ("gained", gained)):
        opened.page.locator("[name=change]").select_option(kind)
        assert count(opened) == len(rows)
    assert len(lost) > 10
    opened.page.locator("[name=change]").select_option("changed")
    assert count(opened) == (before["predicted"] != now["predicted"]).sum()
    difference = pd.crosstab(now["actual"], now["predicted"]).sub(
        pd.crosstab(before["actual"], before["predicted"]), fill_value=0
    )
    cells = opened.page.locator(".matrix td button")
    for cell in cells.element_handles():
        pair = [cell.get_attribute(f"data-{key}") for key in ("actual", "predicted")]
        expected = int(difference.get(pair[1], {}).get(pair[0], 0))
        shown = cell.inner_text().replace("\N{MINUS SIGN}", "-").replace("+", "")
        assert (0 if shown == "·" else int(shown)) == expected
    actual, predicted = (
        difference.melt(ignore_index=False)
        .reset_index()
        .nlargest(1, "value")
        .iloc[0][["actual", "predicted"]]
    )
    opened.page.locator(f'.matrix [data-actual="{actual}"][data-predicted="{predicted}"]').click()
    moved = (now["actual"] == actual) & (now["predicted"] != before["predicted"])
    of_cell = moved & ((now["predicted"] == predicted) | (before["predicted"] == predicted))
    assert count(opened) == of_cell.sum()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 2000])
def test_it_fits_any_screen(digits: Opened, width: int, scheme: Any) -> None:
    digits.page.emulate_media(color_scheme=scheme)
    digits.page.set_viewport_size({"width": width, "height": 900})
    assert digits.page.evaluate("document.documentElement.scrollWidth") == width
    text, ground = digits.page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    brightness = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (text, ground)]
    assert (brightness[0] > brightness[1]) == (scheme == "dark")
    assert abs(brightness[0] - brightness[1]) > 500


def test_everything_that_can_be_chosen_has_a_name(digits: Opened) -> None:
    nameless = digits.page.evaluate(
        """() => [...document.querySelectorAll("button, select, input, meter, canvas.pad, canvas.seen, svg")]
            .filter(part => !(part.ariaLabel || part.labels?.length || (part.type && part.innerText.trim())))
            .filter(part => part.tagName !== "SELECT" || part.labels.length)
            .map(part => part.outerHTML)"""
    )
    assert nameless == []


def test_a_drawing_gets_an_answer_until_it_is_cleared(digits: Opened) -> None:
    box = digits.page.locator(".pad").bounding_box()
    assert box is not None
    digits.page.locator(".pad").scroll_into_view_if_needed()
    box = digits.page.locator(".pad").bounding_box()
    assert box is not None
    digits.page.mouse.move(box["x"] + 128, box["y"] + 40)
    digits.page.mouse.down()
    digits.page.mouse.move(box["x"] + 128, box["y"] + 210, steps=5)
    digits.page.wait_for_function("document.querySelector('.answer').textContent")
    digits.page.mouse.up()
    values = digits.page.locator(".bars meter").evaluate_all("meters => meters.map(meter => meter.value)")
    assert sum(values) == pytest.approx(1, abs=1e-6)
    assert digits.page.locator(".likeliest").count() == 1
    digits.page.locator(".clear").click()
    assert digits.page.locator(".answer").inner_text() == ""
    assert digits.page.locator(".likeliest").count() == 0


@pytest.mark.slow
def test_a_file_gets_the_answer_of_predict(changed: Project, digits: Opened, tmp_path: Path) -> None:
    digit = np.load(changed.folder / "data/processed/digits/test/images.npy")[11]
    enlarged = Image.fromarray((digit * 15).astype(np.uint8)).resize((90, 70), Image.Resampling.BICUBIC)
    enlarged.save(tmp_path / "digit.png")
    Image.eval(enlarged, lambda pixel: 255 - pixel).save(tmp_path / "inverted.png")
    # Light ink on a transparent ground.
    clear = Image.merge("LA", (Image.new("L", enlarged.size, 255), enlarged))
    clear.save(tmp_path / "clear.png")
    for name in ("digit.png", "inverted.png", "clear.png"):
        predicted = changed.here("tools.predict", "digits", tmp_path / name, "--json")
        (expected,) = json.loads(predicted.stdout)
        digits.page.locator("[type=file]").set_input_files(tmp_path / name)
        digits.page.wait_for_function("document.querySelector('.notes').textContent")
        answer, share = digits.page.locator(".answer").inner_text().split(", ")
        assert answer == expected["class"]
        assert float(share.removesuffix("\N{NO-BREAK SPACE}%")) == pytest.approx(
            100 * expected["probability"], abs=1
        )
        assert ("inverted" in digits.page.locator(".notes").inner_text()) == expected["inverted"]
        digits.page.locator(".clear").click()
    (tmp_path / "text.png").write_text("no picture")
    digits.page.locator("[type=file]").set_input_files(tmp_path / "text.png")
    digits.page.wait_for_function("document.querySelector('.answer').textContent")
    assert "text.png: this browser cannot read it" in digits.page.locator(".answer").inner_text()
    assert digits.page.locator(".likeliest").count() == 0
    # Of two files in short succession, the second counts, though it is read sooner.
    enlarged.resize((4000, 4000)).save(tmp_path / "large.png")
    digits.page.locator("[type=file]").set_input_files(tmp_path / "large.png")
    digits.page.locator("[type=file]").set_input_files(tmp_path / "inverted.png")
    digits.page.wait_for_function("document.querySelector('.notes').textContent.includes('inverted')")
    digits.page.wait_for_timeout(1500)
    assert "inverted" in digits.page.locator(".notes").inner_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "expected one of digits, twin"),
        (["digits", "--base", "nothing"], "expected a commit, branch or tag"),
        (["digits", "--base", ""], "expected a commit, branch or tag"),
        (["digits", "--base", "workspace"], "expected a commit, branch or tag, found the workspace"),
    ],
)
def test_mistakes_are_said_in_a_line(changed: Project, arguments: list[str], message: str) -> None:
    done = changed.here("tools.explore", *arguments, expect=2)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_results_out_of_date_and_other_images_are_refused(project: Project) -> None:
    project.edit_parameters(lambda content: content["datasets"]["digits"]["training"].update(epochs=3))
    done = project.here("tools.explore", "digits", expect=2)
    assert "expected the results of these parameters" in done.stderr
    assert "run: dvc repro evaluate@digits" in done.stderr
    project.run("git", "checkout", "--quiet", "params.yaml")
    lock = (project.folder / "dvc.lock").read_text()
    split = re.search(r"data/processed/digits/test\n\s+hash: md5\n\s+md5: (\w+)", lock)
    assert split is not None
    (project.folder / "dvc.lock").write_text(lock.replace(split[1], "0" * 32 + ".dir"))
    project.commit("Other images")
    other = project.run("git", "rev-parse", "HEAD").stdout.strip()
    project.run("git", "reset", "--hard", "--quiet", "HEAD~1")
    done = project.here("tools.explore", "digits", "--base", other, expect=2)
    assert f"at {other[:7]}: expected predictions for the present images" in done.stderr


@pytest.mark.parametrize("kind", ["images", "labels", "network", "fewer"])
def test_images_and_networks_of_another_revision_are_refused(project: Project, kind: str) -> None:
    folder = project.folder / "data/processed/digits/test"
    if kind == "network":
        path = project.folder / "models/digits.keras"
        model_file.save(model_file.load(project.folder / f"models/{TWIN}.keras"), path)
    else:
        images, labels = arrays.read(folder)
        order = np.arange(len(labels))[:: -1 if kind == "images" else 1][: 100 if kind == "fewer" else None]
        changed_labels = labels[order] if kind == "images" else np.roll(labels, 1)[order]
        arrays.write(folder, Split(np.asarray(images)[order], changed_labels))
    done = project.here("tools.explore", "digits", expect=2)
    assert (
        "expected predictions of models/digits.keras for the images in data/processed/digits" in done.stderr
    )
    assert done.stderr.endswith("run: dvc checkout\n")
    assert not (project.folder / "explore").exists()


@pytest.mark.slow
def test_renamed_classes_of_a_base_are_the_same_classes(project: Project) -> None:
    project.edit_parameters(lambda content: content["datasets"]["digits"]["classes"].__setitem__(0, "zero"))
    project.run("dvc", "repro", "evaluate@digits")
    project.here("tools.explore", "digits", "--base", "main")
    text = (project.folder / "explore/digits.html").read_text(encoding="utf-8")
    contents = json.loads(text.partition('id="contents">')[2].partition("</script>")[0])
    assert contents["splits"]["test"]["before"] == contents["splits"]["test"]["predicted"]
    assert "zero" in contents["classes"]


def test_a_file_in_the_place_of_the_folder_is_kept(project: Project) -> None:
    (project.folder / "explore").write_text("mine")
    done = project.here("tools.explore", "digits", expect=2)
    assert done.stderr == "error: explore: expected a folder, or nothing, found the other; move it away\n"
    assert (project.folder / "explore").read_text() == "mine"


def test_results_that_are_not_in_the_lock_file_are_refused(project: Project) -> None:
    (project.folder / "dvc.lock").unlink()
    done = project.here("tools.explore", "digits", expect=2)
    assert "run: dvc repro evaluate@digits" in done.stderr


def test_a_network_that_the_page_cannot_compute_has_a_page(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr("tools.explore.network.MOST_WEIGHTS", 1000)
    collected = collect("digits", None)
    assert collected["network"] is None
    assert collected["obstacle"] == "17,226 weights, more than 1,000"


def test_the_files_of_pictures_are_those_that_the_raw_files_tell(
    changed: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(changed.folder)
    splits = collect("digits", None)["splits"]
    assert all("files" not in split for split in splits.values())
    asked = {}

    def find_names(dataset: str, splits: dict[str, Split]) -> dict[str, list[str]]:
        asked.update({dataset: {split: len(images) for split, (images, _) in splits.items()}})
        return {split: [f"{split}.jpg"] for split in splits}

    monkeypatch.setattr("tools.explore.contents.find_names", find_names)
    splits = collect("digits", None)["splits"]
    assert asked == {"digits": {split: len(described["actual"]) for split, described in splits.items()}}
    assert {split: described["files"] for split, described in splits.items()} == {
        "validation": ["validation.jpg"],
        "test": ["test.jpg"],
    }
