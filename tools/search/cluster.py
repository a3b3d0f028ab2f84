"""The Dask cluster that runs trials: a new one on this machine, or a running one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from distributed import Client, LocalCluster

from stages.common.errors import UserError
from stages.common.runtime import MOST_THREADS, THREADS

VARIABLE = "DASK_SCHEDULER"
FEWEST_WORKERS = 2  # on this machine
TIMEOUT = 10  # seconds, to reach a scheduler, and to wait for its first worker


@contextmanager
def connect() -> Iterator[Client]:
    """Yield a client of the cluster at the address in `VARIABLE`, or of a new cluster on this machine.

    Raises:
        UserError: if no cluster answers at the address, or its workers run several trainings at once.
    """
    address = os.environ.get(VARIABLE)
    if not address:
        # A training has two threads, but two trainings at once are faster on two processors, too.
        workers = max(FEWEST_WORKERS, (os.cpu_count() or 1) // THREADS)
        with (
            # Port 0 is any free port, since another search may run here.
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                memory_limit=0,
                dashboard_address=":0",
                env={MOST_THREADS: os.environ.get(MOST_THREADS, str(THREADS))},  # of native computation
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
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
