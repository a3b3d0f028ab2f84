"""Print the command that makes an experiment of a configuration that params.yaml has under a name."""

from search import space
from stages import command, parameters
from stages.errors import UserError


def line(dataset: str, configuration: str) -> str:
    """The command.

    Raises:
        UserError: if the data set has no such configuration; names those that it has.
    """
    known = parameters.load().dataset(dataset).configurations
    if configuration not in known:
        raise UserError(
            f"{parameters.FILE}: datasets.{dataset}.configurations: expected "
            f"{' or '.join(known) or 'one'}, found {configuration!r}"
        )
    return space.experiment(dataset, known[configuration])


if __name__ == "__main__":
    parser = command.Parser(prog="python -m search.configuration", description=__doc__)
    parser.add_argument("dataset", help="a key of `datasets` in params.yaml")
    parser.add_argument("configuration", help="a key of its `configurations`")
    given = parser.parse_args()
    command.finish(lambda: print(line(given.dataset, given.configuration)))
