"""A `.keras` file whose bytes depend on the network alone."""

import json
import zipfile
from pathlib import Path
from typing import Any

import keras

from stages.files import whole_file

EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first time that a zip file can state


def save(model: keras.Model, path: Path) -> None:
    """Write a model for prediction: equal networks give equal files.

    The optimiser's state stays out; `keras.saving.load_model` reads the file like any other.
    """
    bare = type(model).from_config(model.get_config())  # without what `compile` added
    bare.set_weights(model.get_weights())
    with whole_file(path) as new:
        bare.save(new)
        _remove_traces_of_the_run(new)


def _remove_traces_of_the_run(path: Path) -> None:
    """Rewrite a .keras file without times and memory addresses."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in sorted(archive.namelist())}

    metadata = json.loads(members["metadata.json"])
    del metadata["date_saved"]
    members["metadata.json"] = json.dumps(metadata).encode()

    numbers: dict[int, int] = {}

    def renumber(node: dict[str, Any]) -> dict[str, Any]:
        # Keras identifies an object that several layers share by its memory address.
        if "shared_object_id" in node:
            node["shared_object_id"] = numbers.setdefault(node["shared_object_id"], len(numbers))
        return node

    members["config.json"] = json.dumps(json.loads(members["config.json"], object_hook=renumber)).encode()

    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, EARLIEST), content)
