"""Run an experiment with a configuration that tools.yaml names."""

import shlex

from stages.common import command
from stages.common.errors import UserError
from stages.parameters import load as load_parameters
from tools.common import dvc, settings
from tools.common.variations import Values
from tools.search import space


def find_values(dataset: str, configuration: str) -> Values:
    """Return the hyperparameters of a configuration.

    Raises:
        UserError: if the data set has no such configuration, naming the configurations that it has.
    """
    parameters = load_parameters()
    parameters.dataset(dataset)  # an error, if there is no such data set
    configurations = settings.load(parameters).dataset(dataset).configurations
    if configuration not in configurations:
        raise UserError(
            f"{settings.FILE}: datasets.{dataset}.configurations: expected "
            f"{' or '.join(configurations) or 'a configuration'}, found {configuration!r}; see docs/search.md"
        )
    return configurations[configuration]


def main(dataset: str, configuration: str) -> int:
    """Print DVC's command for the experiment, run it, and return its exit code."""
    arguments = space.build_experiment(dataset, find_values(dataset, configuration))
    print(shlex.join(["dvc", *arguments]), flush=True)
    return dvc.run_visibly(*arguments)


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.search.configuration", description=__doc__)
    parser.add_argument("dataset", help="a key of `datasets` in params.yaml")
    parser.add_argument("configuration", help="a key of the data set's `configurations` in tools.yaml")
    arguments = parser.parse_args()
    command.finish(lambda: main(arguments.dataset, arguments.configuration))
