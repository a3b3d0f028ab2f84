"""The `.keras` file of a network, and its checksum: equal networks give equal bytes."""

import json
import zipfile
from pathlib import Path

from stages.common import checksums, remedies
from stages.common.backend import keras
from stages.common.errors import UserError
from stages.common.files import atomic_file
from stages.network import build  # noqa: F401 - registers layers of one's own there, which files may have

MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
BYTES_PER_WEIGHT = 4
EARLIEST_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def save(model: keras.Model, path: Path) -> None:
    """Write a model for prediction.

    The optimiser's state stays out. `keras.saving.load_model` reads the file like any other.

    Args:
        model: the network.
        path: the file to write; its checksum gets the same name with .sha256 at the end.
    """
    uncompiled = type(model).from_config(model.get_config())  # without what `compile` added
    uncompiled.set_weights(model.get_weights())
    with atomic_file(path, BYTES_PER_WEIGHT * uncompiled.count_params()) as unfinished:
        uncompiled.save(unfinished)
        _remove_times(unfinished)
    checksums.write(checksums.checksum_path(path), [path])


def expect_savable(model: keras.Model) -> None:
    """Raise a UserError if `save` could not write a model, as is better known before the training."""
    try:
        type(model).from_config(model.get_config())
    except Exception as error:  # noqa: BLE001 - a layer of one's own may raise anything
        reason = (str(error) or type(error).__name__).partition(" Full object config:")[0]
        raise UserError(
            "stages/network: expected layers that Keras can save, and build again from their configuration, "
            f"found: {reason}; give each layer of your own a get_config with the arguments of its __init__, "
            "and the line @keras.saving.register_keras_serializable() above its class"
        ) from None


def load(path: Path) -> keras.Model:
    """Read a model that `save` has written; no code from the file is run.

    Raises:
        UserError: if there is no such file, or the file has another checksum, or no network.
    """
    if not path.exists():
        raise UserError(
            f"{path}: expected a trained network, found no file; {remedies.get_or_make(f'train@{path.stem}')}"
        )
    checksums.check(checksums.checksum_path(path), [path])
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
        if set(members) != MEMBERS:
            raise ValueError(f"the members {members}")  # noqa: TRY301 - one message for all that can be wrong
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # noqa: BLE001 - a file from elsewhere makes Keras raise anything
        raise UserError(
            f"{path}: expected a network of this project, found: {error}; run dvc repro train@{path.stem}"
        ) from None


def _remove_times(path: Path) -> None:
    """Rewrite a .keras file without times."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in sorted(archive.namelist())}

    metadata = json.loads(members["metadata.json"])
    del metadata["date_saved"]
    members["metadata.json"] = json.dumps(metadata).encode()

    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, EARLIEST_ZIP_TIME), content)
