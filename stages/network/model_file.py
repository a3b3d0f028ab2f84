"""The `.keras` file of a network, whose bytes depend on the network alone, and its checksum."""

import json
import zipfile
from pathlib import Path

import keras

from stages.common import checksums
from stages.common.errors import UserError
from stages.common.files import whole_file

MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
BYTES_OF_A_WEIGHT = 4
EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first time that a zip file can state


def save(model: keras.Model, path: Path) -> None:
    """Write a model for prediction: equal networks give equal files.

    The optimiser's state stays out; `keras.saving.load_model` reads the file like any other.

    Args:
        model: the network.
        path: of the file; its checksum gets the same name with .sha256 at the end.
    """
    bare = type(model).from_config(model.get_config())  # without what `compile` added
    bare.set_weights(model.get_weights())
    with whole_file(path, BYTES_OF_A_WEIGHT * bare.count_params()) as new:
        bare.save(new)
        _remove_traces_of_the_run(new)
    checksums.write(checksums.beside(path), [path])


def load(path: Path) -> keras.Model:
    """Read what `save` has written, and nothing else: no code from the file is run.

    Raises:
        UserError: if there is no such file, it is another one than was written, or no network.
    """
    if not path.exists():
        raise UserError(f"{path}: expected a trained network, found no file; run dvc repro train")
    checksums.check(checksums.beside(path), [path])
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
        if set(members) != MEMBERS:
            raise ValueError(f"the members {members}")  # noqa: TRY301 - one message for all that can be wrong
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # noqa: BLE001 - a file from elsewhere makes Keras raise anything
        raise UserError(
            f"{path}: expected a network of this project, found: {error}; run dvc repro train"
        ) from None


def _remove_traces_of_the_run(path: Path) -> None:
    """Rewrite a .keras file without times."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in sorted(archive.namelist())}

    metadata = json.loads(members["metadata.json"])
    del metadata["date_saved"]
    members["metadata.json"] = json.dumps(metadata).encode()

    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, EARLIEST), content)
