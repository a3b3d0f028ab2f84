"""The tolerances of the gate, by the revision that decides them."""

import pytest
from helpers import dump
from review_repository import PARAMETERS, TOLERANCE, TOOLS, Repository

from stages.common.errors import UserError
from tools.common.revision import find_revision
from tools.review import gate


def test_the_tolerances_are_those_of_the_base(repository: Repository) -> None:
    repository.set_tool("review.tolerance.accuracy", 1.0)
    main, workspace = find_revision("main"), find_revision("workspace")
    assert gate.read_tolerance(main, workspace) == TOLERANCE
    assert gate.find_changed_tolerance(main, workspace) == {
        "tools.yaml: review.tolerance.accuracy": (0.002, 1.0)
    }


def test_where_the_base_has_no_tolerance_the_later_revision_decides(repository: Repository) -> None:
    repository.edit_tools(lambda content: content["review"]["tolerance"].pop("log_loss"))
    repository.commit("Without a tolerance")
    base = find_revision("HEAD")
    repository.write("params.yaml", dump(PARAMETERS))
    repository.write("tools.yaml", dump({"review": {"tolerance": {"accuracy": 1, "log_loss": 0.5}}}))
    workspace = find_revision("workspace")
    assert gate.read_tolerance(base, workspace) == {**TOLERANCE, "log_loss": 0.5}
    repository.run("git", "rm", "--quiet", "--force", "tools.yaml")
    repository.commit("Without tools.yaml")
    assert gate.read_tolerance(find_revision("HEAD"), workspace) == {"accuracy": 1, "log_loss": 0.5}
    assert gate.read_tolerance(find_revision("HEAD"), find_revision("HEAD")) == {}


def test_the_tolerances_of_a_base_without_tools_yaml_are_in_params_yaml(repository: Repository) -> None:
    (repository.folder / "tools.yaml").unlink()
    repository.write("params.yaml", dump({**PARAMETERS, "review": {"tolerance": {"accuracy": 0.5}}}))
    repository.commit("As before tools.yaml")
    base = find_revision("HEAD")
    repository.write("tools.yaml", dump(TOOLS))
    repository.write("params.yaml", dump(PARAMETERS))
    workspace = find_revision("workspace")
    assert gate.read_tolerance(base, workspace) == {**TOLERANCE, "accuracy": 0.5}
    assert gate.find_changed_tolerance(base, workspace) == {
        "tools.yaml: review.tolerance.accuracy": (0.5, 0.002),
        "tools.yaml: review.tolerance.brier_score": (None, 0.004),
        "tools.yaml: review.tolerance.log_loss": (None, 0.01),
        "tools.yaml: review.tolerance.macro_f1": (None, 0.002),
    }


@pytest.mark.parametrize(
    ("file", "key", "value", "message"),
    [
        (
            "tools.yaml", "review.tolerance.accuracy", -1,
            "review.tolerance.accuracy: expected greater than or equal to 0, found -1",
        ),
        ("tools.yaml", "review.tolerance.accuracy", "low", "expected a valid number, found 'low'"),
        ("tools.yaml", "review.tolerance", "low", "review.tolerance: expected a"),
        ("tools.yaml", "review.tolerance.speed", 1, "review.tolerance: expected accuracy"),
    ],
)  # fmt: skip
def test_malformed_settings_at_the_base_are_named(
    repository: Repository, file: str, key: str, value: object, message: str
) -> None:
    edit = repository.set_tool if file == "tools.yaml" else repository.set
    edit(key, value)
    repository.commit("Malformed")
    head = find_revision("HEAD")
    with pytest.raises(UserError) as error:
        gate.read_tolerance(head, head)
    assert str(error.value).startswith(f"{file} at HEAD: {'.'.join(key.split('.')[:1])}.")
    assert message in str(error.value)
