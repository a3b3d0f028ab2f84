"""Settings of the gate: the tolerance of each metric, and the bins of the calibration error."""

from pathlib import Path
from typing import Any

from stages.common import params_file
from stages.common.validation import validate
from stages.scoring.schema import Evaluation
from tools.common import settings
from tools.common.revision import Revision
from tools.common.settings import Gate


def read_tolerance(base: Revision, later: Revision) -> dict[str, float]:
    """Return the tolerance of each metric: how much worse the metric may get.

    A change cannot loosen its own gate: the tolerances are those of the base. The later revision decides
    on metrics for which the base has none.
    """
    return {**_read_tolerance(later), **_read_tolerance(base)}


def find_changed_tolerance(base: Revision, later: Revision) -> dict[str, tuple[float | None, float | None]]:
    """Return the old and the new tolerance of each metric that differs, None for a missing tolerance.

    DVC reports only parameters that stages read, hence no tolerance.
    """
    before, after = _read_tolerance(base), _read_tolerance(later)
    return {
        f"{settings.FILE}: review.tolerance.{metric}": (before.get(metric), after.get(metric))
        for metric in sorted(before.keys() | after.keys())
        if before.get(metric) != after.get(metric)
    }


def read_calibration_bins(base: Revision, later: Revision) -> int:
    """Return the number of bins of the calibration error at the base, else at the later revision."""
    revision = base if base.section(params_file.FILE, "evaluation") else later
    evaluation: Evaluation = _read_section(revision, params_file.FILE, "evaluation", Evaluation)
    return evaluation.calibration_bins


def _read_tolerance(revision: Revision) -> dict[str, float]:
    for path in (settings.FILE, params_file.FILE):  # commits from before tools.yaml have the latter
        if revision.section(path, "review"):
            gate: Gate = _read_section(revision, path, "review", Gate)
            return dict(gate.tolerance)
    return {}


def _read_section(revision: Revision, path: Path, key: str, kind: Any) -> Any:
    content = {key: revision.section(path, key)}
    return validate(dict[str, kind], content, f"{path} at {revision.name}")[key]
