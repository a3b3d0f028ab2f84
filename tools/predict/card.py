"""Write the model card of data sets from files that git keeps: python -m tools.predict.card DATASET...

The sections follow Mitchell et al., "Model Cards for Model Reporting", 2019. No data or model is read.
"""

import json
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.checks import findings
from stages.common import command, files, layout
from stages.common.errors import UserError
from stages.parameters import Dataset, Parameters
from stages.parameters import load as load_parameters
from tools.common import markdown, revision
from tools.common.revision import Result
from tools.common.settings import FILE as SETTINGS_FILE
from tools.common.settings import About, Settings
from tools.common.settings import load as load_settings
from tools.review import inputs, statistics

FOLDER = Path("cards")
MEASURES = ("precision", "recall", "f1")
MOST_CONFUSIONS = 5
MOST_CLASS_ROWS = 50  # of the table of classes; nobody reads more
LIMIT_OF_EVERY_NETWORK = (
    "The network names a class for every image, even if the image shows none of the classes."
)


def build_card(name: str, parameters: Parameters, settings: Settings) -> str:
    """Return the model card of a data set as Markdown.

    Args:
        name: the key of the data set.
        parameters: the content of params.yaml.
        settings: the content of tools.yaml.

    Raises:
        UserError: if there are results, and parameters or code have changed since.
    """
    dataset, about = parameters.dataset(name), settings.dataset(name).about
    workspace = revision.find_revision(revision.WORKSPACE)
    result = workspace.result(name, "test")
    if result is not None and (stale := inputs.find_stale(workspace, name)):
        raise UserError(
            f"{name}: expected the results of these parameters and this code, found changed since: "
            f"{', '.join(stale)}; run: dvc repro evaluate@{name}"
        )
    parts = [
        f"# Model card: {about.title or name}",
        f"`{layout.model(name)}`, a feed-forward network in Keras's format. It takes an image as the data "
        f"set has it, and gives the probability of each of {len(dataset.classes)} classes.",
        f"## Data\n\n{_describe_data(dataset, about)}",
        f"## Network and training\n\n{_describe_training(dataset)}",
    ]
    if result is not None:
        parts += [
            f"## Results\n\n{_describe_results(result)}",
            f"## Classes\n\n{_describe_classes(name)}",
            f"## Most frequent confusions\n\n{_describe_confusions(result.predictions)}",
        ]
    found = _list_findings(name) if result is not None else []  # whose files have been compared with dvc.lock
    parts.append(f"## Limits\n\n{_describe_limits(about, found)}")
    return "\n\n".join(parts) + "\n"


def _table(head: list[str], rows: list[list[Any]]) -> str:
    return markdown.table(head, [[markdown.escape(cell) for cell in row] for row in rows])


def _describe_data(dataset: Dataset, about: About) -> str:
    rows = [[name, f"{file.bytes:,}", file.sha256] for name, file in dataset.files.items_by_file().items()]
    return (
        f"Source: {about.source or f'not stated in {SETTINGS_FILE}'}. "
        f"Licence: {about.licence or f'not stated in {SETTINGS_FILE}'}. "
        f"{dataset.validation_images:,} of the training images are held out for validation: they choose "
        "hyperparameters. The stage evaluate alone reads the test split.\n\n"
        + _table(["file", "bytes", "SHA-256"], rows)
    )


def _describe_training(dataset: Dataset) -> str:
    training = dataset.training.model_dump(exclude_none=True)
    augmentation = {f"augmentation.{key}": value for key, value in training.pop("augmentation").items()}
    values = {**dataset.network.model_dump(), **training, **augmentation, "seed": dataset.seed}
    return _table(["hyperparameter", "value"], [[key, value] for key, value in values.items()])


def _describe_results(result: Result) -> str:
    intervals = statistics.estimate_intervals(result.predictions)
    rows = []
    for metric, value in result.metrics.items():
        _, low, high = intervals.get(metric, (value, None, None))
        rows.append([metric, f"{value:.4f}", "" if low is None else f"{low:.4f} to {high:.4f}"])
    return (
        f"On {len(result.predictions):,} test images. The intervals are over other test images of the same "
        "kind, not over other training seeds. The calibration error has none: on few images, it is too large "
        "by an amount that depends on the network.\n\n" + _table(["metric", "value", "95 % interval"], rows)
    )


def _describe_classes(name: str) -> str:
    table = pd.read_csv(layout.classes(name), dtype={"class": str}, keep_default_na=False, na_values=[""])
    worst = table.nsmallest(MOST_CLASS_ROWS, "f1", keep="first").sort_index()
    rows = [
        [row["class"], *(_format_score(row, measure) for measure in MEASURES)]
        for row in worst.to_dict("records")
    ]
    note = "" if len(worst) == len(table) else f" The {len(worst)} of {len(table)} with the lowest f1."
    return f"Each score with its 95 % interval.{note}\n\n" + _table(["class", *MEASURES], rows)


def _format_score(row: Mapping[Hashable, float], measure: str) -> str:
    """Return a score of a class, with its interval if it has one."""
    score, low, high = row[measure], row[f"{measure}_low"], row[f"{measure}_high"]
    if np.isnan(score):
        return "-"
    return f"{score:.4g}" if np.isnan(low) else f"{score:.4g}, {low:.4g} to {high:.4g}"


def _describe_confusions(predictions: pd.DataFrame) -> str:
    wrong = predictions[predictions["actual"] != predictions["predicted"]]
    counts = wrong.groupby(["actual", "predicted"]).size().sort_values(ascending=False, kind="stable")
    most_frequent = counts.head(MOST_CONFUSIONS).reset_index()
    if wrong.empty:
        return "No image is taken for another class."
    return _table(["actual", "taken for", "images"], most_frequent.to_numpy().tolist())


def _describe_limits(about: About, found: Sequence[str]) -> str:
    limits = [*(about.limits or [f"None are stated in {SETTINGS_FILE}."]), *found]
    return "\n".join(f"- {limit}" for limit in [*limits, LIMIT_OF_EVERY_NETWORK])


def _list_findings(name: str) -> list[str]:
    """Return what preprocess has found wrong with the images and labels, such as leaks between splits."""
    path = layout.findings(name)
    if not path.exists():
        return []
    content = json.loads(path.read_text(encoding="utf-8"))
    return [
        f"Found before training: {markdown.escape(found.text)}." for found in findings.list_findings(content)
    ]


def main(names: list[str]) -> None:
    """Write the model cards of data sets, of all if none is named, and print their paths."""
    parameters = load_parameters()
    settings = load_settings(parameters)
    for name in names or list(parameters.datasets):
        path = FOLDER / f"{name}.md"
        files.write_text(path, build_card(name, parameters, settings))
        print(path)


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.predict.card", description=__doc__)
    parser.add_argument("datasets", nargs="*", metavar="DATASET", help="by default all")
    arguments = parser.parse_args()
    command.finish(lambda: main(arguments.datasets))
