"""The function that a Dask worker calls: it chooses how TensorFlow computes before anything imports it."""

import importlib
from typing import Any

from stages.common import runtime


def run_trial(name: str, content: dict[str, Any], *arguments: Any) -> Any:
    """Run a trial as `tools.search.trial.run_trial` does, in this process.

    Raises:
        UserError: if this worker has computed in another way before.
    """
    runtime.choose(content["computation"])
    return importlib.import_module("tools.search.trial").run_trial(name, content, *arguments)
