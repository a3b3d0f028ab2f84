"""Run the pipeline of a commit once more, in a clone and surroundings of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from stages.common import files
from stages.common.errors import UserError
from tools.common import dvc_lock
from tools.common.programs import git

NO_NETWORK = ("unshare", "--map-root-user", "--net")


@dataclass(frozen=True)
class Surroundings:
    """What differs between people who run the same pipeline, and must not matter.

    Attributes:
        name: in a word or two.
        processors: how many may be used; None for all.
        umask: what new files do not permit.
        variables: of the environment.
        keras: what Keras's configuration file in the home directory says.
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
        "TF_XLA_FLAGS": "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit",
        "KERAS_MAX_EPOCHS": "1",
    },
    {"floatx": "float64", "image_data_format": "channels_first"},
)


@cache
def network_can_be_cut_off() -> bool:
    """Whether this system lets a program run without a network: Linux, unless a container forbids it."""
    if shutil.which(NO_NETWORK[0]) is None:
        return False
    return subprocess.run([*NO_NETWORK, "true"], capture_output=True, check=False).returncode == 0


def rerun(commit: str, datasets: Sequence[str], raw: Path, surroundings: Surroundings, scratch: Path) -> Path:
    """Clone a commit and run every stage of some data sets there; what DVC prints goes to stderr.

    Nothing of this folder is used: neither its cache nor what git does not track, except the raw files,
    whose hashes the first stage checks.

    Args:
        commit: in the repository of the current folder.
        datasets: their keys.
        raw: a folder of raw files, a folder for each data set, absolute.
        surroundings: to run in.
        scratch: where to put the clone, a home directory, and what DVC keeps outside of a repository.

    Returns:
        The clone, with a dvc.lock of what was run.

    Raises:
        UserError: if a stage fails.
    """
    own = scratch / surroundings.name.replace(" ", "_")
    folder, home = own / "clone", own / "home"
    files.write_text(home / ".keras/keras.json", json.dumps(surroundings.keras))
    git("clone", "--quiet", "--shared", "--no-checkout", ".", str(folder))
    git("-C", str(folder), "checkout", "--quiet", "--detach", commit)
    (folder / dvc_lock.FILE).unlink()  # what is in it afterwards has been run
    start = "import sys; from dvc.cli import main; sys.exit(main(sys.argv[1:]))"
    if surroundings.processors is not None and hasattr(os, "sched_setaffinity"):
        allowed = f"sorted(os.sched_getaffinity(0))[:{surroundings.processors}]"
        start = f"import os; os.sched_setaffinity(0, {allowed}); {start}"
    done = subprocess.run(
        [
            *(NO_NETWORK if network_can_be_cut_off() else ()),
            *(sys.executable, "-c", start, "repro", "--force", "--glob"),
            *(f"*@{dataset}" for dataset in datasets),
        ],
        cwd=folder,
        stdout=sys.stderr,
        umask=surroundings.umask,
        check=False,
        env={
            **os.environ,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
            "HOME": str(home),
            "DATASETS_MIRROR": str(raw),
            "DVC_SITE_CACHE_DIR": str(own / "dvc"),
            **surroundings.variables,
        },
    )
    if done.returncode != 0:
        raise UserError(f"dvc repro with {surroundings.name}: failed, as said above")
    return folder
