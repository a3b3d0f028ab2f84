"""Compare the results of two revisions, and write review/report.md and review/report.html.

Exit code: 0 if the change passes; 1 if a metric is significantly worse by more than its tolerance, or if
results cannot be tested; 2 after a mistake.
"""

import argparse
from pathlib import Path

from stages.common import command, files
from stages.common.errors import UserError
from tools.common.revision import WORKSPACE, find_revision
from tools.review import page, pictures, predictions, report, seeds
from tools.review.comparison import compare_revisions
from tools.review.metrics import METRICS

FOLDER = Path("review")


def main(base_name: str, later_name: str, tolerance: dict[str, float], trainings: int) -> int:
    """Compare two revisions.

    Args:
        base_name: the name of the earlier revision.
        later_name: the name of the later revision.
        tolerance: by metric, a tolerance in place of that in tools.yaml.
        trainings: the number of seeds to train each changed data set with, at each revision; 0 for none.

    Returns:
        The exit code.
    """
    base, later = find_revision(base_name), find_revision(later_name)
    if base.commit is None:
        raise UserError("the base: expected a commit, branch or tag, found the workspace; put it second")
    review = compare_revisions(base, later, tolerance)
    changed = {comparison.dataset: comparison for comparison in review.comparisons if comparison.differences}
    if trainings and changed:
        for dataset, spreads in seeds.measure(base, later, list(changed), trainings).items():
            changed[dataset].spreads = spreads
    with files.atomic_folder(FOLDER) as folder:
        plots = pictures.draw_plots(base, later, list(changed), folder)
        for dataset, compared in changed.items():
            lost, gained = predictions.find_changed_images(compared.before, compared.after)
            compared.pictures = [
                *plots[dataset],
                *pictures.draw_changed_images(compared.after["actual"], lost, gained, later, dataset, folder),
                *pictures.copy_mistakes(base, later, dataset, folder),
            ]
        files.write_text(folder / "report.md", report.build_markdown(review))
        files.write_text(folder / "report.html", page.build(review))
    print((FOLDER / "report.md").read_text(encoding="utf-8"))
    print(f"With pictures: {FOLDER / 'report.html'}")
    return 1 if review.stopped else 0


def parse_tolerance(text: str) -> tuple[str, float]:
    """Parse METRIC=VALUE."""
    metric, _, value = text.partition("=")
    try:
        if metric in METRICS and float(value) >= 0:
            return metric, float(value)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(
        f"expected METRIC=VALUE with one of {', '.join(METRICS)} and a number from 0, found {text!r}"
    )


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.review", description=__doc__)
    parser.add_argument("base", help="a commit, branch or tag")
    parser.add_argument(
        "later", nargs="?", default=WORKSPACE, help="another commit, branch or tag; by default the workspace"
    )
    parser.add_argument(
        "--tolerance",
        metavar="METRIC=VALUE",
        type=parse_tolerance,
        action="append",
        default=[],
        help="how much worse a metric may get, in place of the tolerance in tools.yaml; may be repeated; "
        f"the metrics are {', '.join(METRICS)}",
    )
    parser.add_argument(
        "--seeds",
        type=command.number_from(seeds.FEWEST_SEEDS),
        default=0,
        metavar="N",
        help="train both revisions with N seeds and compare the metrics, too; N is at least "
        f"{seeds.FEWEST_SEEDS}",
    )
    arguments = parser.parse_args()
    command.finish(lambda: main(arguments.base, arguments.later, dict(arguments.tolerance), arguments.seeds))
