"""A second run of the pipeline of a commit, in a clone and surroundings of its own."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from tqdm import tqdm

from stages.common import files
from stages.common.errors import UserError
from tools.common import dvc, dvc_lock, dvc_output, git

STAGES_PER_DATASET = 4
NO_NETWORK = ("unshare", "--map-root-user", "--net")


@dataclass(frozen=True)
class Surroundings:
    """Differences between the machines and shells of people, which must not change a result.

    Attributes:
        name: in a word or two.
        processors: the number of processors that may be used; None for all.
        umask: the permissions that new files lack.
        variables: environment variables.
        keras: the content of Keras's configuration file in the home directory.
    """

    name: str
    processors: int | None
    umask: int
    variables: dict[str, str]
    keras: dict[str, str] = field(default_factory=dict)


USUAL = Surroundings("all processors", None, 0o022, {"PYTHONHASHSEED": "random"})
ODD = Surroundings(
    "one processor",
    1,
    0o077,
    {
        "PYTHONHASHSEED": "random",
        "LC_ALL": "C",
        "TZ": "Asia/Kolkata",
        "OMP_NUM_THREADS": "1",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_ENABLE_ONEDNN_OPTS": "1",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
        "KERAS_MAX_EPOCHS": "1",
    },
    {"floatx": "float64", "image_data_format": "channels_first"},
)
# In native computation, the number of processors is that of threads, on which the bits depend.
ODD_NATIVE = replace(
    ODD, name="odd shell", processors=None, variables={**ODD.variables, "TF_ENABLE_ONEDNN_OPTS": "0"}
)


PRINTING = threading.Lock()  # so that the output of two runs is not mixed


def follow(lines: Iterable[str], name: str, stages: int) -> str:
    """Show how far a run of DVC is, and return what it has printed since its last stage began.

    Args:
        lines: the output of DVC, as it comes.
        name: of the run.
        stages: how many stages are to run.
    """
    output: list[str] = []
    with tqdm(total=stages, desc=name, unit="stage", disable=None) as progress:  # on a terminal only
        started = 0
        for line in lines:
            if stage := dvc_output.find_started_stage(line):
                output.clear()
                progress.update(min(started, 1))
                started += 1
                progress.set_postfix_str(stage)
                if progress.disable:
                    with PRINTING:
                        print(f"{name}: {stage}", file=sys.stderr, flush=True)
            output.append(line)
        progress.update(min(started, 1))
    return "".join(output)


@cache
def can_cut_off_network() -> bool:
    """Return whether a program can run without a network here: on Linux, unless a container forbids it."""
    if shutil.which(NO_NETWORK[0]) is None:
        return False
    return subprocess.run([*NO_NETWORK, "true"], capture_output=True, check=False).returncode == 0


def rerun(commit: str, datasets: Sequence[str], raw: Path, surroundings: Surroundings, scratch: Path) -> Path:
    """Clone a commit and run every stage of data sets there, with a progress bar or a line for each stage.

    Of this folder, only the raw files are used, and the first stage checks their hashes.

    Args:
        commit: in the repository of the current folder.
        datasets: their keys.
        raw: the absolute path of a folder with a folder of raw files for each data set.
        surroundings: of the run.
        scratch: a folder for the clone, a home directory, and DVC's files outside of a repository.

    Returns:
        The clone, with a dvc.lock of this run alone.

    Raises:
        UserError: if a stage fails, after its output has been printed.
    """
    own = scratch / surroundings.name.replace(" ", "_")
    folder, home = own / "clone", own / "home"
    files.write_text(home / ".keras/keras.json", json.dumps(surroundings.keras))
    git.clone(commit, folder)
    (folder / dvc_lock.FILE).unlink()  # so that it records this run alone
    program = "import sys; from dvc.cli import main; sys.exit(main(sys.argv[1:]))"
    if surroundings.processors is not None and hasattr(os, "sched_setaffinity"):
        allowed = f"sorted(os.sched_getaffinity(0))[:{surroundings.processors}]"
        program = f"import os; os.sched_setaffinity(0, {allowed}); {program}"
    process = subprocess.Popen(
        [
            *(NO_NETWORK if can_cut_off_network() else ()),
            *(sys.executable, "-c", program, "repro", "--force", "--glob"),
            *(f"*@{dataset}" for dataset in datasets),
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        umask=surroundings.umask,
        env={
            **dvc.variables(),
            "HOME": str(home),
            "DATASETS_MIRROR": str(raw),
            "DVC_SITE_CACHE_DIR": str(own / "dvc"),
            **surroundings.variables,
        },
    )
    with process:
        assert process.stdout is not None  # noqa: S101 - for mypy: it is a pipe
        output = follow(process.stdout, surroundings.name, STAGES_PER_DATASET * len(datasets))
    if process.returncode != 0:
        with PRINTING:
            print(output, end="", file=sys.stderr)
        raise UserError(f"dvc repro with {surroundings.name}: failed, as said above")
    return folder
