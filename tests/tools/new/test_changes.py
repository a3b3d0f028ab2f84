"""Data sets that change: other pictures, another size, another name, none at all, or another machine."""

import contextlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import TWIN, Project, set_value
from PIL import Image
from ruamel.yaml import YAML
from sections import count_images, read_both, read_section, save_pictures

import tools.new.__main__ as new
from stages import fetch
from stages.common import layout
from stages.common.errors import UserError
from tools.common.lock import exclusive_lock


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for name in ("cat", "dog"):
        save_pictures(tmp_path / "pets" / name, 10)
    return tmp_path / "pets"


def test_another_height_needs_no_hashes_by_hand(parameters: Project, pets: Path) -> None:
    parameters.here("tools.new", "pets", pets)
    path = parameters.folder / "params.yaml"
    path.write_text(path.read_text().replace("height: 16", "height: 10"))
    before = read_both(parameters)["params.yaml"].splitlines()
    with contextlib.chdir(parameters.folder), pytest.raises(UserError, match="make refresh NAME="):
        fetch.main("pets")
    out = parameters.here("tools.new.refresh", "pets").stdout
    assert "images of 10 x 16 x 3" in out
    after = read_both(parameters)["params.yaml"].splitlines()
    changed = [line for line, old in zip(after, before, strict=True) if line != old]
    assert all("bytes:" in line or "sha256:" in line for line in changed)
    assert count_images(parameters) == {"train": 13, "validation": 3, "test": 4}
    assert "pets is up to date with its source" in parameters.here("tools.new.refresh", "pets").stdout


def test_more_pictures_and_a_new_class_keep_the_numbers_of_classes(parameters: Project, pets: Path) -> None:
    parameters.here("tools.new", "pets", pets)
    parameters.edit_parameters(lambda content: set_value(content, "datasets.pets.classes", ["Katze", "Hund"]))
    save_pictures(pets / "bird", 10)
    out = parameters.here("tools.new.refresh", "pets").stdout
    assert "classes: Katze, Hund, bird" in out
    assert "no training images any more" not in out
    section = read_section(parameters)
    assert section["source"]["classes"] == ["cat", "dog", "bird"]
    assert section["classes"] == ["Katze", "Hund", "bird"]
    assert sum(count_images(parameters).values()) == 30

    shutil.rmtree(pets / "cat")
    out = parameters.here("tools.new.refresh", "pets").stdout
    assert "- warning: no training images any more of Katze\n" in out
    assert read_section(parameters)["classes"] == ["Hund", "bird"]


def test_a_refresh_counts_new_pictures_and_finds_leaks(parameters: Project, pets: Path) -> None:
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            save_pictures(pets.with_name("set") / part / name, 10)
    parameters.here("tools.new", "pets", pets.with_name("set"))
    count_images(parameters)
    file = pets.with_name("set") / "train/cat/000.png"
    shutil.copy(file, pets.with_name("set") / "test/cat/copy.png")
    save_pictures(pets.with_name("set") / "train/dog", 13)
    out = parameters.here("tools.new.refresh", "pets").stdout
    assert "- images: train +3, test +1\n" in out
    assert re.search(r"^- warning: test images identical to a training image: \d", out, re.MULTILINE)


def test_a_test_class_without_training_pictures_gets_them_and_all_is_well(
    parameters: Project, tmp_path: Path
) -> None:
    for place in ("train/cat", "train/dog", "test/cat", "test/dog"):
        save_pictures(tmp_path / "pets" / place)
    parameters.here("tools.new", "pets", tmp_path / "pets")
    save_pictures(tmp_path / "pets/test/cow")
    refused = parameters.here("stages", "fetch", "pets", expect=2).stderr
    assert "test/cow: expected a folder of a class" in refused
    assert "make refresh" in refused
    save_pictures(tmp_path / "pets/train/cow")
    parameters.here("tools.new.refresh", "pets")
    assert count_images(parameters) == {"train": 15, "validation": 3, "test": 18}


def test_changed_arrays_and_idx_files(parameters: Project, tmp_path: Path) -> None:
    def save(brightness: int) -> None:
        images, labels = np.full((20, 4, 4), brightness, np.uint8), np.arange(20) % 2
        np.savez(tmp_path / "a.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)

    save(150)
    parameters.here("tools.new", "letters", tmp_path / "a.npz")
    save(200)
    with pytest.raises(UserError, match=r"no mirror has a\.npz"):
        count_images(parameters, "letters")
    parameters.here("tools.new.refresh", "letters")
    assert count_images(parameters, "letters")["test"] == 20


def test_a_secret_in_the_address_of_a_mirror_is_not_shown(parameters: Project, tmp_path: Path) -> None:
    images, labels = np.full((20, 4, 4), 150, np.uint8), np.arange(20) % 2
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    parameters.here("tools.new", "letters", tmp_path / "a.npz")
    (tmp_path / "a.npz").unlink()
    mirror = "http://me:hunter2@localhost:9/data?token=hunter2"
    done = parameters.here("tools.new.refresh", "letters", expect=2, DATASETS_MIRROR=mirror)
    assert "error: http://localhost:9/data?...: expected a file, found: " in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_a_colleague_who_has_pulled_needs_no_source(parameters: Project, pets: Path) -> None:
    parameters.here("tools.new", "pets", pets)
    counts = count_images(parameters)
    pets.rename(pets.with_name("elsewhere"))
    done = parameters.here("stages", "fetch", "pets")
    assert "data/raw/pets: has the files of params.yaml already" in done.stdout
    assert count_images(parameters) == counts
    (parameters.folder / "data/raw/pets" / layout.TEST_LABELS).unlink()
    assert "come with dvc pull" in parameters.here("stages", "fetch", "pets", expect=2).stderr


@pytest.mark.parametrize(
    "change",
    [("height", 20), ("channels", 1), ("test", {"images": 4, "seed": 0}), ("test", {"images": 2, "seed": 9})],
)
def test_another_source_is_not_taken_for_the_raw_files_that_are_there(
    parameters: Project, tmp_path: Path, change: tuple[str, object]
) -> None:
    for name in ("cat", "dog"):
        save_pictures(tmp_path / "pets" / name)
    parameters.here("tools.new", "pets", tmp_path / "pets")
    count_images(parameters)
    key, value = change
    parameters.edit_parameters(lambda content: content["datasets"]["pets"]["source"].update({key: value}))
    done = parameters.here("stages", "fetch", "pets", expect=2)
    assert "params.yaml: datasets.pets.files: train-images-idx3-ubyte: expected " in done.stderr
    assert "make refresh NAME=pets" in done.stderr


def test_another_seed_of_bundled_images_is_not_taken_for_the_raw_files(
    project: Project,
) -> None:
    project.edit_parameters(lambda content: content["datasets"]["digits"]["source"].update(seed=5))
    before = project.files("data/raw/digits/*")
    done = project.here("stages", "fetch", "digits", expect=2)
    assert "params.yaml: datasets.digits.files: train-images-idx3-ubyte: expected " in done.stderr
    assert project.files("data/raw/digits/*") == before


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pictures", "npz", "other names"])
def test_raw_files_of_another_copy_are_a_source_for_every_kind(
    parameters: Project, pets: Path, tmp_path: Path, kind: str
) -> None:
    origin = pets
    images, labels = np.arange(20 * 16, dtype=np.uint8).reshape(20, 4, 4), np.arange(20) % 2
    if kind == "npz":
        origin = tmp_path / "a.npz"
        np.savez(origin, x_train=images, y_train=labels, x_test=images, y_test=labels)
    if kind == "other names":
        parameters.here("tools.new", "first", pets)
        count_images(parameters, "first")
        origin = tmp_path / "idx"
        origin.mkdir()
        for name in layout.RAW_FILES:
            shutil.copy(parameters.folder / "data/raw/first" / name, origin / f"pets-{name}")
    parameters.here("tools.new", "pets", origin)
    counts, raw = count_images(parameters), parameters.files("data/raw/pets/*")
    assert ("data/raw/pets/pictures.csv" in raw) == (kind == "pictures")
    copy = tmp_path / "copy"
    shutil.copytree(parameters.folder / "data/raw", copy)
    shutil.rmtree(parameters.folder / "data")
    origin.rename(tmp_path / "gone")
    parameters.here("stages", "fetch", "pets", DATASETS_MIRROR=str(copy))
    assert parameters.files("data/raw/pets/*") == raw
    assert count_images(parameters) == counts


RESULTS = ("metrics/*", "plots/*/*", "predictions/*/*", "models/*", "data/raw/*/*", "data/processed/*/*/*")


def list_results(project: Project, name: str) -> dict[str, bytes]:
    files = project.files(*RESULTS)
    return {
        path: content
        for path, content in files.items()
        if name in Path(path).parts or Path(path).stem == name
    }


def test_a_data_set_goes_with_all_that_came_of_it(project: Project) -> None:
    add_artifact(project)
    project.here("tools.predict.card", TWIN)
    others = list_results(project, "digits")
    assert list_results(project, TWIN)
    (project.folder / layout.checkpoint(TWIN)).touch()
    page = project.folder / f"explore/{TWIN}.html"
    page.parent.mkdir(exist_ok=True)
    page.touch()
    done = project.here("tools.new.remove", TWIN)
    assert f"Removed {TWIN}" in done.stdout
    assert not list_results(project, TWIN)
    assert not page.exists()
    assert not (project.folder / f"cards/{TWIN}.md").exists()
    for name in ("params.yaml", "tools.yaml", "dvc.lock", "dvc.yaml"):
        assert TWIN not in (project.folder / name).read_text()
    assert list_results(project, "digits") == others
    assert "up to date" in project.run("dvc", "status").stdout


@pytest.mark.slow
@pytest.mark.parametrize("others", [False, True])
def test_the_last_line_undoes_a_removal(project: Project, others: bool) -> None:
    before = list_results(project, TWIN)
    (project.folder / "models/digits.keras").unlink()  # nor in the cache, and of no concern here
    content = YAML(typ="safe").load(project.folder / "dvc.lock")["stages"]["train@digits"]["outs"]
    (digest,) = [entry["md5"] for entry in content if entry["path"] == "models/digits.keras"]
    (project.folder / f".dvc/cache/files/md5/{digest[:2]}/{digest[2:]}").unlink()
    if others:
        (project.folder / "README.md").write_text("mine")
    last = project.here("tools.new.remove", TWIN).stdout.splitlines()[-1]
    assert ("every other change since the last commit" in last) == others
    (commands,) = re.findall(r"To undo this: (git checkout \.).* and (dvc checkout .*)\.$", last)
    for command in commands:
        project.run(*command.split())
    assert list_results(project, TWIN) == before
    assert project.run("git", "status", "--porcelain").stdout == ""


def test_what_was_never_committed_cannot_be_brought_back(project: Project, pets: Path) -> None:
    project.here("tools.new", "pets", pets)
    done = project.here("tools.new.remove", "pets")
    assert "This cannot be undone, since no commit has pets" in done.stdout
    assert "To undo this" not in done.stdout


@pytest.mark.slow
def test_another_name_is_undone_by_the_first_one(project: Project) -> None:
    before = list_results(project, TWIN)
    done = project.here("tools.new.remove", TWIN, "--rename-to", "other")
    assert f"To undo this: make remove NAME=other TO={TWIN}" in done.stdout
    project.here("tools.new.remove", "other", "--rename-to", TWIN)
    assert list_results(project, TWIN) == before
    assert project.run("git", "status", "--porcelain").stdout in ("", " M dvc.lock\n")  # in another order
    assert "up to date" in project.run("dvc", "status").stdout


@pytest.mark.slow
def test_dvc_reads_what_the_last_data_set_of_a_file_leaves(project: Project) -> None:
    """The last one with an artifact, and the last one that has been run."""
    yaml = YAML()
    for file, section in (("dvc.yaml", "artifacts"), ("dvc.lock", "stages")):
        content = yaml.load(project.folder / file)
        content[section] = {key: value for key, value in content[section].items() if "digits" in key}
        yaml.dump(content, project.folder / file)
    project.here("tools.new.remove", "digits")
    status = project.run("dvc", "status").stdout
    assert f"evaluate@{TWIN}" in status
    assert "digits" not in status
    project.run("dvc", "repro", f"fetch@{TWIN}")


def add_artifact(project: Project) -> None:
    path = project.folder / "dvc.yaml"
    path.write_text(
        path.read_text()
        + f"  {TWIN}:\n    path: models/{TWIN}.keras\n    type: model\n    labels:\n      - keras\n"
    )
    project.commit("An artifact")


@pytest.mark.slow
def test_a_data_set_gets_another_name_and_nothing_runs_again(project: Project) -> None:
    add_artifact(project)
    before = list_results(project, TWIN)
    text = (project.folder / "params.yaml").read_text()
    done = project.here("tools.new.remove", TWIN, "--rename-to", "other")
    assert f"Renamed {TWIN} to other" in done.stdout
    assert (project.folder / "params.yaml").read_text() == text.replace(f"  {TWIN}:\n", "  other:\n")
    after = list_results(project, "other")
    assert len(after) == len(before)
    same = {
        path.replace(TWIN, "other"): content.replace(TWIN.encode(), b"other")
        for path, content in before.items()
    }
    assert after == same
    assert "up to date" in project.run("dvc", "status").stdout
    pipeline = YAML(typ="safe").load(project.folder / "dvc.yaml")
    assert pipeline["artifacts"]["other"]["path"] == "models/other.keras"
    assert json.loads(project.run("dvc", "metrics", "show", "--json", "metrics/other.json").stdout)
    project.commit("Another name")
    report = project.here("tools.review", "HEAD~1", "HEAD", "--removed", TWIN).stdout
    assert "Passed" in report


@pytest.mark.parametrize("arguments", [(), ("--rename-to", "other")])
def test_a_file_of_the_user_is_kept(project: Project, arguments: tuple[str, ...]) -> None:
    notes = project.folder / f"data/raw/{TWIN}/notes.txt"
    notes.write_text("mine")
    before = project.files("**/*")
    done = project.here("tools.new.remove", TWIN, *arguments, expect=2)
    assert f"data/raw/{TWIN}/notes.txt: expected results of a stage" in done.stderr
    assert project.files("**/*") == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none",), "expected one of digits, twin"),
        ((TWIN, "--rename-to", "digits"), "expected a new name, found 'digits' in use"),
        (
            (TWIN, "--rename-to", "No"),
            "the new name: expected small letters, numbers and _, with a letter first",
        ),
    ],
)
def test_a_wrong_name_is_one_line(finished: Project, arguments: tuple[str, ...], message: str) -> None:
    done = finished.here("tools.new.remove", *arguments, expect=2)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_last_data_set_stays(parameters: Project) -> None:
    def leave_one(content: dict) -> None:
        content["datasets"] = {"digits": content["datasets"]["digits"]}

    parameters.edit_parameters(leave_one)
    parameters.edit_tools(leave_one)
    assert (
        "expected another data set beside digits"
        in parameters.here("tools.new.remove", "digits", expect=2).stderr
    )


@pytest.mark.slow
def test_own_pictures_are_predicted_as_they_were_scored(project: Project, tmp_path: Path) -> None:
    """97 of 100 pictures are dark, three are light: no picture of the set itself is inverted."""
    random = np.random.default_rng(0)
    for part, count in (("train", 100), ("test", 10)):
        for label, name in enumerate(("low", "high")):
            folder = tmp_path / "set" / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 40, (12, 12)).astype(np.uint8)
                pixels[2 + 6 * label : 5 + 6 * label, 3:9] = 200
                if number % 33 == 1:
                    pixels = 255 - pixels
                Image.fromarray(pixels).save(folder / f"{number:03}.png")
    project.here("tools.new", "set", tmp_path / "set")
    project.edit_parameters(
        lambda content: content["datasets"]["set"]["training"].update(epochs=3, warmup_epochs=1)
    )
    for stage in ("fetch", "preprocess", "train", "evaluate"):
        project.here("stages", stage, "set")
    scored = [
        row.split(",")[1]
        for row in (project.folder / "predictions/set/test.csv").read_text().splitlines()[1:]
    ]
    files = [
        tmp_path / "set/test" / name / f"{number:03}.png" for name in ("high", "low") for number in range(10)
    ]
    predicted = json.loads(project.here("tools.predict", "set", *files, "--json").stdout)
    assert not any(row["inverted"] for row in predicted)
    assert [row["class"] for row in predicted] == scored


def test_an_empty_new_name_is_no_removal(project: Project) -> None:
    before = project.files("**/*")
    done = project.here("tools.new.remove", TWIN, "--rename-to", "", expect=2)
    assert "the new name: expected" in done.stderr
    make = ("make", "-o", ".venv/installed")
    project.run(*make, "remove", f"NAME={TWIN}", "TO=", expect=2)
    assert {path: content for path, content in project.files("**/*").items() if path in before} == before


def test_what_a_link_leads_to_is_the_users(project: Project, tmp_path: Path) -> None:
    raw = project.folder / f"data/raw/{TWIN}"
    raw.rename(tmp_path / "elsewhere")
    raw.symlink_to(tmp_path / "elsewhere")
    project.here("tools.new.remove", TWIN)
    assert not raw.is_symlink()
    assert len(list((tmp_path / "elsewhere").iterdir())) == 4


@pytest.mark.parametrize("arguments", [(), ("--rename-to", "other")])
def test_a_card_that_somebody_has_written_is_kept(project: Project, arguments: tuple[str, ...]) -> None:
    card = project.folder / f"cards/{TWIN}.md"
    card.parent.mkdir(exist_ok=True)
    card.write_text("my own")
    project.here("tools.new.remove", TWIN, *arguments)
    assert card.read_text() == "my own"


def test_a_lock_with_line_ends_of_windows_loses_the_stages_too(project: Project) -> None:
    path = project.folder / "dvc.lock"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    project.here("tools.new.remove", TWIN)
    assert f"@{TWIN}" not in path.read_text()


def save_grey(folder: Path, brightness: int) -> None:
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(10):
            pixels = np.full((12, 12), brightness, np.uint8)
            pixels[3:9, 3:9] = 100 + number
            Image.fromarray(pixels).save(folder / name / f"{brightness}-{number}.png")


def test_a_refresh_looks_at_the_background_again(parameters: Project, tmp_path: Path) -> None:
    save_grey(tmp_path / "pets", 0)
    parameters.here("tools.new", "pets", tmp_path / "pets")
    assert "background: dark" in read_both(parameters)["tools.yaml"].partition("pets:")[2]
    save_grey(tmp_path / "pets", 255)
    out = parameters.here("tools.new.refresh", "pets").stdout
    assert "tools.yaml: about.background: not the same for all images" in out
    assert "background: dark" not in read_both(parameters)["tools.yaml"].partition("pets:")[2]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_every_line_of_other_data_sets_stays_as_it_is(parameters: Project, pets: Path, line_end: str) -> None:
    path = parameters.folder / "params.yaml"
    text = path.read_text().replace("  digits:\n", '  # "mine"\n  digits:   # the first\n', 1)
    text = text.replace("kind: mirrors", 'kind: "mirrors"').replace("- Trouser\n", "- 'Trouser'   # one\n")
    path.write_bytes(text.replace("\n", line_end).encode())
    parameters.here("tools.new", "pets", pets)
    before = path.read_bytes()
    save_pictures(pets / "cat", 12)
    parameters.here("tools.new.refresh", "pets")
    after = path.read_bytes()
    start = f"  pets:{line_end}".encode()
    assert after.partition(start)[0] == before.partition(start)[0]
    end = f"{line_end}checks:".encode()
    assert after.partition(end)[2] == before.partition(end)[2]
    assert after != before
    assert after.count(b"\r\n") == (after.count(b"\n") if line_end == "\r\n" else 0)
    (parameters.folder / "dvc.yaml").write_text("stages: {}\n")
    parameters.here("tools.new.remove", "pets")
    assert path.read_bytes() == text.replace("\n", line_end).encode()


def test_names_of_classes_are_as_many_as_folders(parameters: Project, pets: Path) -> None:
    parameters.here("tools.new", "pets", pets)
    parameters.edit_parameters(lambda content: content["datasets"]["pets"]["classes"].append("cow"))
    error = parameters.here("tools.new.refresh", "pets", expect=2).stderr
    assert "expected a name in classes for each of the 2 folders in source.classes, found 3" in error
    assert error.count("\n") == 1


def test_two_at_a_time_are_refused(parameters: Project, pets: Path) -> None:
    with contextlib.chdir(parameters.folder), exclusive_lock(new.LOCK, "test"):
        error = parameters.here("tools.new", "pets", pets, expect=2).stderr
    assert "expected no other make new, found one; wait, or stop it" in error


def test_strict_checks_stop_a_new_data_set(parameters: Project, pets: Path) -> None:
    for name in ("cat", "dog"):
        for part in ("train", "test"):
            shutil.copytree(pets / name, pets.with_name("leak") / part / name)
    parameters.edit_parameters(lambda content: content["checks"].update(strict=True))
    before = read_both(parameters)
    error = parameters.here("tools.new", "leak", pets.with_name("leak"), expect=2).stderr
    assert "found: validation images" in error or "found: test images identical to a training image" in error
    assert error.count("\n") == 1
    assert read_both(parameters) == before
