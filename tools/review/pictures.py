"""Pictures of a review, as PNG files: confusions, changed images, mistakes and learning curves."""

from contextlib import suppress
from pathlib import Path

import pandas as pd

from stages.common import files, layout
from stages.common.errors import UserError
from stages.scoring import gallery
from stages.splits import arrays
from stages.splits.arrays import Split
from tools.common import dvc
from tools.common.revision import WORKSPACE, Revision
from tools.gallery.contents import Json, describe_split
from tools.gallery.names import find_names
from tools.plots.pictures import draw_chart
from tools.review import confusion_picture, predictions
from tools.review.inputs import find_split
from tools.review.review import Comparison, Picture, Review

HALF_COLUMNS = 4  # of images in a picture that stands beside another


def draw(review: Review, folder: Path) -> None:
    """Draw the pictures of every data set whose results are new or differ, and record them there."""
    curves = draw_learning_curves(review, folder)
    for comparison in review.comparisons:
        if not comparison.differences and not comparison.is_shown_alone:
            continue
        comparison.pictures = [
            *confusion_picture.draw(review, comparison, folder),
            *_draw_images(review, comparison, folder),
            *curves.get(comparison.dataset, []),
        ]


def draw_learning_curves(review: Review, folder: Path) -> dict[str, list[Picture]]:
    """Draw the learning curves of the data sets whose predictions differ, as `dvc plots diff` does."""
    datasets = [comparison.dataset for comparison in review.comparisons if comparison.differences]
    if not datasets:
        return {}
    base, later = review.base, review.later
    names = {revision.commit: revision.name for revision in (base, later) if revision.commit}
    targets = ["--targets", *(layout.history(dataset).as_posix() for dataset in datasets)]
    revisions = [revision.commit or WORKSPACE for revision in (base, later)]
    pictures = {}
    for plot, charts in dvc.read_charts("diff", *targets, "--", *revisions).items():
        dataset = Path(plot).stem
        for chart in charts:
            rows = chart["content"]["data"]["values"]
            rows.sort(key=lambda row: row["rev"] != base.commit)  # DVC puts the workspace first
            for row in rows:
                row["rev"] = names.get(row["rev"], row["rev"])
            path = folder / f"{dataset}-history.png"
            with files.atomic_file(path) as new:
                new.write_bytes(draw_chart(chart))
            pictures[dataset] = [Picture(path, "Learning curves, of the seed in params.yaml")]
    return pictures


def _draw_images(review: Review, comparison: Comparison, folder: Path) -> list[Picture]:
    """Draw the images that became wrong and that became right, or the mistakes if nothing is compared.

    There is no picture of no images.
    """
    after = comparison.after[0].predictions
    split = read_images(review.later, comparison.dataset, review.split, after["actual"])
    if split is None:
        return []
    name = comparison.dataset
    comparison.contents = _collect_contents(review, comparison, split)
    if comparison.is_shown_alone:
        if (after["actual"] == after["predicted"]).all():
            return []
        path = folder / f"{name}-mistakes.png"
        gallery.draw_mistakes(path, split.images, after)
        return [Picture(path, "The most confident mistakes")]
    pictures = []
    tables = predictions.find_changed_images(comparison.before[0].predictions, after)
    seed = "" if review.seeds == 1 else " (with the seed in params.yaml)"
    for table, kind, title in zip(
        tables,
        ("right-to-wrong", "wrong-to-right"),
        ("Right before, wrong after", "Wrong before, right after"),
        strict=True,
    ):
        if table.empty:
            continue
        rows = table.head(gallery.MOST_IMAGES)
        captions = [
            "\n".join(
                (
                    gallery.shorten(f"#{row.Index} {row.actual}"),
                    gallery.shorten(f"{row.predicted_before} {row.probability_before:.0%}"),
                    gallery.shorten(f"→ {row.predicted_after} {row.probability_after:.0%}"),
                )
            )
            for row in rows.itertuples()
        ]
        path = folder / f"{name}-{kind}.png"
        gallery.draw_gallery(
            path, f"{title}: {len(table):,}", split.images[rows.index], captions, HALF_COLUMNS
        )
        pictures.append(Picture(path, f"{title}: {len(table):,} images{seed}", is_half_wide=True))
    return pictures


def _collect_contents(review: Review, comparison: Comparison, images: Split) -> Json:
    """Return what tools/gallery/static/explorer.js reads, of the seed in params.yaml."""
    after = comparison.after[0]
    before = None if comparison.is_shown_alone else comparison.before[0]
    section = review.later.datasets()[comparison.dataset]
    described = describe_split(
        after,
        before,
        images,
        comparison.classes,
        section["largest_pixel"],
        with_right=before is None,  # nobody knows the images of a new data set
    )
    with suppress(UserError):  # the raw files may be those of another revision, or not here
        described |= {"files": find_names(comparison.dataset, {review.split: images}).get(review.split)}
    return {
        "name": comparison.dataset,
        "base": review.base.name if before else None,
        "classes": comparison.classes,
        "splits": {review.split: described},
    }


def read_images(later: Revision, dataset: str, split: str, actual: "pd.Series[str]") -> Split | None:
    """Return the images that predictions are for, None if this folder has no such arrays, or others.

    Args:
        later: the revision of the predictions.
        dataset: the key.
        split: validation or test.
        actual: the name of the class of each image, according to the predictions.
    """
    workspace = later if later.commit is None else Revision(WORKSPACE, None)
    expected = find_split(later, dataset, split)
    if expected is None or expected != find_split(workspace, dataset, split):
        return None
    try:
        images, labels = arrays.read(layout.processed(dataset, split))
    except UserError:
        return None
    if len(labels) != len(actual) or len(set(zip(labels, actual, strict=True))) != len(set(actual)):
        return None  # the arrays are not those that dvc.lock records
    return Split(images, labels)
