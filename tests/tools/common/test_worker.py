"""The function that a Dask worker calls."""

import re

import stages.common.backend  # noqa: F401 - TensorFlow computes portably here
from stages.common.errors import UserError
from tools.common import worker


def test_a_worker_computes_in_one_way() -> None:
    assert worker.call("portable", "math", "sqrt", 4) == 2
    error = worker.call("native", "math", "sqrt", 4)
    assert isinstance(error, UserError)
    assert re.match(r"params\.yaml: computation: expected portable, .* found native; start", str(error))
