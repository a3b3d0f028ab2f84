"""The whole of params.yaml as one validated type: every key is known, typed and within its bounds."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from stages.checks.schema import Checks
from stages.common.errors import UserError
from stages.common.fields import Key
from stages.common.params_file import FILE, read_yaml
from stages.common.validation import Section, validate
from stages.network.schema import TrainParameters
from stages.scoring.schema import Evaluation
from stages.sources.schema import FetchParameters, Pictures
from stages.splits.schema import PreprocessParameters

__all__ = ["FILE", "Dataset", "Parameters", "load"]


class Dataset(FetchParameters, PreprocessParameters, TrainParameters):
    """Everything that differs between data sets: the parameters of all their stages.

    (`EvaluateParameters` has no key that `PreprocessParameters` does not have.)
    """

    @model_validator(mode="after")
    def _expect_a_name_for_each_folder(self) -> "Dataset":
        if isinstance(self.source, Pictures) and len(self.source.classes) != len(self.classes):
            raise ValueError(
                f"expected a name in classes for each of the {len(self.source.classes)} folders in "
                "source.classes, "
                f"found {len(self.classes)}"
            )
        return self


class Parameters(Section):
    """The content of params.yaml."""

    datasets: Annotated[dict[Key, Dataset], Field(min_length=1)]
    checks: Checks
    evaluation: Evaluation

    def dataset(self, name: str) -> Dataset:
        """Return the section of one data set.

        Raises:
            UserError: if there is no such data set, naming the known data sets.
        """
        if name not in self.datasets:
            names = ", ".join(self.datasets)
            raise UserError(f"{FILE}: datasets: expected one of {names}, found {name!r}")
        return self.datasets[name]


def load(path: Path = FILE) -> Parameters:
    """Read and check params.yaml.

    Raises:
        UserError: naming each key that is wrong, what was expected and what was found.
    """
    parameters: Parameters = validate(Parameters, read_yaml(path), str(path))
    return parameters
