"""The stage preprocess: training, validation and test split of a data set, as checked arrays."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from stages.checks import counts, description, findings, likeness, samples
from stages.checks.description import Description
from stages.checks.parts import MOST_LABELS_SHOWN, read_parts
from stages.checks.schema import Checks
from stages.common import checksums, layout
from stages.common.errors import UserError
from stages.common.files import write_text
from stages.common.params_file import read_dataset, read_shared
from stages.common.seeds import derive_seed
from stages.sources import picture_list
from stages.splits import arrays
from stages.splits.arrays import Split
from stages.splits.schema import PreprocessParameters

Rows = NDArray[np.int64]


def hold_out(labels: NDArray[Any], validation_images: int, seed: int) -> tuple[Rows, Rows]:
    """Divide training images into a training split and a held-out validation split, stratified by class.

    Args:
        labels: shape (n,), the class of each image.
        validation_images: the number of images to hold out.
        seed: decides which images are held out.

    Returns:
        The rows of both splits, in ascending order.

    Raises:
        UserError: if a class would have no training images; a rare class may have no validation images.
        ValueError: if a class has a single image, which cannot be divided.
    """
    class_count, images = int(labels.max()) + 1, len(labels)
    if not class_count <= validation_images <= images - class_count:
        raise UserError(
            f"params.yaml: validation_images: expected from {class_count} (one a class) to "
            f"{images - class_count}, found {validation_images}"
        )
    training, validation = train_test_split(
        np.arange(images),
        test_size=validation_images,
        stratify=labels,
        random_state=derive_seed(seed, "split"),
    )
    if len(np.unique(labels[training])) < class_count:
        raise UserError(
            f"params.yaml: validation_images: expected a number that leaves every class in training, "
            f"found {validation_images}; lower validation_images"
        )
    return np.sort(training), np.sort(validation)


def divide(parameters: PreprocessParameters, raw: Path) -> dict[str, tuple[Split, Rows]]:
    """Divide a data set into `train`, `validation` and `test`.

    Labels count from 0 or from 1, as the training labels do. Every class has training images; a class may
    have no test images. Validation images are held out of the training images, unless there are raw files of
    them.

    Args:
        parameters: the parameters of the data set.
        raw: the folder of its raw files.

    Returns:
        By split: the whole part of the data set (training or test), and the rows of the split in it.

    Raises:
        UserError: if a raw file is not what the parameters say.
    """
    parts = read_parts(parameters, raw)
    training = parts["train"]
    if "validation" in parts:
        found = len(parts["validation"].labels)
        if found != parameters.validation_images:
            raise UserError(
                f"params.yaml: validation_images: expected {found}, the number of images in "
                f"{raw / layout.VALIDATION_IMAGES}, found {parameters.validation_images}"
            )
        return {split: (part, np.arange(len(part.labels))) for split, part in parts.items()}
    rare = np.flatnonzero(np.bincount(training.labels) < 2)[:MOST_LABELS_SHOWN]  # noqa: PLR2004 - one for each part
    if rare.size:
        raise UserError(
            f"{raw / layout.TRAIN_LABELS}: expected at least two training images of each class, found one of "
            f"{', '.join(parameters.classes[label] for label in rare)}; add images, or remove the class"
        )
    rows, held_out = hold_out(training.labels, parameters.validation_images, parameters.seed)
    return {
        "train": (training, rows),
        "validation": (training, held_out),
        "test": (parts["test"], np.arange(len(parts["test"].labels))),
    }


def examine(
    parameters: PreprocessParameters, raw: Path, splits: Mapping[str, tuple[Split, Rows]]
) -> counts.Content:
    """Count what may be wrong with the images and labels of a data set, as `counts.examine` does.

    Args:
        parameters: the parameters of the data set.
        raw: the folder of its raw files.
        splits: as `divide` returns them.
    """
    files, pictures, examined = parameters.files.items_by_file(), picture_list.read(raw), {}
    for split, (whole, rows) in splits.items():
        part = split if layout.PARTS[split][0] in files else "train"
        if pictures is not None and len(of_part := pictures[pictures["part"] == part]) == len(whole.labels):
            of_split = of_part.iloc[rows]
            sizes = of_split[["height", "width"]].to_numpy(np.int64)
            examined[split] = counts.Examined(whole, rows, of_split["file"].tolist(), sizes)
        else:
            names = [f"image {row} of {layout.PARTS[part][0]}" for row in rows]
            examined[split] = counts.Examined(whole, rows, names)
    return counts.examine(examined, parameters.classes)


def describe(parameters: PreprocessParameters, splits: Mapping[str, tuple[Split, Rows]]) -> Description:
    """Describe a data set to the users of its network, from its training and validation images."""
    images = splits["train"][0].images
    return Description(
        classes=parameters.classes,
        shape=[*images.shape[1:]],
        dtype=images.dtype.name,
        largest_pixel=parameters.largest_pixel,
        likeness=likeness.learn(splits["train"], splits["validation"], parameters.largest_pixel),
    )


def main(name: str) -> None:
    """Read data/raw/DATASET/, and write data/processed/DATASET/, what the checks found, and a description."""
    parameters, raw = read_dataset(PreprocessParameters, name), layout.raw(name)
    checks = read_shared(Checks, "checks")
    for file, expected in parameters.files.items_by_file().items():
        checksums.check_file(raw / file, expected.sha256)
    splits = divide(parameters, raw)
    content = examine(parameters, raw, splits)
    found = findings.list_findings(content)
    for finding in found:
        print(f"warning: {name}: {finding.text}", file=sys.stderr)
    if checks.strict:
        findings.expect_nothing_grave(found, f"{raw}")
    write_text(layout.findings(name), json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    samples.draw_samples(layout.samples(name), splits, parameters.classes)
    description.write(layout.description(name), describe(parameters, splits))
    for split, (whole, rows) in splits.items():
        folder = layout.processed(name, split)
        arrays.write(folder, whole, rows)
        print(f"{folder}: {len(rows):,} images", flush=True)
