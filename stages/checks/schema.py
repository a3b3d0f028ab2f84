"""Schema of the parameters of the checks before training."""

from stages.common.validation import Section


class Checks(Section):
    """Treatment of grave findings, such as test images among the training images.

    Attributes:
        strict: whether they stop preprocess; if not, they are warnings.
    """

    strict: bool
