"""Schema of the parameters that evaluate reads."""

from typing import Annotated

from pydantic import Field

from stages.common.fields import Classes
from stages.common.validation import Section


class EvaluateParameters(Section):
    """The parameters of a data set that its scores depend on: the names of its classes."""

    classes: Classes


class Evaluation(Section):
    """The way every network is scored: the number of bins of the calibration error."""

    calibration_bins: Annotated[int, Field(gt=0, le=10_000)]
