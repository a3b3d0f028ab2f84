"""The data set with the smallest raw files, for commands that are to be quick: make demo, make verify."""

from stages.common import command
from stages.parameters import Parameters, load


def find_smallest(parameters: Parameters) -> str:
    """Return the name of the data set with the smallest raw files; of equals, the first."""

    def count_bytes(name: str) -> int:
        return sum(file.bytes for file in parameters.datasets[name].files.items_by_file().values())

    return min(parameters.datasets, key=count_bytes)


if __name__ == "__main__":
    command.Parser(prog="python -m tools.common.smallest", description=__doc__).parse_args()
    command.finish(lambda: print(find_smallest(load())))
