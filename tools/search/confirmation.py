"""The confirmation of a search: its best trial against the values of params.yaml, with other seeds.

The best of many trials is a lucky one, too. So both are trained anew, with seeds that no trial had, and
compared as a review compares two revisions, on the validation images.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from distributed import Client, as_completed
from tqdm import tqdm

from stages.common import files
from stages.common.errors import UserError
from stages.parameters import FILE
from tools.common import cluster
from tools.common.variations import Search, Values, training_parameters, vary
from tools.review import statistics
from tools.review.statistics import Difference, Verdict
from tools.search import space, trial
from tools.search.trials import FOLDER, Task

SIDES = (FILE.name, "best trial")


def confirm(task: Task, values: Values, tolerance: Mapping[str, float], client: Client) -> list[Difference]:
    """Train with the values of params.yaml and with others, and compare the metrics.

    Predictions are kept, so that a confirmation that was stopped goes on.

    Args:
        task: the search.
        values: of its best trial.
        tolerance: by metric, how much worse it may get.
        client: of the cluster.

    Returns:
        The differences, over `task.search.seeds` seeds and the validation images.

    Raises:
        UserError: if trainings fail, after the others have ended.
    """
    seeds = range(task.dataset.seed + 1, task.dataset.seed + 1 + task.search.seeds)
    sides = [task.current_values, values]  # as SIDES
    paths = {
        (side, seed): _find_path(task, sides[side], seed) for seed in seeds for side in range(len(sides))
    }
    futures = {}
    for (side, seed), path in paths.items():
        if path.exists():
            continue
        dataset = vary(task.dataset, {**sides[side], "seed": seed}, space.PLACE)
        call = (dataset.computation, trial.__name__, trial.predict_validation.__name__)
        arguments = (task.name, training_parameters(dataset), task.fingerprint)
        title = f"{SIDES[side]}, seed {seed}"
        futures[cluster.submit(client, (*call, *arguments), key=f"{path}, {task.identity()}")] = path, title
    errors: dict[str, None] = {}
    with tqdm(total=len(paths), initial=len(paths) - len(futures), unit="training") as progress:
        for future in as_completed(futures):
            path, title = futures[future]
            try:
                table = cluster.take_result(future, title)
                files.write_text(path, table.to_csv(index=False, lineterminator="\n"))
            except UserError as error:
                errors[str(error)] = None
            progress.update()
    if errors:
        raise UserError("; ".join(errors))
    before, after = (
        [pd.read_csv(paths[side, seed], dtype={"actual": str, "predicted": str}) for seed in seeds]
        for side in range(len(sides))
    )
    return statistics.compare(before, after, tolerance)


def describe(differences: Sequence[Difference], search: Search) -> list[str]:
    """Return the lines of a table of the differences, and of what follows from them.

    Args:
        differences: of each metric, from the values of params.yaml to those of the best trial.
        search: the objective and the number of seeds.
    """
    head = ("metric", *SIDES, "difference", "95 % interval", "verdict")
    rows = [head]
    for difference in differences:
        low, high = difference.interval
        values = (f"{difference.before:.4f}", f"{difference.after:.4f}")
        change = (f"{difference.after - difference.before:+.4f}", f"{low:+.4f} to {high:+.4f}")
        rows.append((difference.metric, *values, *change, str(difference.verdict)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    worse = [difference.metric for difference in differences if difference.is_beyond_tolerance]
    verdicts = {difference.metric: difference.verdict for difference in differences}
    verdict = verdicts.get(search.objective)
    with_seeds = f"with {search.seeds} other seeds each, on the validation images"
    if verdict is None:
        lines.append(f"No interval of {search.objective} is known with so few validation images.")
    elif verdict is Verdict.BETTER and not worse:
        lines.append(f"The best trial is better than {FILE}, {with_seeds}.")
    elif verdict is Verdict.BETTER:
        lines.append(
            f"The best trial has a better {search.objective} than {FILE}, {with_seeds}, but a worse "
            f"{', '.join(worse)}: a review would stop it."
        )
    else:
        lines.append(
            f"The best trial was not shown to be better than {FILE}, {with_seeds}; "
            f"{search.objective}: {verdict}."
        )
    return lines


def _find_path(task: Task, values: Values, seed: int) -> Path:
    """Return the file of the predictions of one training."""
    name = hashlib.sha256(f"{task.identity()} {sorted(values.items())} {seed}".encode()).hexdigest()
    return FOLDER / task.name / f"{name:.12}.csv"
