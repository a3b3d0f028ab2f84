"""Bad input of every kind: it is read as what it is, or it is an error of one line, and no file changes."""

import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults.conftest import Tally
from helpers import ROOT, TWIN, Project, set_value
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from ruamel.yaml import YAML

from stages import parameters
from stages.common import checksums
from stages.common.backend import keras
from stages.common.errors import UserError
from stages.network import build, model_file
from stages.network.schema import Network
from stages.sources import idx, npz, picture_files
from stages.sources.schema import ArrayNames, Npz
from stages.splits import arrays

LONGEST = 3000  # characters of an error


def mutated(content: bytes, chance: random.Random, tokens: list[bytes]) -> bytes:
    """The content with a few random changes: bytes, pieces moved or lost, and tokens put in."""
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(content) + 1)
        end = min(len(content), at + chance.choice([1, 1, 4, 30, 300]))
        new = chance.choice([b"", bytes([chance.randrange(256)]), chance.choice(tokens), content[at:end] * 2])
        content = content[:at] + new + content[chance.choice([at, end]) :]
    return content


def read_or_refused(read: Callable[[], object], path: Path, *others: str) -> bool:
    """Whether it was read; otherwise an error names it, or another place. Any other exception passes."""
    try:
        read()
    except UserError as error:
        assert str(error).startswith((str(path), path.name, *others)), error
        return False
    return True


YAML_TOKENS = [
    b"&a ", b"*a", b"<<: *a", b"!!python/object/apply:os.system ['true']", b"!!binary x", b"!!set {a}",
    b"!!float x", b"!!int x", b"!!timestamp x", b"!<tag:yaml.org,2002:int> x", b"!!omap [a]", b"---\n",
    b"%YAML 1.1\n---\n", b"...\n", b"'", b'"', b"{", b"}", b"[", b"]", b"- ", b": ", b"? ", b"| ", b"> ",
    b"@", b"`", b"#", b"~", b"=", b"\t", b".nan", b".inf", b"1e999", b"null", b"yes", b"2020-13-45", b"0x10",
    b"1_0", b"9" * 5000, b"\0", b"\x85", b"\xff\xfe", "\u2028".encode(), "\uff10".encode(), "\u0430".encode(),
    "\ufeff".encode(), b"[" * 2000,
]  # fmt: skip


@pytest.mark.timeout(1800)
def test_a_params_yaml_that_is_mutated(tally: Tally, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    whole = (ROOT / "params.yaml").read_bytes()
    read = 0
    for number in range(tally.number(300, 4000)):
        path.write_bytes(mutated(whole, tally.random, YAML_TOKENS))
        with tally.case(f"{number}: {path.read_bytes()!r}"):
            read += read_or_refused(lambda: parameters.load(path), path)
    assert 0 < read < 0.9 * tally.cases


def places(content: Any, path: tuple[str, ...] = ()) -> list[str]:
    """The dotted key of everything in a section."""
    items = content.items() if isinstance(content, dict) else ()
    items = enumerate(content) if isinstance(content, list) else items
    inner = [place for key, value in items for place in places(value, (*path, str(key)))]
    return [".".join(path), *inner] if path else inner


CONTENT = YAML(typ="safe").load(ROOT / "params.yaml")["datasets"]["digits"]
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["1", "1.0", "nan", "0.1", "true", "mirrors", "\u0661", "\uff41", "../x", "-rf", "x" * 300]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@pytest.mark.timeout(1800)
def test_a_parameter_of_another_value(tally: Tally) -> None:
    @settings(max_examples=tally.number(300, 10_000), database=None, derandomize=True, deadline=None)
    @given(place=st.sampled_from(places(CONTENT)), value=values)
    def check(place: str, value: object) -> None:
        changed = json.loads(json.dumps(CONTENT))
        set_value(changed, place, value)
        with tally.case(f"{place}: {value!r}"):
            try:
                accepted = parameters.Dataset.model_validate(changed)
            except ValueError:
                return
            if isinstance(changed["classes"], int):  # their number stands for their names
                changed["classes"] = [str(number) for number in range(changed["classes"])]
            # What is accepted is what was written: nothing was converted to another type.
            assert accepted.model_dump(by_alias=True, exclude_unset=True) == changed

    check()


BOMB = "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))])
FILES = {
    "a bomb of aliases": (BOMB.encode(), "expected at most 100,000 values, found more"),
    "an alias of itself": (b"datasets: &a [*a]", "expected at most 100,000 values, found more"),
    "10 MB": (b"a: " + b"x" * 10_000_000, "expected at most 1,000,000 bytes, found 10,000,003"),
    "depth": (b"[" * 100_000, "expected YAML, found"),
    "a duplicate key": (b"datasets: {}\ndatasets: {}\n", "expected YAML, found"),
    "a tab": (b"datasets:\n\ta: 1\n", "expected YAML, found"),
    "no UTF-8": (b"\xff\xfe\x00", "expected YAML, found"),
    "an object": (b"!!python/object/apply:os.system [touch harmed]", "expected YAML, found"),
    "commands for the terminal": (b'datasets: {"\\e[31m\\a": 1}', "\\x1b[31m\\x07"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_params_yaml_that_means_harm(project: Project, tally: Tally, name: str) -> None:
    tally.fault = "a params.yaml that means harm"
    content, message = FILES[name]
    (project.folder / "params.yaml").write_bytes(content)
    with tally.case(name):
        assert message in refused(project, "stages", "fetch", TWIN)


def refused(project: Project, *command: str) -> str:
    """Run a command that must be refused, and return the error."""
    before = project.files("*", "[d-z]*/**/*")
    done = project.here(*command, expect=2)
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < LONGEST
    assert done.stderr[:-1].isprintable()
    assert project.files("*", "[d-z]*/**/*") == before
    return done.stderr


NAMES = [
    "../digits", "-rf", "two words", "", "new\nline", "x" * 300, "digits/", "$(touch harmed)", "\x1b[31m",
    "digits\u200b",
]  # fmt: skip


@pytest.mark.timeout(1800)
def test_a_name_of_a_data_set_or_revision(project: Project, tally: Tally) -> None:
    commands = [
        ("stages", "fetch"), ("tools.review",), ("tools.review", "main"), ("tools.verify",), ("stages",),
    ]  # fmt: skip
    cases = [(command, name) for command in commands for name in NAMES]
    for command, name in tally.random.sample(cases, tally.number(6, 25)):
        with tally.case(f"{command} {name!r}"):
            refused(project, *command, name)


@pytest.mark.timeout(1800)
def test_an_idx_file_that_is_mutated(tally: Tally, tmp_path: Path) -> None:
    path = tmp_path / "file"
    whole = []
    for dtype in idx.DTYPES.values():
        idx.write(path, np.arange(24).reshape(2, 3, 4).astype(dtype))
        whole.append(path.read_bytes())
    tokens = [bytes(4), b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0\0\x08", b"\x1f\x8b", bytes(1000)]
    read = 0
    for number in range(tally.number(4000, 100_000)):
        path.write_bytes(mutated(tally.random.choice(whole), tally.random, tokens))
        with tally.case(f"{number}: {path.read_bytes()!r}"):
            read += read_or_refused(lambda: idx.read(path).tobytes(), path)
    assert 0 < read < 0.5 * tally.cases


@pytest.mark.timeout(1800)
def test_a_npy_file_that_is_mutated(tally: Tally, tmp_path: Path) -> None:
    images, labels = np.zeros((2, 3, 3), np.uint8), np.zeros(2, np.uint8)
    folder = tmp_path / "split"
    arrays.write(folder, arrays.Split(images, labels))
    paths = [folder / name for name in (arrays.IMAGES, arrays.LABELS)]
    whole = [path.read_bytes() for path in paths]
    tokens = [b"|O", b"'descr': 'O'", b"(", b")", b",", b"L", b"9" * 30, b"\x93NUMPY\x02\0", b"\xff"]
    read = 0
    for number in range(tally.number(500, 4000)):
        for path, content in zip(paths, whole, strict=True):
            path.write_bytes(
                mutated(content, tally.random, tokens) if tally.random.random() < 0.7 else content
            )
        checksums.write(folder / arrays.CHECKSUMS, paths)
        with tally.case(f"{number}: {[path.read_bytes() for path in paths]!r}"):
            read += read_or_refused(lambda: np.sum(arrays.read(folder).images), folder)
    assert 0 < read < 0.9 * tally.cases


@pytest.mark.timeout(1800)
def test_an_npz_file_that_is_mutated(tally: Tally, tmp_path: Path) -> None:
    path = tmp_path / "archive.npz"
    names = [str(field.alias) for field in ArrayNames.model_fields.values() if field.is_required()]
    images, labels = np.arange(24).reshape(4, 2, 3), np.arange(4)
    content = dict(zip(names, (images, labels, images[:1], labels[:1]), strict=True))
    whole = []
    for save in (np.savez, np.savez_compressed):
        save(path, **content)
        whole.append(path.read_bytes())
    described = {"name": path.name, "bytes": 1, "sha256": "0" * 64}
    source = Npz.model_validate(
        {"kind": "npz", "urls": ["x"], "archive": described, "arrays": {name: name for name in names}}
    )
    tokens = [bytes(4), b"\xff" * 4, b"PK\x03\x04", b"\x93NUMPY", b"'<i8'", b"'|O'", b"(-1,)", b"9" * 20]
    read = 0
    for number in range(tally.number(1000, 20_000)):
        path.write_bytes(mutated(tally.random.choice(whole), tally.random, tokens))
        with tally.case(f"{number}: {path.read_bytes()!r}"):
            read += read_or_refused(lambda: npz.write_files(source, path, tmp_path), path, "params.yaml")
    assert 0 < read < 0.5 * tally.cases


@pytest.mark.timeout(1800)
def test_a_picture_that_is_mutated(tally: Tally, tmp_path: Path) -> None:
    pixels = np.arange(12 * 10 * 3, dtype=np.uint8).reshape(12, 10, 3)
    whole = []
    for suffix in ("png", "jpeg", "gif", "tiff", "webp", "bmp"):
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, suffix)
        whole.append(content.getvalue())
    path = tmp_path / "picture"
    tokens = [bytes(4), b"\xff" * 4, b"IHDR", b"IDAT", b"\xff\xd8", b"\xff\xc0", b"II*\0", bytes(1000)]
    read = 0
    for number in range(tally.number(1000, 20_000)):
        path.write_bytes(mutated(tally.random.choice(whole), tally.random, tokens))
        with tally.case(f"{number}: {path.read_bytes()!r}"):
            read += read_or_refused(lambda: picture_files.read(path, (8, 8)), path)
    assert 0 < read < tally.cases


def archive(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, member in members.items():
            file.writestr(name, member)
    return content.getvalue()


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the members of the file of a model."""
    small = Network(hidden=[4], dropout=0.1, batch_normalization=True)
    path = tmp_path_factory.mktemp("model") / "model.keras"
    model_file.save(build.build_network(small, (3, 3), 255, 2, seed=0), path)
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def load(path: Path, content: bytes) -> keras.Model:
    path.write_bytes(content)
    checksums.write(checksums.checksum_path(path), [path])
    return model_file.load(path)


@pytest.mark.timeout(1800)
def test_a_keras_file_that_is_mutated(tally: Tally, tmp_path: Path, members: dict[str, bytes]) -> None:
    path = tmp_path / "model.keras"
    tokens = [b"os", b"system", b"Lambda", b"null", b"{", b"}", b"[", b'"', b"__lambda__", b"\xff"]
    read = 0
    for number in range(tally.number(60, 600)):
        name = tally.random.choice(list(members))
        changed = {**members, name: mutated(members[name], tally.random, tokens)}
        content = archive(changed)
        if number % 3 == 0:
            content = mutated(archive(members), tally.random, tokens)
        with tally.case(f"{number}: {name}: {changed[name]!r}"):
            read += read_or_refused(lambda content=content: load(path, content), path)
    assert 0 < read < tally.cases


def with_layer(members: dict[str, bytes], module: str, name: str, **arguments: str) -> dict[str, bytes]:
    config = json.loads(members["config.json"])
    layer = {"module": module, "class_name": name, "config": arguments, "registered_name": None}
    config["config"]["layers"].insert(2, layer)
    return {**members, "config.json": json.dumps(config).encode()}


def test_a_model_that_means_harm(
    tally: Tally, tmp_path: Path, members: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "folder" / "model.keras"
    path.parent.mkdir()
    harmful = keras.layers.Lambda(lambda x: (Path("harmed").touch(), x)[1])
    keras.Sequential([keras.Input((3, 3)), harmful]).save(path)
    (tmp_path / "harmed").unlink()  # Keras calls it once to save it
    with zipfile.ZipFile(path) as file:
        code = {name: file.read(name) for name in file.namelist()}
    origin = (tmp_path / "file").as_uri()
    harm = {
        "code in a Lambda layer": code,
        "a function of Python": with_layer(members, "os", "system", command="touch harmed"),
        "a function of Keras that downloads": with_layer(
            members, "keras.utils", "get_file", fname=str(tmp_path / "harmed"), origin=origin
        ),
        "a path outside of the archive": {**members, "../harmed": b"harm"},
        "an absolute path": {**members, str(tmp_path / "harmed"): b"harm"},
        "assets": {**members, "assets/harmed": b"harm"},
    }
    (tmp_path / "file").write_text("harm")
    assert load(path, archive(members))
    for name, content in harm.items():
        with tally.case(name):
            with pytest.raises(UserError, match="expected a network of this project, found: "):
                load(path, archive(content))
            assert [file for file in tmp_path.rglob("*") if "harmed" in file.name] == []
