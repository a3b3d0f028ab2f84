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

from stages.__main__ import STAGE_PACKAGES, STAGES
from stages.common import packages, runtime
from stages.network.schema import TrainParameters
from stages.scoring.schema import EvaluateParameters
from stages.sources.schema import FetchParameters
from stages.splits.schema import PreprocessParameters

# Calls the main function of a stage, and prints the files of the project that it imported, and whether it
# imported TensorFlow.
SPY = """
import importlib, json, sys
importlib.import_module(f"stages.{sys.argv[1]}").main(sys.argv[2])
print(json.dumps({
    "files": sorted(m.__file__ for n, m in sys.modules.items() if n.partition(".")[0] == "stages"),
    "tools": sorted(n for n in sys.modules if n.partition(".")[0] == "tools"),
    "tensorflow": "tensorflow" in sys.modules,
}))
"""
# The parameters of a data set that each stage can read: it gets no others.
SCHEMAS = {
    "fetch": FetchParameters,
    "preprocess": PreprocessParameters,
    "train": TrainParameters,
    "evaluate": EvaluateParameters,
}


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


def code_of(stage: str) -> set[str]:
    return {path for path in declared(stage)["deps"] if path.startswith("stages/")}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_its_file_and_on_exactly_the_rooms_it_imports(
    observed: dict[str, dict[str, list[str]]], stage: str
) -> None:
    folder = Path(observed[stage]["files"][0]).parent  # that of stages/__init__.py, the first of all
    imported = {Path(file).relative_to(folder.parent) for file in observed[stage]["files"]}
    rooms = {path.parent.as_posix() for path in imported if len(path.parts) > len(("stages", "file"))}
    files = {path.as_posix() for path in imported if len(path.parts) == len(("stages", "file"))}
    assert files == {"stages/__init__.py", f"stages/{stage}.py"}
    assert code_of(stage) == rooms | {f"stages/{stage}.py"}
    assert observed[stage]["tools"] == []


def test_an_edit_of_a_source_never_trains_and_an_edit_of_the_network_never_fetches() -> None:
    assert "stages/sources" not in code_of("train") | code_of("evaluate")
    assert "stages/network" not in code_of("fetch") | code_of("preprocess")


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_exactly_the_parameters_it_can_read(stage: str) -> None:
    names = {name for name in declared(stage)["params"] if isinstance(name, str)}
    shared = {"preprocess": {"checks"}, "evaluate": {"evaluation"}}.get(stage, set())
    assert names == {f"datasets.${{key}}.{name}" for name in SCHEMAS[stage].model_fields} | shared


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
    code = [*ROOT.glob("stages/**/*.py"), *ROOT.glob("tools/**/*.py")]
    for file in [*code, ROOT / "dvc.yaml"]:
        text = file.read_text(encoding="utf-8").partition("\nartifacts:")[0]  # which DVC does not loop over
        without_links = re.sub(r"https?://\S+", "", text)
        words = set(re.findall(r"\w+", without_links))
        assert not words & set(names), f"{file} names a data set"


# Packages that read, check, fetch or show, and leave no trace in a result.
WITHOUT_A_TRACE = {
    "aiohttp",
    "fsspec",
    "joblib",
    "psutil",
    "pydantic",
    "ruamel.yaml",
    "tenacity",
    "tqdm",
    "zc.lockfile",
}
NAMED_OTHERWISE = {"PIL": "pillow", "sklearn": "scikit-learn", "ruamel": "ruamel.yaml", "zc": "zc.lockfile"}


def packages_of(files: list[str]) -> set[str]:
    """The distributions that files import."""
    modules = set()
    for file in files:
        for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                modules.add((node.module or "").partition(".")[0])
    others = modules - sys.stdlib_module_names - {"stages"}
    return {NAMED_OTHERWISE.get(module, module) for module in others}


@pytest.mark.parametrize("stage", STAGES[1:])  # the files of fetch have the hashes in params.yaml
def test_a_stage_depends_on_the_versions_of_exactly_the_packages_it_computes_with(
    observed: dict[str, dict[str, list[str]]], stage: str
) -> None:
    (named,) = [entry["versions.yaml"] for entry in declared(stage)["params"] if isinstance(entry, dict)]
    unseen = {"h5py"} if stage == "train" else set()  # Keras imports it where it saves
    assert set(named) - unseen == packages_of(observed[stage]["files"]) - WITHOUT_A_TRACE
    assert named == list(STAGE_PACKAGES[stage])  # which are compared with the installed ones


@pytest.mark.parametrize("stage", STAGES[1:])
def test_a_declared_version_that_is_not_installed_stops_the_stage(project: Project, stage: str) -> None:
    path = project.folder / "versions.yaml"
    package = STAGE_PACKAGES[stage][-1]
    path.write_text(re.sub(rf"^{package}: .*$", f"{package}: '9.9.9'", path.read_text(), flags=re.MULTILINE))
    version = packages.installed_version(package)
    message = f"error: versions.yaml: {package}: expected 9.9.9, found {version} installed; run make install"
    assert project.here("stages", stage, TWIN, expect=2).stderr.startswith(message)


def test_a_change_that_only_tools_read_leaves_dvc_status_clean(project: Project) -> None:
    def change(tools: dict) -> None:
        tools["review"]["tolerance"]["accuracy"] = 0.5
        tools["search"]["space"]["network.dropout"] = {"low": 0.1, "high": 0.2}
        tools["datasets"]["digits"]["about"]["title"] = "Other digits"

    project.edit_tools(change)
    schema = project.folder / "tools/common/settings.py"
    text = schema.read_text()
    schema.write_text(text.replace("    title: str |", "    subtitle: str | None = None\n    title: str |"))
    assert "up to date" in project.run("dvc", "status").stdout


def test_importing_a_stage_sets_none_of_our_variables_and_needs_no_tensorflow() -> None:
    code = (
        "import os, sys, gc; threshold = gc.get_threshold()\n"
        "import stages.fetch, stages.preprocess, stages.parameters\n"
        "from stages.scoring import scores, gallery\n"
        "from stages.common.runtime import PORTABLE_VARIABLES, REMOVED_VARIABLES, VARIABLES\n"
        "assert gc.get_threshold() == threshold\n"
        "names = [*VARIABLES, *PORTABLE_VARIABLES, *REMOVED_VARIABLES]\n"
        "assert [os.environ.get(name) for name in names] == ['mine'] * len(names)\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    names = (*runtime.VARIABLES, *runtime.PORTABLE_VARIABLES, *runtime.REMOVED_VARIABLES)
    Project(ROOT).run("python", "-c", code, **dict.fromkeys(names, "mine"))


@pytest.mark.slow
def test_nothing_is_imported_for_what_a_stage_does_not_do() -> None:
    for module, unwanted in (
        ("stages.common.backend", {"sklearn", "scipy.stats", "matplotlib"}),  # of Keras's wrappers and plots
        ("stages.fetch", {"sklearn", "pandas", "PIL", "tensorflow"}),  # of other kinds of sources
    ):
        code = f"import sys, {module}; print(*({unwanted} & sys.modules.keys()))"
        assert Project(ROOT).run("python", "-c", code).stdout == "\n"
    # They are at hand for whoever wants them.
    Project(ROOT).run("python", "-c", "import stages.common.backend, sklearn, matplotlib")


@pytest.mark.slow
def test_tensorflow_that_was_imported_before_is_an_error_of_one_line() -> None:
    done = Project(ROOT).run("python", "-c", "import tensorflow; import stages.train", expect=1)
    assert done.stderr.splitlines()[-1].startswith(
        "ImportError: stages: expected to be imported before tensorflow, since it sets TensorFlow's kernels"
    )


def test_one_module_imports_tensorflow() -> None:
    importers = set()
    for file in [*ROOT.glob("stages/**/*.py"), *ROOT.glob("tools/**/*.py")]:
        names = set()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add((node.module or "").partition(".")[0])
        if names & {"tensorflow", "keras"}:
            importers.add(file.relative_to(ROOT).as_posix())
    # The Keras script is what the benchmarks compare with; profile reads files of TensorFlow's profiler.
    scripts = {f"tools/benchmarks/scripts/{name}.py" for name in ("plain_keras", "timed", "profile")}
    assert importers - scripts == {"stages/common/backend.py"}


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
