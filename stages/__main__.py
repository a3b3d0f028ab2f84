"""Run a stage on a data set, as dvc.yaml does: python -m stages STAGE DATASET."""

import importlib
import os

from stages.common import command, parent

STAGES = ("fetch", "preprocess", "train", "evaluate")


def main(stage: str, dataset: str) -> None:
    """Check the parameters and run the stage."""
    # Imported in here, where an interrupt ends the command without a traceback; and the parameters
    # first, so that nobody waits for TensorFlow to hear of a typing error.
    importlib.import_module("stages.parameters").load().dataset(dataset)
    importlib.import_module(f"stages.{stage}").main(dataset)


if __name__ == "__main__":
    if "DVC_STAGE" in os.environ:  # DVC has started this
        parent.end_with_it()
    parser = command.Parser(prog="python -m stages", description=__doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("dataset", help="a key under `datasets:` in params.yaml")
    given = parser.parse_args()
    command.finish(lambda: main(given.stage, given.dataset))
