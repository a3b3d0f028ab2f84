"""The trials of a search: drawn a generation at a time, run anywhere, kept for good when they end."""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import CancelledError
from dataclasses import asdict, dataclass
from pathlib import Path

import optuna
from distributed import Client, Future, KilledWorker, as_completed
from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from stages import parameters
from stages.common.errors import UserError
from stages.common.seeds import seed_of
from stages.common.variations import Search
from stages.parameters import Dataset
from tools.search import space, trial
from tools.search.trial import Outcome

FOLDER = Path("searches")
NUMBER = "number"  # of a trial in its search; Optuna counts them as they end


@dataclass(frozen=True)
class Task:
    """What is searched: everything that decides which trials there are, and what becomes of them.

    Attributes:
        name: of the data set.
        dataset: its parameters, some of which the trials change.
        search: how.
        fingerprint: of code and data.
    """

    name: str
    dataset: Dataset
    search: Search
    fingerprint: str

    def identity(self) -> str:
        """A name of it in the record, so that trials of another task are not taken for its own."""
        text = json.dumps([self.dataset.of_training(), self.search.model_dump(), self.fingerprint])
        return f"{self.name} {hashlib.sha256(text.encode()).hexdigest():.12}"


def find(name: str) -> Task:
    """The search of a data set that params.yaml describes."""
    content = parameters.load()
    if content.search is None:
        raise UserError(
            f"{parameters.FILE}: search: expected a space to search in, found none; docs/search.md"
        )
    space.expect_hyperparameters(content.search.space, content.dataset(name))
    return Task(name, content.dataset(name), content.search, trial.fingerprint(name))


def record(task: Task) -> optuna.Study:
    """The study that keeps the trials that have ended, in a file of its data set."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{FOLDER / task.name}.db")
    return optuna.create_study(
        storage=storage, study_name=task.identity(), direction="maximize", load_if_exists=True
    )


def by_number(study: optuna.Study) -> dict[int, FrozenTrial]:
    """The trials that have ended."""
    return {one.user_attrs[NUMBER]: one for one in study.get_trials(deepcopy=False)}


def draw(task: Task, earlier: list[FrozenTrial], numbers: range) -> list[dict[str, object]]:
    """The values of one generation, from those before it.

    They depend on nothing else: neither on the number of workers, nor on which of them was the first to end.
    The first trial has the values of params.yaml, if they are in the space.
    """
    sampler = optuna.samplers.TPESampler(
        seed=seed_of(f"trials from {numbers[0]}", task.search.seed), n_startup_trials=task.search.generation
    )
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.add_trials(earlier)
    of = space.distributions(task.search.space)
    drawn = [space.rounded(study.ask(of).params, task.search.space) for _ in numbers]
    now = space.present(task.dataset, task.search.space)
    return [now, *drawn[1:]] if numbers[0] == 0 and now else drawn


def run(task: Task, count: int, client: Client) -> list[FrozenTrial]:
    """Run a search, or what is left of it, and return its trials.

    Args:
        task: what is searched.
        count: the number of trials.
        client: of the cluster that runs them.

    Raises:
        UserError: if a trial cannot be run.
    """
    study = record(task)
    ended = by_number(study)
    with tqdm(total=count, initial=sum(number < count for number in ended), unit="trial") as progress:
        for first in range(0, count, task.search.generation):
            numbers = range(first, min(first + task.search.generation, count))
            earlier = [ended[number] for number in range(first)]
            drawn = dict(zip(numbers, draw(task, earlier, numbers), strict=True))
            missing = {number: values for number, values in drawn.items() if number not in ended}
            for number, outcome in outcomes(task, missing, earlier, client):
                study.add_trial(_trial(task, number, drawn[number], outcome))
                progress.update()
            ended = by_number(study)
    return [ended[number] for number in range(count)]


def outcomes(
    task: Task, drawn: dict[int, dict[str, object]], earlier: list[FrozenTrial], client: Client
) -> Iterator[tuple[int, Outcome]]:
    """Run some trials, by number, and give the outcome of each as soon as it is there.

    Raises:
        UserError: if one cannot be run.
    """
    # Sent to a worker once, not with every trial; Dask makes it again if that worker is lost.
    compared: Future[list[FrozenTrial]] = client.submit(
        list, earlier, key=f"{task.identity()}, after {len(earlier)}"
    )
    waiting = {}
    for number, values in drawn.items():
        try:
            dataset = task.dataset.varied(space.values(values, task.search.space), space.PLACE)
        except UserError as error:  # values that do not go together
            yield number, Outcome(error=str(error))
            continue
        arguments = (task.name, dataset.model_dump(by_alias=True), task.fingerprint, compared)
        waiting[client.submit(trial.run, *arguments, key=f"{task.identity()}, {number}")] = number
    for future in as_completed(waiting):
        number = waiting[future]
        try:
            yield number, future.result()
        except KilledWorker as error:
            raise UserError(f"trial {number}: {error}; its values: {drawn[number]}") from None
        except CancelledError:
            raise UserError(
                f"trial {number}: expected the scheduler to stay, found it gone; what has ended is kept: "
                "start it and the same search again"
            ) from None


def _trial(task: Task, number: int, drawn: dict[str, object], outcome: Outcome) -> FrozenTrial:
    state = TrialState.PRUNED if outcome.pruned else TrialState.COMPLETE
    about = {name: value for name, value in asdict(outcome).items() if name in ("error", "seconds")}
    return optuna.trial.create_trial(
        state=TrialState.FAIL if outcome.error else state,
        value=max(outcome.accuracies) if outcome.accuracies and not outcome.error else None,
        params=drawn,
        distributions=space.distributions(task.search.space),
        intermediate_values=dict(enumerate(outcome.accuracies)),
        user_attrs={NUMBER: number, **about},
    )
