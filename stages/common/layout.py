"""Paths of the files of a data set, relative to the project's root; dvc.yaml names the same paths."""

from pathlib import Path
from typing import Final

# The files of a data set in the IDX format, under the names that MNIST gave them. Validation files are there
# only if a source has validation images of its own.
TRAIN_IMAGES: Final = "train-images-idx3-ubyte"
TRAIN_LABELS: Final = "train-labels-idx1-ubyte"
VALIDATION_IMAGES: Final = "validation-images-idx3-ubyte"
VALIDATION_LABELS: Final = "validation-labels-idx1-ubyte"
TEST_IMAGES: Final = "t10k-images-idx3-ubyte"
TEST_LABELS: Final = "t10k-labels-idx1-ubyte"
PICTURE_LIST: Final = "pictures.csv"  # beside raw files that were made of pictures
RAW_FILES: Final = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)
# The images and the labels of each part.
PARTS: Final = {
    "train": (TRAIN_IMAGES, TRAIN_LABELS),
    "validation": (VALIDATION_IMAGES, VALIDATION_LABELS),
    "test": (TEST_IMAGES, TEST_LABELS),
}

SPLITS: Final = ("train", "validation", "test")
SCORED_SPLITS: Final = ("validation", "test")

# The folders of everything that stages write.
OUTPUTS: Final = tuple(map(Path, ("data/raw", "data/processed", "models", "metrics", "predictions", "plots")))

DECIMALS: Final = 6  # of metrics and learning curves; later decimals of sums differ between processors


def raw(name: str) -> Path:
    """Return the folder of the four IDX files."""
    return Path("data/raw", name)


def processed(name: str, split: str) -> Path:
    """Return the folder of the arrays of one of `SPLITS`."""
    return Path("data/processed", name, split)


def model(name: str) -> Path:
    """Return the file of the trained network."""
    return Path("models", f"{name}.keras")


def checksum(name: str) -> Path:
    """Return the file with the SHA-256 of the trained network."""
    return Path("models", f"{name}.keras.sha256")


def architecture(name: str) -> Path:
    """Return the file that names the architecture of the processor that trained the network."""
    return Path("models", f"{name}.architecture")


def description(name: str) -> Path:
    """Return the file that describes the images and classes of a data set to users of its network."""
    return Path("models", f"{name}.json")


def checkpoint(name: str) -> Path:
    """Return the file with the state of a training in progress, which is no output."""
    return Path("models", f".{name}.checkpoint.npz")


def metrics(name: str) -> Path:
    """Return the file of the metrics of each of `SCORED_SPLITS`."""
    return Path("metrics", f"{name}.json")


def history(name: str) -> Path:
    """Return the file of the learning curves."""
    return Path("plots/history", f"{name}.csv")


def predictions(name: str, split: str) -> Path:
    """Return the file of the predictions for one of `SCORED_SPLITS`, image by image."""
    return Path("predictions", name, f"{split}.csv")


def confusion(name: str) -> Path:
    """Return the file of the confusion matrix of the test split."""
    return Path("plots/confusion", f"{name}.csv")


def classes(name: str) -> Path:
    """Return the file of precision, recall and F1 of each class of the test split."""
    return Path("plots/classes", f"{name}.csv")


def reliability(name: str) -> Path:
    """Return the file of the reliability diagram of the test split."""
    return Path("plots/reliability", f"{name}.csv")


def mistakes(name: str) -> Path:
    """Return the picture of the most confident mistakes of the test split."""
    return Path("plots/mistakes", f"{name}.png")


def findings(name: str) -> Path:
    """Return the file of what the checks before training have counted."""
    return Path("plots/data", f"{name}.json")


def samples(name: str) -> Path:
    """Return the picture of some training images of each class."""
    return Path("plots/data", f"{name}.png")


def outputs(name: str) -> list[Path]:
    """Return every file and folder that the stages of a data set write."""
    return [
        raw(name),
        *(processed(name, split) for split in SPLITS),
        model(name),
        checksum(name),
        architecture(name),
        description(name),
        metrics(name),
        *(predictions(name, split) for split in SCORED_SPLITS),
        *(path(name) for path in (history, confusion, classes, reliability, mistakes, findings, samples)),
    ]
