"""Edits of the text of params.yaml and tools.yaml, which leave every other line as it is."""

import io
import re
import textwrap
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.common import files
from stages.common.errors import UserError
from stages.parameters import FILE as PARAMETERS_FILE
from tools.common import settings

DATASETS = re.compile(r"^datasets:.*", re.MULTILINE)
EMPTY_DATASETS = re.compile(r"^datasets:[ ]*\{\}", re.MULTILINE)
# A key at the left margin, with the comments and blank lines above the key.
NEXT_KEY = re.compile(r"^(?:#.*\n|[ ]*\r?\n)*(?=[^\s#])", re.MULTILINE)
BLANK_END = re.compile(r"(?:\r?\n[ ]*)+\Z")
INDENT = re.compile(r"^( +)[^\s#]", re.MULTILINE)


def insert_section(text: str, name: str, section: dict[str, Any]) -> str:
    """Return the text of a YAML file with one more section, the last under `datasets`; the rest stays.

    Args:
        text: the text of params.yaml or tools.yaml; if `datasets` is missing, it is added at the end.
        name: the key of the section.
        section: its content.
    """
    text = EMPTY_DATASETS.sub("datasets:", text)
    key = DATASETS.search(text)
    start = key.end() if key else len(text)
    next_key = NEXT_KEY.search(text, start)
    end = next_key.start() if next_key else len(text)
    head = BLANK_END.sub("", text[:end])

    indent = INDENT.search(text, start, end)
    block = textwrap.indent(_dump({name: section}), indent[1] if indent else "  ")
    if key is None:
        block = f"datasets:\n{block}"
    line_end = "\r\n" if "\r\n" in text else "\n"
    block = f"\n\n{block.rstrip()}".replace("\n", line_end)
    return head + block + (text[len(head) :] or line_end)


def remove_section(text: str, name: str) -> str:
    """Return the text of a YAML file without a section under `datasets`; comments above it stay.

    Raises:
        UserError: if the text is not laid out in lines, so that the section must be removed by hand.
    """
    start, end = _find_section(text, name)
    line_end = "\r\n" if "\r\n" in text else "\n"
    shorter = BLANK_END.sub("", text[:start]) + line_end + text[end:]
    content = YAML(typ="safe").load(text)
    del content["datasets"][name]
    if not content["datasets"]:
        shorter = DATASETS.sub("datasets: {}", shorter)
        content["datasets"] = {}
    _expect_content(shorter, content, f"remove datasets.{name}")
    return shorter


def rename_section(text: str, name: str, new_name: str) -> str:
    """Return the text of a YAML file with another name of a section under `datasets`.

    Raises:
        UserError: if the text is not laid out in lines, so that the section must be renamed by hand.
    """
    start, end = _find_section(text, name)
    block = re.sub(
        rf"^( +){re.escape(name)}:", rf"\g<1>{new_name}:", text[start:end], count=1, flags=re.MULTILINE
    )
    renamed = text[:start] + block + text[end:]
    content = YAML(typ="safe").load(text)
    content["datasets"] = {
        new_name if key == name else key: value for key, value in content["datasets"].items()
    }
    _expect_content(renamed, content, f"rename datasets.{name}")
    return renamed


def replace_section(text: str, name: str, section: dict[str, Any]) -> str:
    """Return the text of a YAML file with other values in a section under `datasets`; comments stay.

    Args:
        text: the text.
        name: the key of the section.
        section: the keys with other values; None removes a mapping.

    Raises:
        UserError: if the section cannot be read by itself, so that it must be changed by hand.
    """
    start, end = _find_section(text, name)
    block = text[start:end].replace("\r\n", "\n")
    yaml = _make_yaml()
    yaml.preserve_quotes = True
    try:
        content = yaml.load(textwrap.dedent(block))
    except YAMLError:  # as where an alias refers to another section
        raise UserError(
            f"datasets.{name}: expected a section that can be read by itself; edit it by hand"
        ) from None
    (key,) = content
    _update(content[key], section)
    stream = io.StringIO()
    yaml.dump(content, stream)
    indent = re.match(r" *", block[len(block) - len(block.lstrip("\n")) :])
    new = textwrap.indent(stream.getvalue(), indent[0] if indent else "  ")
    if "\r\n" in text:
        new = new.replace("\n", "\r\n")
    changed = text[:start] + new + text[end:]
    expected = YAML(typ="safe").load(text)
    _update(expected["datasets"][name], section)
    _expect_content(changed, expected, f"change datasets.{name}")
    return changed


def fill_empty(text: str, key: str) -> str:
    """Return the text of a YAML file whose key at the left margin has `{}` where nothing is left below it.

    DVC refuses a file with a key of which the value is missing.
    """
    content = YAML(typ="safe").load(text)
    if not isinstance(content, dict) or key not in content or content[key] is not None:
        return text
    return re.sub(rf"^{key}:", f"{key}: {{}}", text, count=1, flags=re.MULTILINE)


def list_sections(text: str) -> list[str]:
    """Return the keys under `datasets` in the text of a YAML file; none if the text cannot be read."""
    try:
        content = YAML(typ="safe").load(text)
        return list(content["datasets"])
    except (YAMLError, TypeError, KeyError):
        return []


def _update(content: Any, values: dict[str, Any]) -> None:
    """Give keys of a mapping other values in place; mappings whose value is None are removed."""
    for key, value in values.items():
        if value is None and isinstance(content.get(key), dict):
            del content[key]
        elif isinstance(value, dict) and isinstance(content.get(key), dict):
            _update(content[key], value)
        elif content.get(key) != value:
            content[key] = value


def _find_section(text: str, name: str) -> tuple[int, int]:
    """Return where the key of a section under `datasets` begins, and where the next one begins."""
    datasets = DATASETS.search(text)
    start = datasets.end() if datasets else len(text)
    next_key = NEXT_KEY.search(text, start)
    end = next_key.start() if next_key else len(text)
    indent = INDENT.search(text, start, end)
    # Comments and blank lines, then a key at the indent of the sections.
    section = re.compile(
        rf"(?P<above>(?:^[ ]*(?:#.*)?\r?\n)*)^{indent[1] if indent else '  '}(?P<key>[^\s#:]+):",
        re.MULTILINE,
    )
    matches = list(section.finditer(text, start + 1, end))
    for number, match in enumerate(matches):
        if match["key"].strip("'\"") == name:
            return match.end("above"), matches[number + 1].start() if number + 1 < len(matches) else end
    raise UserError(
        f"datasets.{name}: expected a section in lines of its own, found none; edit the file by hand"
    )


def _expect_content(text: str, content: Any, task: str) -> None:
    if YAML(typ="safe").load(text) != content:
        raise UserError(f"expected a file laid out in lines, as it came, found another; {task} by hand")


def read(path: Path) -> str:
    """Return the text of a file, without a conversion of line ends."""
    return path.read_bytes().decode()


def write_both(parameters_text: str, settings_text: str) -> None:
    """Replace params.yaml and tools.yaml; after an error, both are as they were."""
    old_settings = settings.FILE.read_bytes()
    try:
        # Both new files are complete before the first replaces its old file; params.yaml is the last.
        with (
            files.atomic_file(PARAMETERS_FILE) as new_parameters,
            files.atomic_file(settings.FILE) as new_settings,
        ):
            new_parameters.write_bytes(parameters_text.encode())
            new_settings.write_bytes(settings_text.encode())
    except BaseException:
        if settings.FILE.read_bytes() != old_settings:
            with files.atomic_file(settings.FILE) as new_settings:
                new_settings.write_bytes(old_settings)
        raise


def _dump(content: dict[str, Any]) -> str:
    stream = io.StringIO()
    _make_yaml().dump(content, stream)
    return stream.getvalue()


def _make_yaml() -> YAML:
    yaml = YAML()
    yaml.width = 2**16  # no line is broken
    return yaml
