"""The trainings of a study on a Dask cluster: each is recorded as soon as it ends."""

import hashlib
from collections.abc import Callable, Sequence

from distributed import as_completed
from tqdm import tqdm

from stages.common.errors import UserError
from tools.common import cluster
from tools.study.plan import PROGRAM, Run
from tools.study.records import Outcome

# By name, since this process need not import TensorFlow.
FUNCTION = ("tools.study.runs", "perform_run")


def perform_runs(runs: Sequence[Run], total: int, keep: Callable[[str, Outcome], None]) -> list[str]:
    """Perform the runs of a data set, and keep the outcome of each.

    The cluster is that at the address in the variable `tools.common.cluster.VARIABLE`, or a new one on this
    machine. A run whose worker is lost is performed again by another.

    Args:
        runs: those that are missing.
        total: the number of all runs of the plan, for the progress bar.
        keep: writes an outcome, and is called with the name of the data set.

    Returns:
        The errors of runs that failed; the others are performed nevertheless.

    Raises:
        UserError: if there is no cluster.
    """
    errors: dict[str, None] = {}  # in order, and each once, as when a worker has other code
    with tqdm(initial=total - len(runs), total=total, unit="training") as progress:
        # A process computes in one way for good, so that each way needs workers of its own.
        for computation in dict.fromkeys(run.dataset.computation for run in runs):
            with cluster.connect() as client:
                futures = {
                    cluster.submit(
                        client, (computation, *FUNCTION, run, PROGRAM), key=_name_task(run), priority=-number
                    ): run
                    for number, run in enumerate(runs)
                    if run.dataset.computation == computation
                }
                for future in as_completed(futures):
                    run = futures.pop(future)
                    progress.set_description(str(run))
                    try:
                        keep(run.name, cluster.take_result(future, str(run)))
                    except UserError as error:
                        errors[str(error)] = None
                    progress.update()
    return list(errors)


def _name_task(run: Run) -> str:
    key = hashlib.sha256(f"{run.key} {PROGRAM}".encode()).hexdigest()
    return f"{run}, {key:.16}"
