"""The model card of a data set, from what the repository holds: python -m tools.predict.card DATASET...

It needs no data and no model. Sections after Mitchell et al., "Model Cards for Model Reporting", 2019.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages import parameters
from stages.common import command, files, layout
from stages.common.errors import UserError
from stages.parameters import Dataset, Parameters
from tools.common import markdown, revision
from tools.review import changes, statistics

FOLDER = Path("cards")
MOST_PAIRS = 5
OF_EVERY_NETWORK = "It names a class for every image, also for one of none."
MOST_CLASSES = 50  # rows that somebody reads


def card(dataset: str, settings: Parameters) -> str:
    """The card as Markdown."""
    section = settings.dataset(dataset)
    about = section.about
    workspace = revision.find(revision.WORKSPACE)
    predictions = workspace.predictions(dataset)
    if predictions is not None and (changed := changes.stale(workspace, dataset)):
        raise UserError(
            f"{dataset}: expected the results of these parameters and this code, found changed since: "
            f"{', '.join(changed)}; run: dvc repro evaluate@{dataset}"
        )
    parts = [
        f"# Model card: {about.title or dataset}",
        f"`{layout.model(dataset)}`, a feed-forward network in Keras's format that takes an image as the "
        f"data set has it and gives the probability of each of {len(section.classes)} classes.",
        f"## Data\n\n{_data(section)}",
        f"## Network and training\n\n{_training(section)}",
        f"## Limits\n\n{_limits(section)}",
    ]
    if predictions is not None:
        parts[4:4] = [
            f"## Results\n\n{_results(predictions, settings.evaluation.calibration_bins)}",
            f"## Classes\n\n{_classes(dataset)}",
            f"## Most frequent confusions\n\n{_confusions(predictions)}",
        ]
    return "\n\n".join(parts) + "\n"


def _table(head: list[str], rows: list[list[Any]]) -> str:
    return markdown.table(head, [[markdown.text(cell) for cell in row] for row in rows])


def _data(section: Dataset) -> str:
    about = section.about
    rows = [[name, f"{file.bytes:,}", file.sha256] for name, file in section.files.by_name().items()]
    return (
        f"From {about.source or 'a source that params.yaml does not name'}. "
        f"Licence: {about.licence or 'not stated in params.yaml'}. "
        f"{section.validation_images:,} of the training images are held out for validation: they chose the "
        "epoch; the test images have only been scored.\n\n" + _table(["file", "bytes", "SHA-256"], rows)
    )


def _training(section: Dataset) -> str:
    training = section.training.model_dump()
    distortions = {f"augmentation.{name}": value for name, value in training.pop("augmentation").items()}
    values = {**section.network.model_dump(), **training, **distortions, "seed": section.seed}
    return _table(["hyperparameter", "value"], [[name, value] for name, value in values.items()])


def _results(predictions: pd.DataFrame, bins: int) -> str:
    rows = [
        [metric, f"{value:.4f}", f"{low:.4f} to {high:.4f}"]
        for metric, (value, low, high) in statistics.intervals(predictions, bins).items()
    ]
    return (
        f"On {len(predictions):,} test images; the interval is over other test images of the same kind, not "
        "over other training seeds.\n\n" + _table(["metric", "value", "95 % interval"], rows)
    )


def _classes(dataset: str) -> str:
    table = pd.read_csv(layout.classes(dataset), dtype={"class": str}, keep_default_na=False, na_values=[""])
    shown = table.nsmallest(MOST_CLASSES, "f1", keep="first").sort_index()
    rows = [[row[0], *map(_score, row[1:])] for row in shown.itertuples(index=False)]
    left = "" if len(table) == len(shown) else f"The {len(shown)} of {len(table)} with the lowest f1.\n\n"
    return left + _table(["class", "precision", "recall", "f1"], rows)


def _score(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.4g}"


def _confusions(predictions: pd.DataFrame) -> str:
    wrong = predictions[predictions["actual"] != predictions["predicted"]]
    counts = wrong.groupby(["actual", "predicted"]).size().sort_values(ascending=False, kind="stable")
    most = counts.head(MOST_PAIRS).reset_index()
    return _table(["actual", "taken for", "images"], most.to_numpy().tolist())


def _limits(section: Dataset) -> str:
    limits = section.about.limits or ["None are stated in params.yaml."]
    return "\n".join(f"- {limit}" for limit in [*limits, OF_EVERY_NETWORK])


def main(datasets: list[str]) -> None:
    """Write the cards."""
    settings = parameters.load()
    for dataset in datasets or list(settings.datasets):
        path = FOLDER / f"{dataset}.md"
        files.write_text(path, card(dataset, settings))
        print(path)


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.predict.card", description=__doc__)
    parser.add_argument("datasets", nargs="*", metavar="DATASET", help="by default all")
    given = parser.parse_args()
    command.finish(lambda: main(given.datasets))
