"""Native computation: other kernels, and the same bytes twice on the same machine."""

import re
from collections.abc import Mapping

import joblib
import pytest
from helpers import TWIN, Project

from stages.common import layout
from stages.common.errors import UserError
from stages.common.processor import describe_caches, describe_processor
from stages.network.schema import TrainParameters
from stages.parameters import load
from stages.splits import arrays
from stages.train import train

MODEL = layout.model(TWIN).as_posix()
TRAINING = ("dvc", "repro", "--force", "--single-item", f"train@{TWIN}")
SHOW_KERNELS = {"ONEDNN_VERBOSE": "1"}  # oneDNN then prints a line for each of its kernels that runs
OF_ONE_DNN = re.compile(r"^onednn_verbose,v1,primitive,exec,cpu,(\w+)", re.MULTILINE)
# Left over in a shell, or in a home directory.
OTHER_SHELL = {
    "TF_ENABLE_ONEDNN_OPTS": "0", "TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL": "0", "OMP_NUM_THREADS": "1",
    "ONEDNN_MAX_CPU_ISA": "SSE41", "ONEDNN_DEFAULT_FPMATH_MODE": "BF16", "CUDA_VISIBLE_DEVICES": "-1",
    "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "PYTHONHASHSEED": "1", "TZ": "Asia/Kolkata",
}  # fmt: skip
CONVOLUTIONS = {
    "network": {"convolutions": [[8], [16]]},
    "training": {"augmentation": {"shift": 1, "rotation": 10, "elastic": 0.5}},
}


def change(project: Project, computation: str, sections: Mapping[str, Mapping[str, object]]) -> None:
    def edit(content: dict) -> None:
        dataset = content["datasets"][TWIN]
        dataset["computation"] = computation
        for section, values in sections.items():
            dataset[section].update(values)

    project.edit_parameters(edit)


def find_kernels(output: str) -> set[str]:
    """Return the kinds of oneDNN's kernels that have run."""
    return set(OF_ONE_DNN.findall(output))


@pytest.mark.slow
@pytest.mark.parametrize("sections", [{}, CONVOLUTIONS], ids=["dense", "convolutional"])
def test_native_computation_gives_the_same_bytes_twice_with_other_kernels(
    project: Project, sections: Mapping[str, Mapping[str, object]]
) -> None:
    change(project, "portable", sections)
    assert find_kernels(project.run(*TRAINING, **SHOW_KERNELS).stdout) == set()
    portable = project.files("models/*")

    change(project, "native", sections)
    assert find_kernels(project.run(*TRAINING, **SHOW_KERNELS).stdout) != set()
    native = project.files("models/*", "plots/history/*")
    assert native[MODEL] != portable[MODEL]
    project.run(*TRAINING, **OTHER_SHELL)
    assert project.files("models/*", "plots/history/*") == native

    said = native[f"models/{TWIN}.architecture"].decode()
    assert said == (
        f"{portable[f'models/{TWIN}.architecture'].decode().strip()}, native, {describe_processor()}, "
        f"{describe_caches()}, "
        f"{joblib.cpu_count()} threads\n"
    )
    assert "native" not in native["models/digits.architecture"].decode()


@pytest.mark.slow
def test_the_number_of_threads_of_native_computation_can_be_chosen(project: Project) -> None:
    change(project, "native", {})
    project.run(*TRAINING, LOKY_MAX_CPU_COUNT="1")
    assert project.files("models/*")[f"models/{TWIN}.architecture"].endswith(b", 1 threads\n")
    done = project.run(*TRAINING, LOKY_MAX_CPU_COUNT="four", expect=None)
    assert "error: LOKY_MAX_CPU_COUNT: expected a number of processors, found 'four'; correct" in done.stderr


def test_tensorflow_computes_in_one_way_in_a_process(
    finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.folder)
    content = load().dataset("digits").model_dump(include=set(TrainParameters.model_fields))
    parameters = TrainParameters(**{**content, "computation": "native"})
    split = arrays.read(layout.processed("digits", "validation"))
    with pytest.raises(
        UserError, match=r"^params\.yaml: computation: expected portable, .* found native; start"
    ):
        train(parameters, split, split, quiet=True)


@pytest.mark.slow
def test_a_native_result_is_scored_portably_and_verified_to_the_bit_on_its_machine(project: Project) -> None:
    """Also where it is not of the last training but of the run cache: the change is made, undone and made."""
    change(project, "native", {})
    done = project.run("dvc", "repro", **SHOW_KERNELS)
    of_training, of_scoring = done.stdout.split(f"Running stage 'evaluate@{TWIN}'")
    assert find_kernels(of_training) != set()
    assert find_kernels(of_scoring) == set()
    assert "up to date" in project.run("dvc", "status").stdout
    project.run("git", "checkout", ".")
    project.run("dvc", "checkout")
    change(project, "native", {})
    assert f"Stage 'train@{TWIN}' is cached" in project.run("dvc", "repro").stdout
    project.commit("Compute natively")
    done = project.run("python", "-m", "tools.verify", TWIN)
    assert "DIFFERENT" not in done.stdout
    assert "odd shell" in done.stdout
    assert done.stdout.endswith("\nVerified.\n")
