"""dvc.yaml names for each stage exactly the code that it imports and the parameters that it reads."""

import ast
import json
import re
import shutil
import sys
from importlib import metadata
from pathlib import Path

import pytest
from helpers import ROOT, TWIN, Project
from ruamel.yaml import YAML

STAGES = ("fetch", "preprocess", "train", "evaluate")

# Runs a stage and prints which files of the project it imported, whether it imported TensorFlow, and
# which leaves of params.yaml it read after they were checked.
SPY = """
import json, sys
from stages import parameters

stage, dataset = sys.argv[1], sys.argv[2]
places, read = {}, set()

def remember(section, place):
    places[id(section)] = place
    for name in type(section).model_fields:
        value = getattr(section, name)
        children = value.items() if isinstance(value, dict) else [("", value)]
        for key, child in children:
            if isinstance(child, parameters.Section):
                remember(child, f"{place}{name}.{key + '.' if key else ''}")

original = parameters.load
plain = parameters.Section.__getattribute__
kept = []  # so that no other object gets the same id

def spying(self, name):
    value = plain(self, name)
    if name in type(self).model_fields and not isinstance(value, (parameters.Section, dict)):
        read.add(places[id(self)] + name)
    return value

def load(*args):
    parameters.Section.__getattribute__ = plain
    kept.append(original(*args))
    remember(kept[-1], "")
    parameters.Section.__getattribute__ = spying
    return kept[-1]

parameters.load = load
command = __import__("stages.__main__", fromlist=["main"])
command.main(stage, dataset)
print(json.dumps({
    "files": sorted(m.__file__ for n, m in sys.modules.items() if n.partition(".")[0] == "stages"),
    "tensorflow": "tensorflow" in sys.modules,
    "read": sorted(read),
}))
"""


@pytest.fixture(scope="module")
def observed(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[str]]]:
    folder = tmp_path_factory.mktemp("spy") / "project"
    shutil.copytree(finished.folder, folder, symlinks=True)
    project = Project(folder)
    test_split = project.folder / f"data/processed/{TWIN}/test"
    seen = {}
    for stage in STAGES:
        if stage == "train":  # which must do without the test images
            test_split.rename(tmp_path_factory.getbasetemp() / "hidden")
            shutil.rmtree(project.folder / "data/raw")
        seen[stage] = json.loads(project.run("python", "-c", SPY, stage, TWIN).stdout.splitlines()[-1])
        if stage == "train":
            (tmp_path_factory.getbasetemp() / "hidden").rename(test_split)
    return seen


def declared(stage: str) -> dict[str, list[str]]:
    return YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"][stage]["do"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_exactly_the_code_it_imports(
    observed: dict[str, dict[str, list[str]]], stage: str
) -> None:
    imported = {f"stages/{Path(file).name}" for file in observed[stage]["files"]}
    assert {file for file in declared(stage)["deps"] if file.startswith("stages/")} == imported


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_exactly_the_parameters_it_reads(
    observed: dict[str, dict[str, list[str]]], stage: str
) -> None:
    names = [name.replace("${key}", TWIN) for name in declared(stage)["params"] if isinstance(name, str)]
    read = observed[stage]["read"]
    uncovered = [leaf for leaf in read if not any(f"{leaf}.".startswith(f"{name}.") for name in names)]
    unread = [name for name in names if not any(f"{leaf}.".startswith(f"{name}.") for leaf in read)]
    assert (uncovered, unread) == ([], [])


@pytest.mark.parametrize("stage", ["fetch", "preprocess"])
def test_a_stage_does_without_the_slow_import_of_tensorflow(
    observed: dict[str, dict[str, list[str]]], stage: str
) -> None:
    assert observed[stage]["tensorflow"] is False


def test_training_runs_where_the_test_images_are_not(
    observed: dict[str, dict[str, list[str]]],
) -> None:
    assert observed["train"]["tensorflow"] is True  # it ran while the fixture had hidden them
    assert not [dependency for dependency in declared("train")["deps"] if "test" in dependency]


def test_no_code_names_a_data_set() -> None:
    names = YAML(typ="safe").load(ROOT / "params.yaml")["datasets"]
    code = ROOT.glob("[abcpsv]*/**/*.py")
    for file in [*code, ROOT / "dvc.yaml"]:
        text = file.read_text(encoding="utf-8").partition("\nartifacts:")[0]  # which DVC does not loop over
        without_links = re.sub(r"https?://\S+", "", text)
        words = set(re.findall(r"\w+", without_links))
        assert not words & set(names), f"{file} names a data set"


# Packages that read, check, fetch or show, and leave no trace in a result.
WITHOUT_A_TRACE = {"aiohttp", "fsspec", "psutil", "pydantic", "ruamel.yaml", "tenacity", "tqdm"}
NAMED_OTHERWISE = {"PIL": "pillow", "sklearn": "scikit-learn", "ruamel": "ruamel.yaml"}


def packages_of(stage: str) -> set[str]:
    """The distributions that the stage's own files import."""
    modules = set()
    for file in filter(lambda name: name.startswith("stages/"), declared(stage)["deps"]):
        for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                modules.add((node.module or "").partition(".")[0])
    others = modules - sys.stdlib_module_names - {"stages"}
    return {NAMED_OTHERWISE.get(module, module) for module in others}


@pytest.mark.parametrize(
    "stage", STAGES[1:]
)  # what fetch makes has the hashes of params.yaml, or is not made
def test_a_stage_depends_on_the_versions_of_exactly_the_packages_it_computes_with(stage: str) -> None:
    (named,) = [entry["versions.yaml"] for entry in declared(stage)["params"] if isinstance(entry, dict)]
    unseen = {"h5py"} if stage == "train" else set()  # Keras imports it where it saves
    assert set(named) - unseen == packages_of(stage) - WITHOUT_A_TRACE


def test_the_versions_are_those_of_the_lock_file_and_of_this_environment() -> None:
    versions = YAML(typ="safe").load(ROOT / "versions.yaml")
    locked = dict(
        re.findall(
            r"^([\w.-]+)==(\S+)", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE
        )
    )
    for package, version in versions.items():
        assert locked[package] == version
        name = "tensorflow-cpu" if package == "tensorflow" and "tensorflow-cpu" in installed() else package
        assert metadata.version(name) == version


def installed() -> set[str]:
    return {distribution.name.replace("_", "-") for distribution in metadata.distributions()}
