"""The Dask cluster that runs trainings: a new one on this machine, or a running one."""

import logging
import os
import pickle
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from multiprocessing import resource_tracker
from typing import Any

import psutil
from distributed import Client, Future, KilledWorker, LocalCluster
from tqdm import tqdm

from stages.common.errors import UserError
from stages.common.runtime import MOST_THREADS, THREADS
from tools.common import processes, worker

VARIABLE = "DASK_SCHEDULER"
LOGGER = logging.getLogger("distributed")
TIMEOUT = 10  # seconds, to reach a scheduler, and to wait for its first worker


def is_running_elsewhere() -> bool:
    """Return whether there is an address of a running cluster."""
    return bool(os.environ.get(VARIABLE))


@contextmanager
def connect(fewest_workers: int = 1) -> Iterator[Client]:
    """Yield a client of the cluster at the address in `VARIABLE`, or of a new cluster on this machine.

    A new one has a worker for every two processors. After Ctrl-C, say that the same command goes on: whatever
    uses a cluster keeps each training that has ended.

    Args:
        fewest_workers: of a new cluster.

    Raises:
        UserError: if no cluster answers at the address, or its workers run several trainings at once.
    """
    address = os.environ.get(VARIABLE)
    try:
        with _join_cluster(address) if address else _start_cluster(fewest_workers) as client:
            yield client
    except KeyboardInterrupt:
        # Not by print, as progress bars are still there.
        tqdm.write("Interrupted. What has ended is kept: the same command goes on.", file=sys.stderr)
        raise


@contextmanager
def _start_cluster(fewest_workers: int) -> Iterator[Client]:
    """Yield a client of a new cluster on this machine, and end its workers."""
    with ExitStack() as stack:
        stack.callback(LOGGER.setLevel, LOGGER.level)
        with processes.postpone_interrupts(), _withhold_interrupts():
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=max(fewest_workers, (os.cpu_count() or 1) // THREADS),
                    threads_per_worker=1,
                    memory_limit=0,
                    dashboard_address=":0",  # any free port, since another search may run here
                    env={MOST_THREADS: os.environ.get(MOST_THREADS, str(THREADS))},  # of native computation
                )
            )
            client = stack.enter_context(Client(cluster))
            stack.callback(_kill_workers, cluster)
        yield client


@contextmanager
def _withhold_interrupts() -> Iterator[None]:
    """Keep Ctrl-C from the threads and processes that the block starts: the client ends its workers."""
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # which would let interrupts through again, once it has started
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)


def _kill_workers(cluster: LocalCluster) -> None:
    """Kill the workers of a cluster on this machine, from which nothing is wanted any more.

    Dask would wait four seconds for a worker to finish its training or to clean TensorFlow up, and warn.
    """
    LOGGER.setLevel(logging.CRITICAL)  # Dask would report each as lost
    for nanny in cluster.workers.values():
        nanny.close_gracefully()  # which starts no other worker
        if nanny.pid is not None:  # it has started its worker
            with suppress(psutil.Error):
                psutil.Process(nanny.pid).kill()


@contextmanager
def _join_cluster(address: str) -> Iterator[Client]:
    """Yield a client of the running cluster at an address."""
    try:
        client = Client(address, timeout=TIMEOUT)
    except (OSError, TypeError, ValueError) as error:
        raise UserError(
            f"{VARIABLE}: expected the address of a Dask scheduler, such as tcp://host:8786, "
            f"found {address!r}: {error}"
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=TIMEOUT)
        except TimeoutError:
            raise UserError(
                f"{address}: expected a worker, found none; in a clone of the project that has the data, run "
                f"python -m dask worker {address} --nthreads 1 --memory-limit 0"
            ) from None
        threads = max(client.nthreads().values())
        if threads > 1:
            raise UserError(
                f"{address}: expected workers of one thread, since a training starts its own, "
                f"found a worker of {threads}; start workers with --nthreads 1"
            )
        yield client


def submit(client: Client, call: tuple[Any, ...], *futures: Future[Any], **options: Any) -> Future[Any]:
    """Submit a call of a function of this project.

    A worker that cannot import something sent to it ends, and the client would wait for another for ever. So
    the call is sent as bytes, and a worker of other code answers with the error of reading them.

    Args:
        client: of the cluster.
        call: the arguments of `tools.common.worker.call`.
        futures: further arguments of the function.
        options: of Dask, such as the key of the task.
    """
    content = pickle.dumps(partial(worker.call, *call))

    def read_and_call(*arguments: Any) -> Any:
        return pickle.loads(content)(*arguments)  # noqa: S301 - the content comes from here

    return client.submit(read_and_call, *futures, **options)


def take_result(future: Future[Any], title: str) -> Any:
    """Return the result of a task that has ended.

    Args:
        future: of the task, from `submit`.
        title: of the task, for an error.

    Raises:
        UserError: if the task could not be run, or raised one.
    """
    try:
        result = future.result()
    except KilledWorker as error:
        raise UserError(
            f"{title}: expected a worker that stays, lost {error.allowed_failures + 1} that had it, the last "
            f"at {error.last_worker.address}; is their memory too small? What has ended is kept: the same "
            "command goes on"
        ) from None
    except CancelledError:
        raise UserError(
            f"{title}: expected the scheduler to stay, found it gone; what has ended is kept: start the "
            "scheduler, and the same command again"
        ) from None
    except (ImportError, AttributeError) as error:  # of what Dask sends by name
        raise UserError(
            f"{title}: expected workers with the code of this command, found one without: {error}; git pull, "
            "and start the worker again"
        ) from None
    if isinstance(result, UserError):
        raise result
    return result
