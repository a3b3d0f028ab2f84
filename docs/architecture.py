"""What docs/architecture.md says of the code, from the code: python -m docs.architecture writes it there."""

import ast
import subprocess
from pathlib import Path

from compare import markdown
from stages import command, files, parameters

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
