"""Examination of a data set before its first training: the splits, and what is to be known of them."""

from pathlib import Path

from stages import preprocess
from stages.checks import findings
from stages.parameters import Parameters
from stages.preprocess import Rows
from stages.splits.arrays import Split


def examine(
    parameters: Parameters, name: str, folder: Path, origin: str
) -> tuple[dict[str, tuple[Split, Rows]], list[str]]:
    """Divide a data set as preprocess does, and look for leaks and the like.

    Args:
        parameters: the parameters with the data set.
        name: the key of the data set.
        folder: the folder with the raw files.
        origin: where they came from, for errors.

    Returns:
        The splits as `stages.preprocess.divide` returns them, and a warning for each finding.

    Raises:
        UserError: if preprocess would refuse the data set.
    """
    dataset = parameters.dataset(name)
    splits = preprocess.divide(dataset, folder)
    found = findings.list_findings(preprocess.examine(dataset, folder, splits))
    if parameters.checks.strict:
        findings.expect_nothing_grave(found, origin)
    return splits, [f"warning: {finding.text}" for finding in found]
