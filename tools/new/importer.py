"""Importer of a data set from a folder, a URL or an archive: its source, and its IDX files."""

from pathlib import Path
from typing import Any, NamedTuple

from stages.common import layout
from stages.common.addresses import hide_secrets
from stages.common.errors import UserError
from stages.common.validation import validate
from stages.sources import picture_folders, places
from stages.sources.schema import Url
from tools.new import arrays, download, idx_files, pictures

OTHER_SUFFIXES = (".7z", ".rar", ".gz", ".png", ".jpg", ".jpeg", ".csv", ".parquet", ".html")


class Imported(NamedTuple):
    """A data set that was read from where it is.

    Attributes:
        source: the content of `source` in params.yaml.
        files: the content of `files` in params.yaml.
        names: by the name of each raw file, the name by which a person knows it.
        notes: what was left out, or drawn.
    """

    source: dict[str, Any]
    files: dict[str, dict[str, Any]]
    names: dict[str, str]
    notes: list[str]


def _expect_known_kind(origin: str) -> None:
    """Raise a UserError if a place is a file, or a URL of one, of a kind that cannot be imported."""
    if "://" in origin and "?" in origin:
        raise UserError(
            f"{hide_secrets(origin)}: expected a URL that ends with the name of a file or a folder, found a "
            "query after ?; download the file, and name it"
        )
    if "://" in origin and (picture_folders.is_archive(origin) or origin.lower().endswith(OTHER_SUFFIXES)):
        raise UserError(
            f"{origin}: expected the URL of an .npz file or of a folder of IDX files, found another file; "
            "download it, and name what you have then"
        )
    if (
        Path(origin).is_file()
        and not picture_folders.is_archive(origin)
        and not origin.lower().endswith(".npz")
    ):
        raise UserError(
            f"{origin}: expected a folder, or a .zip, .tar or .npz file, found a file of another kind; "
            "unpack it, if it is an archive, and name the folder"
        )


def import_dataset(origin: str, folder: Path, groups: str | None = None) -> Imported:
    """Write the IDX files of a data set into a folder.

    Args:
        origin: the folder or URL to import from; `~` is the home directory.
        folder: gets the IDX files, under the names that MNIST gave them.
        groups: for pictures, what tells the groups that must not be divided.

    Raises:
        UserError: if there is no data set of a known kind.
    """
    validate(Url, origin, "FROM")  # before a password is sent anywhere
    if "://" not in origin:
        origin = str(places.expand(origin))
    _expect_known_kind(origin)
    source_names: dict[str, str] = {}
    notes: list[str] = []
    if origin.lower().endswith(".npz"):
        source, names, notes = arrays.import_archive(origin, folder)
    elif "://" not in origin and (
        picture_folders.is_archive(origin)
        or (Path(origin).is_dir() and not idx_files.has_idx_files(Path(origin)))
    ):
        source, notes = pictures.import_pictures(origin, folder, groups)
        names = {}
    else:
        source, source_names = idx_files.import_files(origin, folder)
        names = source_names
    if groups is not None and source["kind"] != "pictures":
        raise UserError(
            f"GROUPS: expected a folder of pictures, whose paths tell groups, found {origin}; leave GROUPS "
            "out"
        )
    present = [name for part in layout.PARTS.values() for name in part if (folder / name).exists()]
    files = {name: download.describe(folder / name) for name in present}
    for name, source_name in source_names.items():
        if source_name != name:
            files[name]["name"] = source_name
    return Imported(source, files, names, notes)
