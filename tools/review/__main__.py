"""Compare the results of two revisions, and write review/report.md and review/report.html.

Exit code: 0 if the change passes; 1 if a metric is shown to be worse by more than its tolerance, or if
results cannot be compared; 2 after a mistake.
"""

import argparse
from pathlib import Path

from stages.common import command, files, layout
from stages.common.errors import UserError
from tools.common import markdown
from tools.common.revision import WORKSPACE, find_revision
from tools.review import inputs, page, pictures, report, seeds
from tools.review.comparison import compare_results, compare_revisions, list_datasets, rename_classes
from tools.review.metrics import METRICS
from tools.review.review import OPTIONS, Outcome, Review, Rules

FOLDER = Path("review")
EARLIER = r"report\.(md|html)|.+\.png"  # the files of an earlier review


def main(base_name: str, later_name: str, rules: Rules, trainings: int, *, native: bool = False) -> int:
    """Compare two revisions.

    Args:
        base_name: the name of the earlier revision.
        later_name: the name of the later revision.
        rules: of the review.
        trainings: the number of seeds to train each changed data set with, at each revision; 0 for none.
        native: whether these trainings compute natively.

    Returns:
        The exit code.
    """
    base, later = find_revision(base_name), find_revision(later_name)
    if base.commit is None:
        raise UserError("the base: expected a commit, branch or tag, found the workspace; put it second")
    datasets = list_datasets(base, later)
    for outcome, names in rules.accepted.items():
        for name in names - set(datasets):
            raise UserError(f"{OPTIONS[outcome]}: expected one of {', '.join(datasets)}, found {name!r}")
    changed = inputs.find_changed_parameters(base, later)
    review = compare_revisions(base, later, changed, rules)
    if trainings:
        train(review, trainings, native=native)
    with files.atomic_folder(FOLDER, earlier=EARLIER) as folder:
        pictures.draw(review, folder)
        text = report.build_markdown(review)
        files.write_text(folder / "report.md", text)
        files.write_text(folder / "report.html", page.build(review))
    print(markdown.unescape(text))
    print(f"With pictures: {FOLDER / 'report.html'}")
    print(markdown.unescape(report.judge(review)))  # which has scrolled away
    return 1 if review.stopped else 0


def train(review: Review, trainings: int, *, native: bool) -> None:
    """Train the data sets with other predictions anew, and compare the results of all seeds."""
    changed = {comparison.dataset: comparison for comparison in review.comparisons if comparison.differences}
    if not changed:
        return
    results = seeds.train_both(
        review.base, review.later, list(changed), trainings, review.split, native=native
    )
    for dataset, (before, after) in results.items():
        comparison = changed[dataset]
        comparison.before = [rename_classes(result, comparison.renamed) for result in before]
        comparison.after = after
        comparison.is_native = native
        comparison.differences = compare_results(comparison.before, after, review.tolerance)


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


def parse_split(text: str) -> str:
    """Parse the name of a split that has predictions."""
    if text not in layout.SCORED_SPLITS:
        raise argparse.ArgumentTypeError(f"expected {' or '.join(layout.SCORED_SPLITS)}, found {text!r}")
    return text


if __name__ == "__main__":
    parser = command.Parser(prog="python -m tools.review", description=__doc__)
    parser.add_argument("base", help="a commit, branch or tag")
    parser.add_argument(
        "later", nargs="?", default=WORKSPACE, help="another commit, branch or tag; by default the workspace"
    )
    parser.add_argument(
        "--split",
        type=parse_split,
        default=layout.SCORED_SPLITS[0],
        metavar="SPLIT",
        help=f"whose predictions are compared, {' or '.join(layout.SCORED_SPLITS)}; "
        f"{layout.SCORED_SPLITS[0]} by default, since the test images are for a last look",
    )
    parser.add_argument(
        "--seeds",
        type=command.number_from(seeds.FEWEST_SEEDS),
        default=0,
        metavar="N",
        help="train both revisions with N seeds, and judge the change by all of them; N is at least "
        f"{seeds.FEWEST_SEEDS}",
    )
    parser.add_argument(
        "--native",
        action="store_true",
        help="train natively, which is faster, with all seeds but the first",
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
        "--removed",
        metavar="DATASET",
        action="append",
        default=[],
        help="accept that this data set is gone; may be repeated",
    )
    parser.add_argument(
        "--new-images",
        metavar="DATASET",
        action="append",
        default=[],
        help="accept that this data set has other images, or other names of classes; may be repeated",
    )
    arguments = parser.parse_args()
    if arguments.native and not arguments.seeds:
        parser.error("--native: expected --seeds N beside it, found none, so that nothing would be trained")
    accepted = {
        Outcome.REMOVED: frozenset(arguments.removed),
        Outcome.OTHER_IMAGES: frozenset(arguments.new_images),
    }
    command.finish(
        lambda: main(
            arguments.base,
            arguments.later,
            Rules(arguments.split, dict(arguments.tolerance), accepted),
            arguments.seeds,
            native=arguments.native,
        )
    )
