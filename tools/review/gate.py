"""Settings of the gate: the tolerance of each metric."""

from stages.common import params_file
from stages.common.errors import UserError
from stages.common.validation import validate
from tools.common import settings
from tools.common.revision import Revision
from tools.common.settings import Gate
from tools.review.metrics import METRICS


def read_tolerance(base: Revision, later: Revision) -> dict[str, float]:
    """Return the tolerance of each metric: how much worse the metric may get.

    A change cannot loosen its own gate: the tolerances are those of the base. The later revision decides
    on metrics for which the base has none. The base may be older than these metrics, and have others.

    Raises:
        UserError: if the later revision has a tolerance of something that is no metric with a verdict.
    """
    tolerance = _read_tolerance(later)
    for name in tolerance:
        if name not in METRICS:
            raise UserError(
                f"{settings.FILE} at {later.name}: review.tolerance: expected {', '.join(METRICS)}, "
                f"found {name}; remove it"
            )
    return {**tolerance, **{name: value for name, value in _read_tolerance(base).items() if name in METRICS}}


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


def _read_tolerance(revision: Revision) -> dict[str, float]:
    for path in (settings.FILE, params_file.FILE):  # commits from before tools.yaml have the latter
        if revision.section(path, "review"):
            content = {"review": revision.section(path, "review")}
            gates: dict[str, Gate] = validate(dict[str, Gate], content, f"{path} at {revision.name}")
            return dict(gates["review"].tolerance)
    return {}
