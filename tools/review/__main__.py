"""Say what a change did to the results: compare two revisions, and write review/report.md and report.html.

Exit code: 0; or 1 if a metric is significantly worse by more than its tolerance, or if that could not be
tested; or 2 after a mistake.
"""

import argparse
from pathlib import Path

from stages.common import command, files
from stages.common.errors import UserError
from tools.common import revision
from tools.review import changes, comparison, pictures, report, seeds
from tools.review.comparison import Review
from tools.review.statistics import METRICS

FOLDER = Path("review")


def main(base_name: str, later_name: str, tolerance: dict[str, float], runs: int) -> int:
    """Compare two revisions.

    Args:
        base_name: the earlier revision.
        later_name: the later one.
        tolerance: by metric, in place of the one in the base's params.yaml.
        runs: trainings of each changed data set at each revision, with seeds of their own; 0 for none.

    Returns:
        The exit code.
    """
    base, later = revision.find(base_name), revision.find(later_name)
    if base.commit is None:
        raise UserError("the base: expected a commit, branch or tag, found the workspace; put it second")
    allowed, bins = comparison.rules(base, later)
    changed = changes.changed_parameters(base, later)
    comparisons = [
        comparison.compare(dataset, base, later, changed, bins)
        for dataset in comparison.datasets(base, later)
    ]
    of_datasets = {name for one in comparisons for name in one.parameters}
    review = Review(
        base,
        later,
        comparisons,
        {name: values for name, values in changed.items() if name not in of_datasets},
        changes.changed_pipeline(base, later),
        {**allowed, **tolerance},
    )
    tested = {one.dataset: one for one in comparisons if one.differences}
    if runs and tested:
        before, after = (seeds.train(one, list(tested), runs) for one in (base, later))
        for dataset, one in tested.items():
            one.spreads = seeds.compare(before[dataset], after[dataset])
    with files.whole_folder(FOLDER) as folder:
        plots = pictures.draw_plots(base, later, list(tested), folder)
        for dataset, one in tested.items():
            lost, gained = changes.changed_images(one.before, one.after)
            one.pictures = [
                *plots[dataset],
                *pictures.draw_changed_images(one.after["actual"], lost, gained, later, dataset, folder),
                *pictures.copy_mistakes(base, later, dataset, folder),
            ]
        files.write_text(folder / "report.md", report.markdown(review))
        files.write_text(folder / "report.html", report.page(review))
    print((FOLDER / "report.md").read_text(encoding="utf-8"))
    print(f"With pictures: {FOLDER / 'report.html'}")
    return 1 if review.stopped else 0


def tolerance_of(text: str) -> tuple[str, float]:
    """Read METRIC=VALUE."""
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
    parser.add_argument("later", nargs="?", default=revision.WORKSPACE, help="another one, or workspace")
    parser.add_argument(
        "--tolerance",
        metavar="METRIC=VALUE",
        type=tolerance_of,
        action="append",
        default=[],
        help="how much worse a metric may get, in place of params.yaml; for several, give it several times; "
        f"one of {', '.join(METRICS)}",
    )
    parser.add_argument(
        "--seeds",
        type=command.whole_number(seeds.FEWEST),
        default=0,
        metavar="N",
        help="train both revisions with N seeds (at least 2) and compare those, too",
    )
    given = parser.parse_args()
    command.finish(lambda: main(given.base, given.later, dict(given.tolerance), given.seeds))
