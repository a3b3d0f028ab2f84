"""Programs that train the same network: this project, portable or native, and what people would write."""

import importlib.util
import json
import re
from dataclasses import dataclass
from typing import Any

from stages.common import layout
from stages.common.errors import UserError
from stages.parameters import Dataset
from tools.benchmarks.measurement import Measurement, measure_python
from tools.common.variations import training_parameters

PORTABLE, NATIVE = "portable", "native"
KERAS, SKLEARN, PYTORCH = "Keras script", "scikit-learn", "PyTorch loop"
OURS = (PORTABLE, NATIVE)
SCRIPTS = {
    PORTABLE: "project",
    NATIVE: "project",
    KERAS: "plain_keras",
    SKLEARN: "plain_sklearn",
    PYTORCH: "plain_pytorch",
}
# oneDNN prints a line for each of its kernels that runs, with the kind of the kernel.
SHOW_KERNELS = {"ONEDNN_VERBOSE": "1"}
KERNEL = re.compile(r"^onednn_verbose,v1,primitive,exec,cpu,(\w+)", re.MULTILINE)
IMAGES_FOR_KERNELS = 1000


@dataclass(frozen=True)
class Case:
    """A network to train.

    Attributes:
        title: of its row in a table.
        name: the key of the data set.
        dataset: its parameters, with the hyperparameters of the network.
        images: the number of training images, the first ones; None for all.
    """

    title: str
    name: str
    dataset: Dataset
    images: int | None = None

    def programs(self) -> list[str]:
        """Return the installed programs that can train the network."""
        programs = [name for name in SCRIPTS if name != PYTORCH or importlib.util.find_spec("torch")]
        return [name for name in programs if name != SKLEARN or not self.dataset.network.convolutions]

    def train(
        self,
        program: str,
        *,
        epochs: int,
        reach: float | None = None,
        show_kernels: bool = False,
    ) -> tuple[dict[str, Any], Measurement]:
        """Train the network in a process of its own.

        Args:
            program: a key of `SCRIPTS`.
            epochs: the number of epochs.
            reach: a test accuracy to stop at.
            show_kernels: whether oneDNN is to print its kernels, which takes time.

        Returns:
            The output of the program, as `scripts.job.Stopwatch` prints it, and the measurement.
        """
        warmup = min(self.dataset.training.warmup_epochs, epochs - 1)
        schedule = {"epochs": epochs, "warmup_epochs": warmup}
        training = self.dataset.training.model_copy(update=schedule)
        changes = {"computation": program if program in OURS else PORTABLE, "training": training}
        job = {
            "dataset": self.name,
            "folder": str(layout.processed(self.name, "train").parent),
            "images": self.images,
            "parameters": training_parameters(self.dataset.model_copy(update=changes)),
            "reach": reach,
            "classes": len(self.dataset.classes),
        }
        script = f"tools.benchmarks.scripts.{SCRIPTS[program]}"
        measurement = measure_python(
            "-m", script, json.dumps(job), variables=SHOW_KERNELS if show_kernels else None
        )
        return json.loads(measurement.output.splitlines()[-1]), measurement

    def find_kernels(self, program: str) -> set[str]:
        """Return the kinds of oneDNN's kernels that run while a program trains.

        Raises:
            UserError: if this project computes otherwise than it was told to.
        """
        few = Case(self.title, self.name, self.dataset, IMAGES_FOR_KERNELS)
        _, measurement = few.train(program, epochs=1, show_kernels=True)
        kernels = set(KERNEL.findall(measurement.output))
        if (program == PORTABLE and kernels) or (program == NATIVE and not kernels):
            expected = "no" if program == PORTABLE else "some"
            raise UserError(
                f"{self.title}, {program}: expected {expected} kernels of oneDNN, "
                f"found {', '.join(sorted(kernels)) or 'none'}; is a variable set that changes them?"
            )
        return kernels
