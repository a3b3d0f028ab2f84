"""Run an experiment with a configuration that tools.yaml names."""

import shlex

from stages.common import command
from tools.common import dvc, settings
from tools.search import space


def main(dataset: str, configuration: str) -> int:
    """Print DVC's command for the experiment, run it, and return its exit code."""
    arguments = space.build_experiment(dataset, settings.find_configuration(dataset, configuration))
    print(shlex.join(["dvc", *arguments]), flush=True)
    return dvc.run_visibly(*arguments)


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.search.configuration", description=__doc__)
    parser.add_argument("dataset", help="a key of `datasets` in params.yaml")
    parser.add_argument("configuration", help="a key of the data set's `configurations` in tools.yaml")
    arguments = parser.parse_args()
    command.finish(lambda: main(arguments.dataset, arguments.configuration))
