"""Where the files of a data set are, relative to the project's root; dvc.yaml names the same paths."""

from pathlib import Path
from typing import Final

# The four files of a data set in the IDX format, under the names that MNIST gave them.
TRAIN_IMAGES: Final = "train-images-idx3-ubyte"
TRAIN_LABELS: Final = "train-labels-idx1-ubyte"
TEST_IMAGES: Final = "t10k-images-idx3-ubyte"
TEST_LABELS: Final = "t10k-labels-idx1-ubyte"

# What becomes of them.
SPLITS: Final = ("train", "validation", "test")


def raw(dataset: str) -> Path:
    """The folder of the four IDX files."""
    return Path("data/raw", dataset)


def processed(dataset: str, split: str) -> Path:
    """The folder of the arrays of one of `SPLITS`."""
    return Path("data/processed", dataset, split)


def model(dataset: str) -> Path:
    """The trained network."""
    return Path("models", f"{dataset}.keras")


def metrics(dataset: str) -> Path:
    """The scores on the test set."""
    return Path("metrics", f"{dataset}.json")


def history(dataset: str) -> Path:
    """The learning curves."""
    return Path("plots/history", f"{dataset}.csv")


def predictions(dataset: str) -> Path:
    """The predictions on the test set, image by image."""
    return Path("predictions", f"{dataset}.csv")


def confusion(dataset: str) -> Path:
    """The confusion matrix on the test set."""
    return Path("plots/confusion", f"{dataset}.csv")


def classes(dataset: str) -> Path:
    """Precision, recall and F1 of each class on the test set."""
    return Path("plots/classes", f"{dataset}.csv")


def reliability(dataset: str) -> Path:
    """The reliability diagram on the test set."""
    return Path("plots/reliability", f"{dataset}.csv")


def mistakes(dataset: str) -> Path:
    """The picture of the most confident mistakes on the test set."""
    return Path("plots/mistakes", f"{dataset}.png")


def environment(dataset: str) -> Path:
    """The machine and the versions that trained the network."""
    return Path("environment", f"{dataset}.json")
