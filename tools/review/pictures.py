"""The pictures of a comparison, as PNG files."""

import json
import tempfile
from pathlib import Path

import pandas as pd
import vl_convert

from stages.common import files, layout
from stages.common.errors import UserError
from stages.scoring import gallery
from stages.splits import arrays
from tools.common.programs import dvc
from tools.common.revision import WORKSPACE, Revision
from tools.review.changes import names_for_dvc, test_split

VEGA_LITE = "6.4"  # the version that the templates in .dvc/plots are tried with, here and in the page
SCALE = 1.5  # of a drawn pixel, so that text stays sharp on a dense screen


def draw_plots(base: Revision, later: Revision, datasets: list[str], folder: Path) -> dict[str, list[Path]]:
    """Draw every plot of some data sets as `dvc plots diff` does.

    Returns:
        For each data set the files, DATASET-KIND.png, in the order of kinds in dvc.yaml.
    """
    drawn: dict[str, list[Path]] = {dataset: [] for dataset in datasets}
    if not datasets:
        return drawn
    with tempfile.TemporaryDirectory() as unused:  # where DVC copies the plots that are pictures already
        shown = json.loads(dvc("plots", "diff", "--json", "--out", unused, *names_for_dvc(base, later)))[
            "data"
        ]
    names = {revision.commit: revision.name for revision in (base, later) if revision.commit}
    for plot, charts in shown.items():
        path = Path(plot)
        for chart in charts:
            if path.stem not in datasets or chart["type"] != "vega":
                continue
            rows = chart["content"]["data"]["values"]
            rows.sort(key=lambda row: row["rev"] != base.commit)  # DVC puts the workspace first
            for row in rows:
                row["rev"] = names.get(row["rev"], row["rev"])
            picture = folder / f"{path.stem}-{path.parent.name}.png"
            png = vl_convert.vegalite_to_png(chart["content"], vl_version=VEGA_LITE, scale=SCALE)
            with files.whole_file(picture) as new:
                new.write_bytes(png)
            drawn[path.stem].append(picture)
    return drawn


def copy_mistakes(base: Revision, later: Revision, dataset: str, folder: Path) -> list[Path]:
    """Copy the pictures of the most confident mistakes of both revisions, where they have them."""
    copied = []
    for revision, when in ((base, "before"), (later, "after")):
        content = revision.read(layout.mistakes(dataset))
        if content is not None:
            copied.append(folder / f"{dataset}-mistakes-{when}.png")
            with files.whole_file(copied[-1]) as new:
                new.write_bytes(content)
    return copied


def draw_changed_images(
    compared: pd.Series, lost: pd.DataFrame, gained: pd.DataFrame, later: Revision, dataset: str, folder: Path
) -> list[Path]:
    """Draw the images that went from right to wrong and back, if the test images are here.

    Args:
        compared: the name of the class of each test image.
        lost: as `compare.changes.changed_images` gives them.
        gained: likewise.
        later: the revision whose test images they are.
        dataset: whose images they are.
        folder: to write to.

    Returns:
        The files; none where the test images are not here, or are not the ones that were compared.
    """
    here = later if later.commit is None else Revision(WORKSPACE, None)
    split = test_split(later, dataset)
    if split is None or split != test_split(here, dataset):
        return []
    try:
        images, labels = arrays.read(layout.processed(dataset, "test"))
    except UserError:
        return []
    if len(labels) != len(compared) or len(set(zip(labels, compared, strict=True))) != len(set(compared)):
        return []  # other images than dvc.lock says
    drawn = []
    for table, file, title in (
        (lost, "right-to-wrong", "Right before, wrong after"),
        (gained, "wrong-to-right", "Wrong before, right after"),
    ):
        shown = table.head(gallery.LARGEST)
        captions = [
            f"#{row.Index} {row.actual}\n{row.predicted_before} {row.probability_before:.0%}\n"
            f"→ {row.predicted_after} {row.probability_after:.0%}"
            for row in shown.itertuples()
        ]
        drawn.append(folder / f"{dataset}-{file}.png")
        gallery.save(drawn[-1], f"{title}: {len(table):,}", images[shown.index], captions)
    return drawn
