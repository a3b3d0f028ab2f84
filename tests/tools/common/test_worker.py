"""The function that a Dask worker calls."""

import re

import stages.common.backend  # noqa: F401 - TensorFlow computes portably here
from stages.common.errors import UserError
from tools.common import cluster, worker

# 100 blocks of 8 MB, one after the other, and the pages that the system gave before and after.
PAGES = "__import__('resource').getrusage(0).ru_minflt"
BLOCKS = f"[{PAGES}, [len(b'x' * 8_000_000) for _ in range(100)], {PAGES}]"


def test_a_worker_computes_in_one_way() -> None:
    assert worker.call("portable", "math", "sqrt", 4) == 2
    error = worker.call("native", "math", "sqrt", 4)
    assert isinstance(error, UserError)
    assert re.match(r"params\.yaml: computation: expected portable, .* found native; start", str(error))


def test_a_worker_of_dask_uses_freed_memory_again() -> None:
    with cluster.connect() as client:
        future = cluster.submit(client, ("portable", "builtins", "eval", BLOCKS))
        before, _, after = cluster.take_result(future, "blocks")
    assert after - before < 5_000  # of 4 kB or more; with new pages for each block, 40,000
