"""Paths of the files of a data set, relative to the project's root; dvc.yaml names the same ones."""

from pathlib import Path
from typing import Final

# The four files of a data set in the IDX format, under the names that MNIST gave them.
TRAIN_IMAGES: Final = "train-images-idx3-ubyte"
TRAIN_LABELS: Final = "train-labels-idx1-ubyte"
TEST_IMAGES: Final = "t10k-images-idx3-ubyte"
TEST_LABELS: Final = "t10k-labels-idx1-ubyte"
RAW_FILES: Final = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)

SPLITS: Final = ("train", "validation", "test")


def raw(dataset: str) -> Path:
    """Return the folder of the four IDX files."""
    return Path("data/raw", dataset)


def processed(dataset: str, split: str) -> Path:
    """Return the folder of the arrays of one of `SPLITS`."""
    return Path("data/processed", dataset, split)


def model(dataset: str) -> Path:
    """Return the file of the trained network."""
    return Path("models", f"{dataset}.keras")


def architecture(dataset: str) -> Path:
    """Return the file that names the architecture of the processor that trained the network."""
    return Path("models", f"{dataset}.architecture")


def metrics(dataset: str) -> Path:
    """Return the file of the metrics on the test set."""
    return Path("metrics", f"{dataset}.json")


def history(dataset: str) -> Path:
    """Return the file of the learning curves."""
    return Path("plots/history", f"{dataset}.csv")


def predictions(dataset: str) -> Path:
    """Return the file of the predictions on the test set, image by image."""
    return Path("predictions", f"{dataset}.csv")


def confusion(dataset: str) -> Path:
    """Return the file of the confusion matrix on the test set."""
    return Path("plots/confusion", f"{dataset}.csv")


def classes(dataset: str) -> Path:
    """Return the file of precision, recall and F1 of each class on the test set."""
    return Path("plots/classes", f"{dataset}.csv")


def reliability(dataset: str) -> Path:
    """Return the file of the reliability diagram on the test set."""
    return Path("plots/reliability", f"{dataset}.csv")


def mistakes(dataset: str) -> Path:
    """Return the picture of the most confident mistakes on the test set."""
    return Path("plots/mistakes", f"{dataset}.png")
