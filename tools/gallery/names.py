"""Names of the picture files that the images of a data set were made of."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stages import parameters, preprocess
from stages.common import layout
from stages.common.errors import UserError
from stages.sources import picture_list
from stages.splits.arrays import Split, count_rows_per_chunk


def find_names(dataset: str, splits: Mapping[str, Split]) -> dict[str, list[str]]:
    """Return the path of the picture of each image, in the folder of the source.

    Preprocess divides the pictures once more, since no file says which ones it has held out.

    Args:
        dataset: the key.
        splits: by name, the images to name, as preprocess has written them.

    Returns:
        By split, a path for each image; nothing for a data set that was not made of pictures.

    Raises:
        UserError: if the raw files are not those that the images were taken from.
    """
    raw = layout.raw(dataset)
    try:
        pictures = picture_list.read(raw)
        if pictures is None:
            return {}
        files_of_parts = {part: rows["file"].to_numpy(object) for part, rows in pictures.groupby("part")}
    except (ValueError, KeyError) as error:
        raise UserError(
            f"{raw / layout.PICTURE_LIST}: expected the pictures in columns part and file, found: "
            f"{' '.join(str(error).split())}; run: dvc checkout"
        ) from None
    section = parameters.load().dataset(dataset)
    present, divided = section.files.items_by_file(), preprocess.divide(section, raw)
    names = {}
    for split, (images, _) in splits.items():
        whole, rows = divided[split]
        part = split if layout.PARTS[split][0] in present else "train"
        files = files_of_parts.get(part, np.array([], object))
        if len(files) != len(whole.labels) or not _are_rows(images, whole, rows):
            raise UserError(
                f"{raw}: expected the pictures of the images in {layout.processed(dataset, split)}, found "
                "others; run: dvc checkout"
            )
        names[split] = [str(file) for file in files[rows]]
    return names


def _are_rows(images: NDArray[np.generic], whole: Split, rows: NDArray[np.int64]) -> bool:
    """Return whether images are some rows of a part of a data set, in this order."""
    step = count_rows_per_chunk(images)
    return len(images) == len(rows) and all(
        np.array_equal(images[start : start + step], whole.images[rows[start : start + step]])
        for start in range(0, len(rows), step)
    )
