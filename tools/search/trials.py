"""The trials of a search: drawn in generations, run on a cluster, and kept in a database when they end.

Trial 0 has the values of params.yaml, which the others are to beat.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import optuna
from distributed import Client, Future, as_completed
from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from stages.common.errors import UserError
from stages.common.processor import describe_processor
from stages.common.seeds import derive_seed
from stages.parameters import Dataset
from stages.parameters import load as load_parameters
from tools.common import cluster, settings
from tools.common.variations import Search, Values, training_identity, training_parameters, vary
from tools.review.metrics import METRICS
from tools.search import space, trial
from tools.search.trial import TrialOutcome

FOLDER = Path("searches")
NUMBER = "number"  # of a trial in its search; Optuna numbers trials in the order in which they end
VALUES = "values"  # of a trial; Optuna's own parameters cannot be outside the space, as those of trial 0 may


@dataclass(frozen=True)
class Task:
    """Everything that decides the trials of a search and their outcomes.

    Attributes:
        name: of the data set.
        dataset: the parameters of the data set, some of which the trials change.
        search: the seed, the size of a generation, and the space.
        fingerprint: of code, packages and data.
    """

    name: str
    dataset: Dataset
    search: Search
    fingerprint: str

    @property
    def direction(self) -> str:
        """Return the direction of better values of the objective, as Optuna names it."""
        return "maximize" if METRICS[self.search.objective].larger_is_better else "minimize"

    @property
    def current_values(self) -> Values:
        """Return the values that params.yaml has of the hyperparameters in the space."""
        return space.read_values(self.dataset, self.search.space)

    def identity(self) -> str:
        """Return the name of the search in the database, which another task does not share."""
        search = self.search.model_dump(exclude={"seeds"})  # which are of its confirmation
        machine = [describe_processor()] if self.dataset.computation == "native" else []
        text = json.dumps([training_identity(self.dataset), search, self.fingerprint, *machine])
        return f"{self.name} {hashlib.sha256(text.encode()).hexdigest():.12}"


def find_task(name: str, *, native: bool = False) -> Task:
    """Return the search of a data set as tools.yaml describes it.

    Args:
        name: of the data set.
        native: whether trials compute natively, whatever params.yaml says.

    Raises:
        UserError: if tools.yaml has no space, or a space that the data set does not fit.
    """
    parameters = load_parameters()
    search = settings.load(parameters).search
    if search is None:
        raise UserError(
            f"{settings.FILE}: search: expected a space to search in, found none; see docs/search.md"
        )
    dataset = parameters.dataset(name)
    if native:
        dataset = dataset.model_copy(update={"computation": "native"})
    space.check_space(search.space, dataset)
    return Task(name, dataset, search, trial.compute_fingerprint(name))


@contextmanager
def open_study(task: Task) -> Iterator[optuna.Study]:
    """Yield Optuna's study of a task, with the trials that have ended, in the data set's database."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{FOLDER / task.name}.db")
    try:
        yield optuna.create_study(
            storage=storage, study_name=task.identity(), direction=task.direction, load_if_exists=True
        )
    finally:  # or Python 3.13 warns of connections that nobody closes
        storage.remove_session()
        storage.engine.dispose()


def index_trials(study: optuna.Study) -> dict[int, FrozenTrial]:
    """Return the trials of a study by their numbers in the search."""
    return {trial.user_attrs[NUMBER]: trial for trial in study.get_trials(deepcopy=False)}


def draw_generation(task: Task, earlier_trials: list[FrozenTrial], numbers: range) -> list[Values]:
    """Draw the values of one generation, given the trials of all earlier generations.

    The values depend neither on the number of workers nor on the order in which trials end.
    """
    sampler = optuna.samplers.TPESampler(
        seed=derive_seed(task.search.seed, f"trials from {numbers[0]}"),
        n_startup_trials=task.search.generation,
    )
    study = optuna.create_study(direction=task.direction, sampler=sampler)
    study.add_trials(earlier_trials)
    distributions = space.build_distributions(task.search.space)
    drawn = [space.round_values(study.ask(distributions).params, task.search.space) for _ in numbers]
    generation = [space.decode_values(params, task.search.space) for params in drawn]
    return [task.current_values, *generation[1:]] if numbers[0] == 0 else generation


def run_search(task: Task, count: int, client: Client) -> list[FrozenTrial]:
    """Run the trials of a search that have not ended yet, and return all its trials.

    Args:
        task: the search.
        count: the number of trials in all.
        client: of the cluster that runs the trials.

    Raises:
        UserError: if a trial cannot be run.
    """
    with open_study(task) as study, tqdm(total=count, unit="trial") as progress:
        trials = index_trials(study)
        progress.update(sum(number < count for number in trials))
        for first in range(0, count, task.search.generation):
            numbers = range(first, min(first + task.search.generation, count))
            earlier_trials = [trials[number] for number in range(first)]
            generation = dict(zip(numbers, draw_generation(task, earlier_trials, numbers), strict=True))
            missing = {number: values for number, values in generation.items() if number not in trials}
            for number, outcome in run_trials(task, missing, earlier_trials, client):
                study.add_trial(_build_trial(task, number, generation[number], outcome))
                progress.update()
            trials = index_trials(study)
    return [trials[number] for number in range(count)]


def run_trials(
    task: Task, generation: dict[int, Values], earlier_trials: list[FrozenTrial], client: Client
) -> Iterator[tuple[int, TrialOutcome]]:
    """Run trials on a cluster, and yield the number and the outcome of each trial as soon as it ends.

    Args:
        task: the search.
        generation: the values of each trial, by its number.
        earlier_trials: the trials of earlier generations, to compare with.
        client: of the cluster.

    Raises:
        UserError: if a trial cannot be run.
    """
    # As a future, the earlier trials go to each worker once, not with every trial. If the worker that holds
    # the future is lost, Dask makes the future again.
    earlier: Future[list[FrozenTrial]] = client.submit(
        list, earlier_trials, key=f"{task.identity()}, after {len(earlier_trials)}"
    )
    numbers = {}
    for number, values in generation.items():
        try:
            dataset = vary(task.dataset, values, space.PLACE)
        except UserError as error:  # two values may exclude each other
            yield number, TrialOutcome(error=str(error))
            continue
        function = (dataset.computation, trial.__name__, trial.run_trial.__name__)
        of_search = (task.fingerprint, task.search.objective, task.direction)
        call = (*function, task.name, training_parameters(dataset), *of_search)
        future = cluster.submit(client, call, earlier, key=f"{task.identity()}, {number}")
        numbers[future] = number
    for future in as_completed(numbers):
        number = numbers[future]
        yield number, cluster.take_result(future, f"trial {number}, {generation[number]}")


def _build_trial(task: Task, number: int, values: Values, outcome: TrialOutcome) -> FrozenTrial:
    state = TrialState.PRUNED if outcome.is_pruned else TrialState.COMPLETE
    params = space.encode_values(values, task.search.space)
    return optuna.trial.create_trial(
        state=TrialState.FAIL if outcome.error else state,
        value=outcome.scores[-1] if outcome.scores and not outcome.error else None,
        params=params or {},
        distributions=space.build_distributions(task.search.space) if params else {},
        intermediate_values=dict(enumerate(outcome.scores)),
        user_attrs={NUMBER: number, VALUES: values, "error": outcome.error, "seconds": outcome.seconds},
    )
