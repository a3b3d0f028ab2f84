"""Pictures of a comparison, as PNG files: charts, changed images and the most confident mistakes."""

from pathlib import Path

import pandas as pd

from stages.common import files, layout
from stages.common.errors import UserError
from stages.scoring import gallery
from stages.splits import arrays
from tools.common import dvc
from tools.common.revision import WORKSPACE, Revision
from tools.plots.pictures import draw_chart
from tools.review.inputs import find_test_split


def draw_plots(base: Revision, later: Revision, datasets: list[str], folder: Path) -> dict[str, list[Path]]:
    """Draw every plot of some data sets as `dvc plots diff` does.

    Returns:
        For each data set the files, DATASET-KIND.png, in the order of the kinds in dvc.yaml.
    """
    pictures: dict[str, list[Path]] = {dataset: [] for dataset in datasets}
    if not datasets:
        return pictures
    revisions = [revision.commit or WORKSPACE for revision in (base, later)]
    names = {revision.commit: revision.name for revision in (base, later) if revision.commit}
    for plot, charts in dvc.read_charts("diff", *revisions).items():
        path = Path(plot)
        for chart in charts:
            if path.stem not in datasets or chart["type"] != "vega":
                continue
            rows = chart["content"]["data"]["values"]
            rows.sort(key=lambda row: row["rev"] != base.commit)  # DVC puts the workspace first
            for row in rows:
                row["rev"] = names.get(row["rev"], row["rev"])
            picture = folder / f"{path.stem}-{path.parent.name}.png"
            with files.atomic_file(picture) as new:
                new.write_bytes(draw_chart(chart))
            pictures[path.stem].append(picture)
    return pictures


def copy_mistakes(base: Revision, later: Revision, dataset: str, folder: Path) -> list[Path]:
    """Copy the pictures of the most confident mistakes of both revisions, and return the existing copies."""
    copies = []
    for revision, when in ((base, "before"), (later, "after")):
        content = revision.read(layout.mistakes(dataset))
        if content is not None:
            copies.append(folder / f"{dataset}-mistakes-{when}.png")
            with files.atomic_file(copies[-1]) as new:
                new.write_bytes(content)
    return copies


def draw_changed_images(
    actual: pd.Series, lost: pd.DataFrame, gained: pd.DataFrame, later: Revision, dataset: str, folder: Path
) -> list[Path]:
    """Draw the images that became wrong and the images that became right.

    Args:
        actual: the name of the class of each test image.
        lost: the images that became wrong, as `predictions.find_changed_images` returns them.
        gained: the images that became right.
        later: the revision of the predictions.
        dataset: the key of the data set.
        folder: the folder to write to.

    Returns:
        The files; none if this folder has no test split, or another split than the predictions are for.
    """
    workspace = later if later.commit is None else Revision(WORKSPACE, None)
    split = find_test_split(later, dataset)
    if split is None or split != find_test_split(workspace, dataset):
        return []
    try:
        images, labels = arrays.read(layout.processed(dataset, "test"))
    except UserError:
        return []
    if len(labels) != len(actual) or len(set(zip(labels, actual, strict=True))) != len(set(actual)):
        return []  # the arrays are not those that dvc.lock records
    pictures = []
    for table, kind, title in (
        (lost, "right-to-wrong", "Right before, wrong after"),
        (gained, "wrong-to-right", "Wrong before, right after"),
    ):
        rows = table.head(gallery.MOST_IMAGES)
        captions = [
            f"#{row.Index} {row.actual}\n{row.predicted_before} {row.probability_before:.0%}\n"
            f"→ {row.predicted_after} {row.probability_after:.0%}"
            for row in rows.itertuples()
        ]
        pictures.append(folder / f"{dataset}-{kind}.png")
        gallery.save(pictures[-1], f"{title}: {len(table):,}", images[rows.index], captions)
    return pictures
