"""Run a stage on a data set, as dvc.yaml does: python -m stages STAGE DATASET."""

import importlib
import logging
import os

FIRST_PARENT = os.getppid()  # before longer imports: whoever ends meanwhile leaves this process to another

from stages.common import packages  # noqa: E402

if __name__ == "__main__":
    packages.explain_missing_packages()

from stages.common import command, interrupts, layout, parent, restore, runtime  # noqa: E402

# The packages that each stage computes with. dvc.yaml names them, too, so that another version runs the stage
# again. fetch needs none, since its files have the hashes in params.yaml.
STAGE_PACKAGES = {
    "fetch": (),
    "preprocess": ("matplotlib", "numpy", "pandas", "pillow", "scikit-learn"),
    "train": (
        "h5py",
        "keras",
        "numpy",
        "pandas",
        "scipy",
        "tensorflow",
    ),  # Keras writes the weights with h5py
    "evaluate": ("keras", "matplotlib", "numpy", "pandas", "pillow", "scikit-learn", "scipy", "tensorflow"),
}
STAGES = tuple(STAGE_PACKAGES)
IS_RUN_BY_DVC = "DVC_STAGE" in os.environ

# Of a home directory that cannot be written to; Matplotlib's cache is then a temporary folder, which will do.
logging.getLogger("matplotlib").setLevel(logging.ERROR)


def main(stage: str, name: str) -> None:
    """Check all parameters and the versions of packages, and run the stage.

    Nothing here decides what a stage writes; a check can only stop it.
    """
    # Imported in here, where an interrupt ends the command without a traceback. The checks come first, so
    # that nobody waits for TensorFlow to hear of a typing error.
    try:
        with interrupts.answer_soon():
            dataset = importlib.import_module("stages.parameters").load().dataset(name)
            if stage == "train":  # a network has the same scores wherever it was trained and is scored
                runtime.choose(dataset.computation)
            packages.check_versions(STAGE_PACKAGES[stage])
            importlib.import_module(f"stages.{stage}").main(name)
    except Exception:
        if stage == "train" and IS_RUN_BY_DVC:  # the outputs of the other stages persist
            restore.restore(
                [layout.model(name), layout.checksum(name), layout.architecture(name)], [layout.history(name)]
            )
        raise


if __name__ == "__main__":
    if IS_RUN_BY_DVC:
        parent.exit_when_dvc_exits(FIRST_PARENT)
    parser = command.Parser(prog="python -m stages", description=__doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("dataset", help="a key under `datasets:` in params.yaml")
    arguments = parser.parse_args()
    command.finish(lambda: main(arguments.stage, arguments.dataset))
