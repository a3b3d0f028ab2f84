"""The function that a Dask worker calls: it chooses how TensorFlow computes before anything imports it."""

import importlib
from typing import Any

from stages.common import runtime
from stages.common.errors import UserError
from stages.common.runtime import Computation


def call(computation: Computation, module: str, function: str, *arguments: Any) -> Any:
    """Import a function, call it, and return what it returns, or the UserError that it raises.

    Dask would show the traceback of an error.

    Args:
        computation: in which the function trains.
        module: its full name.
        function: the name of the function in it.
        arguments: of the function.
    """
    try:
        runtime.choose(computation)  # an error, if this worker has computed in another way before
        return getattr(importlib.import_module(module), function)(*arguments)
    except UserError as error:
        return error
