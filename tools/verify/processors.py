"""Compare the files of a data set between this processor and emulated ones, to the bit.

`qemu-x86_64 -cpu MODEL` runs a program with the instructions and cache sizes of a processor, some thirty
times slower. It has no AVX-512. Real processors approximate 1 / x and 1 / sqrt(x), each in its own way, and
qemu computes both exactly: so results that depend on them differ from this machine's. The stages run once on
this processor and once on each emulated one, by portable computation: native bits stay on a machine.

    python -m tools.verify.processors DATASET                   # all four stages, all epochs
    python -m tools.verify.processors DATASET --images 1024     # train and evaluate, on so many images
    python -m tools.verify.processors DATASET --images 1024 --configuration NAME     # of tools.yaml

Exit code: 0 if all files are the same; 1 if not; 2 if the comparison could not be made.
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
from stages.common import command, layout, packages
from stages.common.errors import UserError
from stages.common.processor import describe_processor
from stages.splits import arrays
from stages.splits.arrays import Split
from tools.common import settings
from tools.common.variations import Values

EMULATOR = "qemu-x86_64"
# `legacy-cache` gives an L1 cache of 64 KB in place of 32: Eigen cuts products by its size.
MODELS = ("Haswell", "Skylake-Server", "EPYC", "EPYC,legacy-cache=on")
EPOCHS = 2  # on some of the images
# qemu 7.2 gets an AVX2 instruction wrong by which NumPy sorts 64-bit numbers: NumPy does without AVX2 there.
EMULATED = {"NPY_DISABLE_CPU_FEATURES": "X86_V3", "PYTHONWARNINGS": "ignore"}


def main(dataset: str, models: Sequence[str], images: int | None, configuration: str | None = None) -> int:
    """Compare the files of a data set between this processor and emulated ones; return the exit code.

    Args:
        dataset: its key.
        models: as `qemu-x86_64 -cpu help` lists them.
        images: how many of each processed split to train on and to score; None for the whole pipeline.
        configuration: of the data set in tools.yaml; None for what params.yaml has.
    """
    parameters.load().dataset(dataset)
    values = settings.find_configuration(dataset, configuration) if configuration else {}
    emulators = {model: emulator(model) for model in models}
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch, "project")
        prepare(dataset, images, project, values)
        stages = STAGES if images is None else STAGES[2:]
        expected = run_stages(dataset, stages, (), project)
        if not expected:  # with no files, no processor could differ
            raise UserError(f"{dataset}: expected files that the stages write, found none")
        print(f"here: {describe_processor()}: {len(expected)} files", flush=True)
        same = True
        for model, start in emulators.items():
            files = run_stages(dataset, stages, start, project)
            differing = sorted(path for path in expected if files.get(path) != expected[path])
            print(
                f"{model}: {'other bits in ' + ', '.join(differing) if differing else 'the same bits'}",
                flush=True,
            )
            same &= not differing
    return 0 if same else 1


def emulator(model: str) -> tuple[str, ...]:
    """Return the words before a command that make it run on a model of processor."""
    if shutil.which(EMULATOR) is None:
        raise UserError(f"{EMULATOR}: expected the program, found none; install qemu-user (Debian, Ubuntu)")
    return (EMULATOR, "-cpu", model)


def prepare(dataset: str, images: int | None, project: Path, values: Values) -> None:
    """Copy the code, the parameters with some values, and the first images of each split, if so many.

    The copy computes portably, whatever the parameters say.
    """
    project.mkdir()
    shutil.copytree("stages", project / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(packages.FILE, project)
    yaml = YAML()
    content = yaml.load(parameters.FILE)
    for name, value in values.items():
        *path, key = name.split(".")
        section = content["datasets"][dataset]
        for part in path:
            section = section.setdefault(part, {})  # whose defaults params.yaml may leave out
        section[key] = value
    content["datasets"][dataset]["computation"] = "portable"
    if images is not None:
        content["datasets"][dataset]["training"].update(epochs=EPOCHS, warmup_epochs=1)
    yaml.dump(content, project / parameters.FILE)
    if images is None:
        return
    for name in layout.SPLITS:
        folder = layout.processed(dataset, name)
        split = arrays.read(folder)
        arrays.write(project / folder, Split(split.images[:images], split.labels[:images]))


def run_stages(dataset: str, stages: Sequence[str], emulated: Sequence[str], project: Path) -> dict[str, str]:
    """Run stages in a copy of the project, and return the hash of each file that they write, by its path."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "project")
        shutil.copytree(project, folder)
        copied = set(folder.rglob("*"))
        _run_all(dataset, stages, emulated, folder)
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(set(folder.rglob("*")) - copied)
            if path.is_file() and path.suffix != ".pyc"
        }


def _run_all(dataset: str, stages: Sequence[str], emulated: Sequence[str], folder: Path) -> None:
    for stage in stages:
        completed = subprocess.run(
            [*emulated, sys.executable, "-m", "stages", stage, dataset],
            cwd=folder,
            env={**os.environ, **(EMULATED if emulated else {})},
            capture_output=True,
            text=True,
            check=False,
        )
        if completed.returncode != 0:
            last = (completed.stderr.strip() or "nothing").splitlines()[-1]
            raise UserError(f"{' '.join(emulated)} stages {stage}: exit code {completed.returncode}: {last}")


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.verify.processors", description=__doc__)
    parser.add_argument("dataset", help="a key under `datasets:` in params.yaml")
    parser.add_argument(
        "--images", type=command.number_from(1), help="only so many of each split, and two epochs"
    )
    parser.add_argument(
        "--cpu", action="append", metavar="MODEL", help="a model of qemu's, one or more times"
    )
    parser.add_argument("--configuration", help="a key of the data set's `configurations` in tools.yaml")
    arguments = parser.parse_args()
    command.finish(
        lambda: main(arguments.dataset, arguments.cpu or MODELS, arguments.images, arguments.configuration)
    )
