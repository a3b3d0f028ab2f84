"""Where trials run: on this machine, or on a Dask cluster that is there already."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from distributed import Client, LocalCluster

from stages import THREADS
from stages.common.errors import UserError

VARIABLE = "DASK_SCHEDULER"
FEWEST = 2  # workers on this machine
TIMEOUT = 10  # s, to reach a scheduler, and for its first worker to come


@contextmanager
def connected() -> Iterator[Client]:
    """A client of the cluster that the variable names, or else of one of this machine's processors.

    Raises:
        UserError: if there is no such cluster, or its workers train several networks at once.
    """
    address = os.environ.get(VARIABLE)
    if not address:
        # Each training has its threads; but a second one is worth its while on two processors, too.
        workers = max(FEWEST, (os.cpu_count() or 1) // THREADS)
        with (
            # On any port: another search may run here.
            LocalCluster(
                n_workers=workers, threads_per_worker=1, memory_limit=0, dashboard_address=":0"
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
                f"{address}: expected a worker, found none; in a clone with its data, start "
                f"python -m dask worker {address} --nthreads 1 --memory-limit 0"
            ) from None
        threads = max(client.nthreads().values())
        if threads > 1:
            raise UserError(
                f"{address}: expected workers of one thread, as a training has its own, "
                f"found one of {threads}; start them with --nthreads 1"
            )
        yield client
