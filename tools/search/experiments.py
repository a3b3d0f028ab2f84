"""Print the experiments of a data set, the best on the validation images first."""

from stages.common import command, layout
from stages.parameters import load as load_parameters
from tools.common import dvc
from tools.common.dvc import Experiment

METRICS = ("accuracy", "log_loss")
WIDTHS = (24, 60)  # of the columns of texts, in a terminal of 120 characters


def list_changes(experiment: Experiment, baseline: Experiment, dataset: str) -> str:
    """Return the parameters of a data set in which an experiment differs from its baseline."""
    prefix = f"datasets.{dataset}."
    names = {**baseline.parameters, **experiment.parameters}
    changes = [
        f"{name.removeprefix(prefix)}={experiment.parameters.get(name)}"
        for name in names
        if name.startswith(prefix) and experiment.parameters.get(name) != baseline.parameters.get(name)
    ]
    return ", ".join(changes) or "unchanged"


def build_table(experiments: list[Experiment], dataset: str) -> list[str]:
    """Return a line for each experiment that has scored the data set.

    Args:
        experiments: the workspace, the last commit, and experiments that began with it.
        dataset: the key.
    """
    _, commit, *_ = experiments
    path = layout.metrics(dataset).as_posix()
    scored = [
        (experiment, experiment.metrics[path]["validation"])
        for experiment in experiments
        if "validation" in experiment.metrics.get(path, {})
    ]
    scored.sort(key=lambda entry: -entry[1][METRICS[0]])
    rows: list[tuple[str, ...]] = [("experiment", "changed", *METRICS)]
    for experiment, scores in scored:
        values = (f"{scores[metric]:.4f}" for metric in METRICS)
        rows.append((experiment.name, list_changes(experiment, commit, dataset), *values))
    lines = []
    for row in rows:
        texts = [f"{text:{width}.{width}}" for text, width in zip(row, WIDTHS, strict=False)]
        lines.append("  ".join([*texts, *(f"{text:>10}" for text in row[len(WIDTHS) :])]))
    return lines


def main(dataset: str) -> None:
    """Print the table."""
    load_parameters().dataset(dataset)
    print(f"{dataset}, on the validation images:")
    for line in build_table(dvc.read_experiments(), dataset):
        print(line.rstrip())


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.search.experiments", description=__doc__)
    parser.add_argument("dataset", help="a key under `datasets:` in params.yaml")
    arguments = parser.parse_args()
    command.finish(lambda: main(arguments.dataset))
