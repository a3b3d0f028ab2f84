"""A training that goes on after an interruption: the same bytes as without one."""

import random
from pathlib import Path

import numpy as np
import pytest
from helpers import ROOT
from sklearn.datasets import load_digits

from stages import parameters
from stages.common.backend import keras
from stages.common.errors import UserError
from stages.common.fields import Augmentation
from stages.network import checkpoint as module
from stages.network.checkpoint import Checkpoint, compute_fingerprint
from stages.network.schema import Network
from stages.splits.arrays import Split
from stages.train import train

EPOCHS = 8


@pytest.fixture(scope="module")
def splits() -> tuple[Split, Split]:
    bunch = load_digits()
    images, labels = bunch.images.astype(np.uint8), bunch.target.astype(np.uint8)
    return Split(images[:300], labels[:300]), Split(images[300:400], labels[300:400])


@pytest.fixture(autouse=True)
def after_each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after each epoch, however long the writing takes."""
    monkeypatch.setattr(module, "SHARE_OF_TIME", float("inf"))


def dataset(**changes: object) -> parameters.Dataset:
    digits = parameters.load(ROOT / "params.yaml").dataset("digits")
    training = digits.training.model_copy(update={"epochs": EPOCHS, **changes})
    return digits.model_copy(update={"training": training})


DISTORTED = Augmentation(shift=1, rotation=5, scaling=5, elastic=1, erasing=0.5)
KINDS = {
    "dense, with dropout": dataset(),
    "distorted images, batch normalisation, convolutions": dataset(augmentation=DISTORTED).model_copy(
        update={"network": Network(convolutions=[[4]], hidden=[16], dropout=0.2, batch_normalization=True)}
    ),
    "residual convolutions, the mean over places": dataset().model_copy(
        update={
            "network": Network(
                convolutions=[[4] * 3, [8] * 3],
                residual=True,
                average_pooling=True,
                hidden=[],
                dropout=0.0,
                batch_normalization=True,
            )
        }
    ),
    "SGD, balanced classes, smoothed labels": dataset(
        optimizer="SGD", momentum=0.9, weight_decay=0.001, balance=0.5, label_smoothing=0.1
    ),
}


class Interruption(keras.callbacks.Callback):
    """An interruption at the beginning of an epoch, as by Ctrl-C."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:  # noqa: ARG002
        if epoch == self.epoch:
            raise KeyboardInterrupt


def bytes_of(model: keras.Model) -> list[bytes]:
    return [weights.tobytes() for weights in model.get_weights()]


def interrupt(path: Path, splits: tuple[Split, Split], kind: parameters.Dataset, epoch: int) -> None:
    """Train up to an epoch, from a checkpoint if there is one, and leave the next."""
    with pytest.raises(KeyboardInterrupt):
        train(kind, *splits, [Interruption(epoch)], checkpoint=Checkpoint(path, "same"), quiet=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_training_ends_with_the_same_bytes(
    tmp_path: Path, splits: tuple[Split, Split], kind: str
) -> None:
    model, history = train(KINDS[kind], *splits, quiet=True)
    path = tmp_path / "checkpoint.npz"
    for moment in sorted(random.Random(kind).sample(range(1, EPOCHS), 2)):  # each goes on from the last
        interrupt(path, splits, KINDS[kind], moment)
    checkpoint = Checkpoint(path, "same")
    begun: list[int] = []
    counter = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, *_: begun.append(epoch))
    resumed, resumed_history = train(KINDS[kind], *splits, [counter], checkpoint=checkpoint, quiet=True)
    assert begun == list(range(moment, EPOCHS))
    assert bytes_of(resumed) == bytes_of(model)
    assert resumed_history.equals(history)
    # Killed between the last epoch and the results.
    again, again_history = train(
        KINDS[kind], *splits, [Interruption(0)], checkpoint=Checkpoint(path, "same"), quiet=True
    )
    assert bytes_of(again) == bytes_of(model)
    assert again_history.equals(history)


def test_a_checkpoint_of_another_training_is_removed(tmp_path: Path, splits: tuple[Split, Split]) -> None:
    path = tmp_path / "checkpoint.npz"
    interrupt(path, splits, dataset(), 3)
    with pytest.raises(KeyboardInterrupt):
        train(dataset(), *splits, [Interruption(0)], checkpoint=Checkpoint(path, "other"), quiet=True)
    assert not path.exists()


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["a byte", "half", "nothing", "text"])
def test_a_damaged_checkpoint_is_told_and_removed(
    tmp_path: Path, splits: tuple[Split, Split], capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    path = tmp_path / "checkpoint.npz"
    interrupt(path, splits, dataset(), 3)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    damages = {"a byte": content, "half": content[: len(content) // 2], "nothing": b"", "text": b"text"}
    path.write_bytes(damages[damage])
    capsys.readouterr()
    with pytest.raises(KeyboardInterrupt):
        train(dataset(), *splits, [Interruption(0)], checkpoint=Checkpoint(path, "same"), quiet=True)
    said = capsys.readouterr().out
    assert said.startswith(f"{path}: expected the state of a training, found: ")
    assert said.endswith("; the training begins anew\n")
    assert said.count("\n") == 1
    assert not path.exists()


def test_a_diverged_training_leaves_no_state_that_is_not_finite(
    tmp_path: Path, splits: tuple[Split, Split]
) -> None:
    diverging = dataset(optimizer="SGD", momentum=0.9, learning_rate=1e30, weight_decay=0.0, warmup_epochs=0)
    checkpoint = Checkpoint(tmp_path / "checkpoint.npz", "same")
    with pytest.raises(UserError, match="expected a loss that stays finite"):
        train(diverging, *splits, checkpoint=checkpoint, quiet=True)
    assert not np.isfinite(list(checkpoint.epochs[-1].values())).all()
    assert not checkpoint.path.exists()


def test_a_training_that_diverges_late_leaves_no_checkpoint(
    tmp_path: Path, splits: tuple[Split, Split]
) -> None:
    path = tmp_path / "checkpoint.npz"
    gentle = {"optimizer": "SGD", "momentum": 0.9, "weight_decay": 0.0, "warmup_epochs": 0}
    interrupt(path, splits, dataset(**gentle, learning_rate=0.001), 3)
    diverging = dataset(**gentle, learning_rate=1e30)
    with pytest.raises(UserError, match="expected a loss that stays finite"):
        train(diverging, *splits, checkpoint=Checkpoint(path, "same"), quiet=True)
    assert not path.exists()


@pytest.mark.slow
@pytest.mark.parametrize("change", ["shape", "type"])
def test_a_checkpoint_of_other_variables_changes_nothing(
    tmp_path: Path, splits: tuple[Split, Split], change: str
) -> None:
    """No variable is assigned, though the first ones would fit."""
    path = tmp_path / "checkpoint.npz"
    model, _ = train(dataset(), *splits, quiet=True)
    interrupt(path, splits, dataset(), 3)
    with np.load(path) as file:
        state = dict(file)
    last = max((name for name in state if name.startswith("variable_")), key=lambda name: int(name[9:]))
    state[last] = state[last][..., None] if change == "shape" else state[last].astype(np.float64)
    np.savez(path, **state)
    anew, history = train(dataset(), *splits, checkpoint=Checkpoint(path, "same"), quiet=True)
    assert len(history) == EPOCHS
    assert bytes_of(anew) == bytes_of(model)


def test_writing_takes_its_share_of_the_time_alone(
    tmp_path: Path, splits: tuple[Split, Split], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHARE_OF_TIME", 1e-9)
    train(dataset(), *splits, checkpoint=Checkpoint(tmp_path / "checkpoint.npz", "same"), quiet=True)
    with np.load(tmp_path / "checkpoint.npz") as file:
        assert file["epochs"].item().count("val_loss") == 1  # the first epoch's alone


def test_the_fingerprint_follows_from_parameters_data_code_packages_and_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    first = compute_fingerprint(dataset(), "data")
    assert compute_fingerprint(dataset(), "data") == first
    versions = tmp_path / "versions.yaml"
    versions.write_text("keras: '4'\n")
    others = [
        compute_fingerprint(dataset(batch_size=32), "data"),
        compute_fingerprint(dataset().model_copy(update={"seed": 1}), "data"),
        compute_fingerprint(dataset(), "other data"),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(module.packages, "FILE", versions)
        others.append(compute_fingerprint(dataset(), "data"))
    with monkeypatch.context() as patch:
        patch.setattr(module, "describe_architecture", lambda: "x86_64, native, another processor")
        others.append(compute_fingerprint(dataset(), "data"))
    with monkeypatch.context() as patch:
        code = tmp_path / "layers.py"
        code.write_bytes((ROOT / "stages/network/layers.py").read_bytes() + b"\n")
        patch.setattr("stages.network.layers.__file__", str(code))
        others.append(compute_fingerprint(dataset(), "data"))
    assert len({first, *others}) == 1 + len(others)
