"""Make an experiment of a configuration that params.yaml has under a name."""

import shlex
import subprocess

from stages import parameters
from stages.common import command
from stages.common.errors import UserError
from tools.search import space


def experiment(dataset: str, configuration: str) -> list[str]:
    """The command that makes the experiment.

    Raises:
        UserError: if the data set has no such configuration; names those that it has.
    """
    known = parameters.load().dataset(dataset).configurations
    if configuration not in known:
        raise UserError(
            f"{parameters.FILE}: datasets.{dataset}.configurations: expected "
            f"{' or '.join(known) or 'some, written there'}, found {configuration!r}; see docs/search.md"
        )
    return space.experiment(dataset, known[configuration])


def run(dataset: str, configuration: str) -> int:
    """Print the command, run it, and return its exit code."""
    arguments = experiment(dataset, configuration)
    print(shlex.join(arguments), flush=True)
    return subprocess.run(arguments, check=False).returncode


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.search.configuration", description=__doc__)
    parser.add_argument("dataset", help="a key of `datasets` in params.yaml")
    parser.add_argument("configuration", help="a key of its `configurations`")
    given = parser.parse_args()
    command.finish(lambda: run(given.dataset, given.configuration))
