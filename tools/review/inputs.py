"""Differences between the inputs of two revisions, parameters, code and data, and results out of date."""

from pathlib import Path
from typing import Any

from stages.common import layout, params_file
from tools.common import dvc, dvc_hashes, dvc_lock, dvc_pipeline
from tools.common.revision import WORKSPACE, Revision

PIPELINE = (dvc_pipeline.FILE, Path("requirements.lock"))
KEPT_BY_DVC = ("data/", "models/")  # and not by git


def find_changed_parameters(base: Revision, later: Revision) -> dict[str, tuple[Any, Any]]:
    """Return the old and the new value of each parameter that differs, None for a missing value.

    The keys are dotted names; outside of params.yaml, the name of the file stands in front.
    """
    difference = dvc.diff_parameters(base.commit or WORKSPACE, later.commit or WORKSPACE)
    return {
        _name_parameter(file, name): (values.get("old"), values.get("new"))
        for file, parameters_of_file in sorted(difference.items())
        for name, values in sorted(parameters_of_file.items())
    }


def find_changed_pipeline(base: Revision, later: Revision) -> list[str]:
    """Return which of dvc.yaml and requirements.lock differ."""
    return [str(path) for path in PIPELINE if base.read(path) != later.read(path)]


def find_changed_code(base: Revision, later: Revision, dataset: str) -> list[str]:
    """Return the files of code that differ and that a stage of the data set depends on at either revision.

    Code is every dependency that no stage makes. In place of a folder stand the files in the folder.
    """
    dependencies: set[str] = set()
    for revision in (base, later):
        stages = revision.stages(dataset)
        dependencies |= dvc_lock.collect_inputs(stages).keys() - dvc_lock.collect_outputs(stages).keys()
    folders = tuple(f"{path}/" for path in dependencies)
    files = dependencies | {path for path in base.files() | later.files() if path.startswith(folders)}
    return sorted(path for path in files if _read_text(base, path) != _read_text(later, path))


def find_changed_data(base: Revision, later: Revision, dataset: str) -> list[str]:
    """Return the raw files and the splits that differ, according to dvc.lock."""
    before, after = (dvc_lock.collect_outputs(revision.stages(dataset)) for revision in (base, later))
    return sorted(
        path
        for path in before.keys() | after.keys()
        if path.startswith("data/") and before.get(path) != after.get(path)
    )


def find_split(revision: Revision, dataset: str, split: str) -> str | None:
    """Return the hash of the arrays of a split, according to dvc.lock; None if dvc.lock has no hash."""
    outputs = dvc_lock.collect_outputs(revision.stages(dataset))
    return outputs.get(layout.processed(dataset, split).as_posix())


def find_unlocked(revision: Revision, dataset: str) -> list[str]:
    """Return the stages of a data set that dvc.yaml has and dvc.lock lacks, as after a merge."""
    defined = dvc_pipeline.read_definitions(revision.section(dvc_pipeline.FILE, "stages"), dataset)
    locked = revision.stages(dataset)
    return [name for name in defined if name not in locked]


def find_unexplained(base: Revision, later: Revision, dataset: str) -> list[str]:
    """Return the outputs that differ although their stage had the same inputs and parameters.

    A processor of another architecture explains other outputs; train records the architecture.
    """
    before, after = base.stages(dataset), later.stages(dataset)
    architecture = layout.architecture(dataset).as_posix()
    unexplained = []
    for name, stage in after.items():
        earlier = before.get(name)
        if earlier is None or (earlier.inputs, earlier.parameters) != (stage.inputs, stage.parameters):
            continue
        differing = {
            path
            for path in earlier.outputs.keys() | stage.outputs.keys()
            if earlier.outputs.get(path) != stage.outputs.get(path)
        }
        if architecture not in differing:
            unexplained += sorted(differing)
    return unexplained


def find_stale(revision: Revision, dataset: str) -> list[str]:
    """Return the files, folders and parameters that differ from the record of the results in dvc.lock.

    Results are out of date if a person changes a parameter, the code, dvc.yaml or a result and commits
    without running `dvc repro`, or runs one stage without the next. Files and folders that git does not
    keep, such as data and models, are compared by what the stages that wrote and read them recorded.
    """
    stages = revision.stages(dataset)
    outputs, files, stale = dvc_lock.collect_outputs(stages), revision.files(), set()
    stale |= {
        path
        for stage in stages.values()
        for path, expected in stage.inputs.items()
        if outputs.get(path, expected) != expected
    }
    stale |= {f"{dvc_pipeline.FILE}: {name}" for name in _find_redefined(revision, dataset)}
    for path, expected in (dvc_lock.collect_outputs(stages) | dvc_lock.collect_inputs(stages)).items():
        kept_by_git = not path.startswith(KEPT_BY_DVC)
        if expected.endswith(".dir"):
            folder = revision.read_folder(Path(path))
            differs = not dvc_hashes.folder_matches(folder, expected) if folder else kept_by_git
        else:
            content = revision.read(Path(path)) if path in files else None
            differs = kept_by_git if content is None else not dvc_hashes.file_matches(content, expected)
        if differs:
            stale.add(path)
    for stage in stages.values():
        for file, values in stage.parameters.items():
            present = revision.yaml(Path(file))
            stale |= {
                _name_parameter(file, name)
                for name, expected in values.items()
                if _find_value(present, name) != expected
            }
    return sorted(stale)


def _find_redefined(revision: Revision, dataset: str) -> list[str]:
    """Return the stages in dvc.lock that dvc.yaml defines in another way, or not at all."""
    section = revision.section(dvc_pipeline.FILE, "stages")
    defined = dvc_pipeline.read_definitions(section, dataset)
    return [
        name
        for name, stage in revision.stages(dataset).items()
        if (name in defined and not defined[name].fits(stage))
        or (name not in defined and not dvc_pipeline.is_of_another_kind(section, name))
    ]


def _read_text(revision: Revision, path: str) -> bytes | None:
    """Return the content of a file with the line ends of Unix, which git may store in place of the file's."""
    content = revision.read(Path(path))
    return None if content is None else content.replace(b"\r\n", b"\n")


def _find_value(content: Any, name: str) -> Any:
    """Return the value of a parameter by its dotted name, None if there is no such parameter."""
    for key in name.split("."):
        content = content.get(key) if isinstance(content, dict) else None
    return content


def _name_parameter(file: str, name: str) -> str:
    return name if file == str(params_file.FILE) else f"{file}: {name}"
