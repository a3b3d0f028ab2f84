"""The generated parts of docs/architecture.md: python -m tools.plots.architecture."""

import ast
import subprocess
from pathlib import Path

from stages import parameters
from stages.common import command, files
from tools.common import markdown

PAGE = Path("docs/architecture.md")


def graph() -> str:
    """The stages of a data set and what each takes from which, as `dvc dag` has them, in Mermaid."""
    dataset = next(iter(parameters.load().datasets))
    command = ["dvc", "dag", "--mermaid", f"evaluate@{dataset}"]
    drawn = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return f"```mermaid\n{drawn.strip().expandtabs(4).replace(f'@{dataset}', '')}\n```"


def modules(folder: str) -> str:
    """The modules of a folder, each with the first sentence of its docstring."""
    rows = []
    for path in sorted(Path(folder).glob("*.py")):
        sentence = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
        rows.append([f"[{markdown.text(path.name)}](../{path.as_posix()})", sentence])
    return markdown.table(["module", "what it is"], rows)


def made(mark: str) -> str:
    """A part of the page by its name: `stages` of the pipeline, or `modules of FOLDER`."""
    return graph() if mark == "stages" else modules(mark.removeprefix("modules of "))


def write() -> None:
    """Write the page anew."""
    files.write_text(PAGE, markdown.filled(PAGE.read_text(encoding="utf-8"), PAGE, made))


if __name__ == "__main__":
    command.finish(write)
