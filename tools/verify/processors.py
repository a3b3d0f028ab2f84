"""Whether the stages of a data set give the same bits on other processors, emulated by qemu-user.

Nobody owns every processor. `qemu-x86_64 -cpu MODEL` runs a program with that model's instructions and cache
sizes, some thirty times slower. It has no AVX-512, and computes exactly what real processors approximate,
each in its own way (1 / x and 1 / sqrt(x)): what depends on that shows as a difference from this machine. The
stages run once on the processor of this machine and once on each emulated one, and every file that they write
is compared.

    python -m tools.verify.processors DATASET                   # all four stages, all epochs
    python -m tools.verify.processors DATASET --images 1024     # train and evaluate, on so many images

Exit code: 0 if all files are the same; 1 if not; 2 if it could not be told.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ruamel.yaml import YAML

from stages import parameters
from stages.__main__ import STAGES
from stages.common import command, environment, layout
from stages.common.errors import UserError
from stages.splits import arrays
from stages.splits.arrays import Split

EMULATOR = "qemu-x86_64"
# `legacy-cache` gives an L1 cache of 64 KB in place of 32: Eigen cuts products by its size.
MODELS = ("Haswell", "Skylake-Server", "EPYC", "EPYC,legacy-cache=on")
EPOCHS = 2  # on some of the images
# qemu 7.2 gets an AVX2 instruction wrong by which NumPy sorts 64-bit numbers: NumPy does without AVX2 there.
EMULATED = {"NPY_DISABLE_CPU_FEATURES": "X86_V3", "PYTHONWARNINGS": "ignore"}


def main(dataset: str, models: Sequence[str], images: int | None) -> int:
    """Compare the files of a data set between this processor and emulated ones; return the exit code.

    Args:
        dataset: its key.
        models: as `qemu-x86_64 -cpu help` lists them.
        images: how many of each processed split to train on and to score; None for the whole pipeline.
    """
    parameters.load().dataset(dataset)
    emulators = {model: emulator(model) for model in models}
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch, "project")
        prepare(dataset, images, project)
        stages = STAGES if images is None else STAGES[2:]
        expected = run(dataset, stages, (), project)
        if not expected:  # of which no other processor could differ
            raise UserError(f"{dataset}: expected files that the stages write, found none")
        print(f"here: {environment.cpu()}: {len(expected)} files", flush=True)
        same = True
        for model, start in emulators.items():
            found = run(dataset, stages, start, project)
            other = sorted(path for path in expected if found.get(path) != expected[path])
            print(f"{model}: {'other bits in ' + ', '.join(other) if other else 'the same bits'}", flush=True)
            same &= not other
    return 0 if same else 1


def emulator(model: str) -> tuple[str, ...]:
    """What to put before a command, so that it runs on a model of processor."""
    if shutil.which(EMULATOR) is None:
        raise UserError(f"{EMULATOR}: expected the program, found none; install qemu-user (Debian, Ubuntu)")
    return (EMULATOR, "-cpu", model)


def prepare(dataset: str, images: int | None, project: Path) -> None:
    """Copy the code and the parameters, and the first images of each split if there shall be fewer."""
    project.mkdir()
    shutil.copytree("stages", project / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(parameters.FILE, project)
    if images is None:
        return
    for name in ("train", "validation", "test"):
        folder = layout.processed(dataset, name)
        split = arrays.read(folder)
        arrays.write(project / folder, Split(split.images[:images], split.labels[:images]))
    yaml = YAML()
    content = yaml.load(parameters.FILE)
    content["datasets"][dataset]["training"].update(epochs=EPOCHS, warmup_epochs=1)
    yaml.dump(content, project / parameters.FILE)


def run(dataset: str, stages: Sequence[str], emulated: Sequence[str], project: Path) -> dict[str, str]:
    """Run stages in a copy of the project, and return the hash of each file that they write, by its path."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "project")
        shutil.copytree(project, folder)
        given = set(folder.rglob("*"))
        _run_all(dataset, stages, emulated, folder)
        environments = folder / layout.environment(dataset).parent  # which name the processor
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(set(folder.rglob("*")) - given)
            if path.is_file() and environments not in path.parents and path.suffix != ".pyc"
        }


def _run_all(dataset: str, stages: Sequence[str], emulated: Sequence[str], folder: Path) -> None:
    for stage in stages:
        done = subprocess.run(
            [*emulated, sys.executable, "-m", "stages", stage, dataset],
            cwd=folder,
            env={**os.environ, **(EMULATED if emulated else {})},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            last = (done.stderr.strip() or "nothing").splitlines()[-1]
            raise UserError(f"{' '.join(emulated)} stages {stage}: exit code {done.returncode}: {last}")


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.verify.processors", description=__doc__)
    parser.add_argument("dataset", help="a key under `datasets:` in params.yaml")
    parser.add_argument(
        "--images", type=command.whole_number(1), help="only so many of each split, and two epochs"
    )
    parser.add_argument(
        "--cpu", action="append", metavar="MODEL", help="a model of qemu's, one or more times"
    )
    given = parser.parse_args()
    command.finish(lambda: main(given.dataset, given.cpu or MODELS, given.images))
