"""params.yaml: the committed file is valid, and every mistake is one line that names the key."""

from pathlib import Path
from typing import Any

import pytest
from helpers import ROOT, Project, dump, set_value
from ruamel.yaml import YAML

from stages import parameters
from stages.__main__ import STAGES
from stages.common import fields, params_file
from stages.common.errors import UserError


@pytest.fixture
def content() -> Any:
    return YAML(typ="safe").load(ROOT / "params.yaml")


def load_error(folder: Path, text: str) -> str:
    path = folder / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as error:
        parameters.load(path)
    return str(error.value).removeprefix(f"{path}: ")


def test_the_committed_file_is_valid_and_has_the_three_data_sets() -> None:
    loaded = parameters.load(ROOT / "params.yaml")
    assert list(loaded.datasets) == ["digits", "mnist", "fashion_mnist"]
    assert loaded.dataset("fashion_mnist").classes == [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("training.learning_rate", "fast", "expected a valid number, found 'fast'"),
        ("training.learning_rate", -0.1, "expected greater than 0, found -0.1"),
        ("training.learning_rate", float("nan"), "expected a finite number, found nan"),
        ("training.learning_rate", True, "expected a valid number, found True"),
        ("training.epochs", 2.5, "expected a valid integer, found 2.5"),
        ("training.epochs", "20", "expected a number, found '20', a text; leave out the quotes"),
        ("training.epochs", 0, "expected greater than 0, found 0"),
        ("training.label_smoothing", 1, "expected less than 1, found 1"),
        ("training.schedule", "linear", "expected 'constant' or 'cosine', found 'linear'"),
        ("computation", "fast", "expected 'portable' or 'native', found 'fast'"),
        ("training.momenta", 0.9, "expected no such key, found 0.9"),
        ("training.momentum", 1.0, "expected less than 1, found 1.0"),
        ("training.balance", 1.5, "expected less than or equal to 1, found 1.5"),
        ("training.optimizer", "RMSprop", "expected 'AdamW' or 'SGD', found 'RMSprop'"),
        ("network.dropout", 1.0, "expected less than 1, found 1.0"),
        ("network.hidden.1", 0, "expected greater than 0, found 0"),
        ("network.batch_normalization", "yes", "expected a valid boolean, found 'yes'"),
        ("largest_pixel", 2**31, "expected less than 2147483648, found 2147483648"),
        ("classes.3", 3, "expected a valid string, found 3"),
        ("classes", 1, "expected at least 2 items, found ['0']"),
        ("classes", True, "expected a valid list, found True"),
        ("classes", 10**9, "expected a valid list, found 1000000000"),
        ("seed", -1, "expected greater than or equal to 0, found -1"),
        ("source.mirrors", [], "expected no such key, found []"),
        ("network", 3, "expected a mapping of keys to values, found 3"),
        ("training.augmentation.erasing", 1.5, "expected less than or equal to 1, found 1.5"),
        ("classes.0", "", "expected at least one item, found ''"),
        ("training.batch_size", 2**70, "expected less than or equal to 1000000000, found 1180"),
        (
            "files.t10k-labels-idx1-ubyte.sha256",
            "abc",
            "expected 64 characters from 0 to 9 and a to f, found 'abc'",
        ),
    ],
)
def test_a_wrong_value_is_named_with_key_expectation_and_finding(
    tmp_path: Path, content: Any, key: str, value: object, message: str
) -> None:
    set_value(content["datasets"]["digits"], key, value)
    found = load_error(tmp_path, dump(content))
    assert f"datasets.digits.{key}: {message}" in found


@pytest.mark.parametrize(
    ("key", "wrong", "message"),
    [
        ("network", "droput", "expected no such key, found 0.5; did you mean dropout?"),
        ("training", "warmup_epoch", "expected no such key, found 0.5; did you mean warmup_epochs?"),
        ("source", "test_image", "expected no such key, found 0.5; did you mean test_images?"),
        ("network", "anything", "expected no such key, found 0.5"),
    ],
)
def test_an_unknown_key_is_named_with_the_one_that_is_meant(
    tmp_path: Path, content: Any, key: str, wrong: str, message: str
) -> None:
    content["datasets"]["digits"][key][wrong] = 0.5
    assert load_error(tmp_path, dump(content)).endswith(f"{wrong}: {message}")


@pytest.mark.parametrize(("key", "value"), [("network.dropout", "0.2"), ("training.epochs", "30")])
def test_a_number_in_quotes_is_told(tmp_path: Path, content: Any, key: str, value: str) -> None:
    set_value(content["datasets"]["digits"], key, value)
    expected = f"{key}: expected a number, found '{value}', a text; leave out the quotes"
    assert load_error(tmp_path, dump(content)).endswith(expected)


def test_a_list_of_convolutions_is_not_empty(tmp_path: Path, content: Any) -> None:
    content["datasets"]["digits"]["network"]["convolutions"] = [[8], []]
    assert load_error(tmp_path, dump(content)) == (
        "datasets.digits.network.convolutions.1: expected at least one item, found []"
    )


def test_of_many_mistakes_three_are_shown(tmp_path: Path, content: Any) -> None:
    training = content["datasets"]["digits"]["training"]
    for mistakes, more in ((3, ""), (5, "; and 2 more")):
        for name in list(training)[1 : 1 + mistakes]:
            training[name] = "x"
        message = load_error(tmp_path, dump(content))
        shown = [f"datasets.digits.training.{name}: expected " for name in list(training)[1:4]]
        parts = message.removesuffix(more).split("; ")
        assert message.endswith(f"found 'x'{more}")
        assert [part[: len(start)] for part, start in zip(parts, shown, strict=True)] == shown


@pytest.mark.parametrize(("length", "found"), [(98, f"'{'x' * 98}'"), (99, f"'{'x' * 99}...")])
def test_of_a_long_value_the_beginning_is_shown(
    tmp_path: Path, content: Any, length: int, found: str
) -> None:
    content["datasets"]["digits"]["seed"] = "x" * length
    assert load_error(tmp_path, dump(content)) == (
        f"datasets.digits.seed: expected a valid integer, found {found}"
    )


def test_classes_may_be_their_number(tmp_path: Path, content: Any) -> None:
    content["datasets"]["digits"]["classes"] = fields.MOST_CLASSES
    (tmp_path / "params.yaml").write_text(dump(content))
    classes = parameters.load(tmp_path / "params.yaml").dataset("digits").classes
    assert classes == [str(number) for number in range(10_000)]
    content["datasets"]["digits"]["classes"] = fields.MOST_CLASSES + 1
    assert "classes: expected a valid list, found 10001" in load_error(tmp_path, dump(content))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (99_998, "expected a mapping"),
        (99_999, "expected at most 100,000 values, found more, maybe by aliases; shorten the file"),
    ],
)
def test_values_are_counted(tmp_path: Path, values: int, message: str) -> None:
    # A list in a list, and what is in that.
    assert load_error(tmp_path, f"[[{'1,' * values}]]").startswith(message)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (params_file.MOST_BYTES, "expected a mapping"),
        (params_file.MOST_BYTES + 1, "expected at most 1,000,000 bytes, found 1,000,001"),
    ],
)
def test_bytes_are_counted(tmp_path: Path, size: int, message: str) -> None:
    assert load_error(tmp_path, "x" * size).startswith(message)


def test_a_source_needs_a_kind(tmp_path: Path, content: Any) -> None:
    del content["datasets"]["digits"]["source"]["kind"]
    message = load_error(tmp_path, dump(content))
    assert message.startswith("datasets.digits.source: expected a key kind, found {")


def test_data_sets_are_a_mapping(tmp_path: Path, content: Any) -> None:
    content["datasets"] = 3
    assert load_error(tmp_path, dump(content)) == ("datasets: expected a mapping of keys to values, found 3")


def test_an_unknown_kind_of_source_is_answered_with_the_known_ones(tmp_path: Path, content: Any) -> None:
    set_value(content["datasets"]["digits"], "source.kind", "mirror")
    message = load_error(tmp_path, dump(content))
    expected = "expected kind to be one of mirrors, scikit_learn, pictures, npz"
    assert message == f"datasets.digits.source: {expected}, found 'mirror'"


def test_a_misspelt_key_is_reported_with_the_one_that_is_missing(tmp_path: Path, content: Any) -> None:
    training = content["datasets"]["mnist"]["training"]
    training["lerning_rate"] = training.pop("learning_rate")
    message = load_error(tmp_path, dump(content))
    assert "datasets.mnist.training.learning_rate: expected a value, found nothing" in message
    assert "datasets.mnist.training.lerning_rate: expected no such key, found" in message
    assert "\n" not in message


def test_momentum_belongs_to_sgd(tmp_path: Path, content: Any) -> None:
    training = content["datasets"]["digits"]["training"]
    training["momentum"] = 0.9
    assert load_error(tmp_path, dump(content)) == (
        "datasets.digits.training: expected a momentum for SGD alone, found momentum: 0.9 for AdamW; "
        "remove it"
    )
    training["optimizer"] = "SGD"
    set_value(content["datasets"]["digits"], "training.momentum", 0.9)
    (tmp_path / "params.yaml").write_text(dump(content))
    assert parameters.load(tmp_path / "params.yaml").dataset("digits").training.momentum == 0.9
    del training["momentum"]
    assert load_error(tmp_path, dump(content)) == (
        "datasets.digits.training: expected a momentum for SGD, such as momentum: 0.9, found none"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"residual": True, "convolutions": [[8], [8]]},
            "expected a list of three or more convolutions for residual: true, found none; add them, or set "
            "residual to false",
        ),
        (
            {"average_pooling": True},
            "expected convolutions for average_pooling: true, found none; add them, or set average_pooling "
            "to false",
        ),
        (
            {"hidden": []},
            "expected hidden layers for dropout: 0.2, found none; add them, or set dropout to 0",
        ),
    ],
)
def test_settings_without_their_layers_are_refused(
    tmp_path: Path, content: Any, changes: dict[str, object], message: str
) -> None:
    content["datasets"]["digits"]["network"].update(changes)
    assert load_error(tmp_path, dump(content)) == f"datasets.digits.network: {message}"


@pytest.mark.parametrize("filters", [[8, 8], [8, 8, 8, 8], [8, 4, 4], [4, 4, 8]])
def test_residual_convolutions_are_pairs_of_equal_ones(
    tmp_path: Path, content: Any, filters: list[int]
) -> None:
    content["datasets"]["digits"]["network"].update(residual=True, convolutions=[[8], filters])
    assert load_error(tmp_path, dump(content)) == (
        "datasets.digits.network: expected an odd number of equal filters in convolutions.1, such as "
        f"[32, 32, 32], found {filters}; change the list, or set residual to false"
    )


def test_classes_must_differ(tmp_path: Path, content: Any) -> None:
    content["datasets"]["mnist"]["classes"][9] = "0"
    assert load_error(tmp_path, dump(content)).startswith(
        "datasets.mnist.classes: expected classes that all differ, found ['0', '1'"
    )


def test_the_warm_up_must_end_before_the_training(tmp_path: Path, content: Any) -> None:
    content["datasets"]["mnist"]["training"].update(warmup_epochs=3, epochs=3)
    assert load_error(tmp_path, dump(content)) == (
        "datasets.mnist.training: expected warmup_epochs less than epochs (3), found 3; lower warmup_epochs"
    )


@pytest.mark.parametrize("url",
    [
        "https://me:secret@example.org/x", "s3://key@bucket/x", "http://a:b@[::1]/",
        "https://me:secret/s@example.org/x", "https://me:/secret@example.org", "https://me:?secret@example.org",
        "https://me:p@secret/w@example.org/x", "https://proxy/https://me:secret@example.org/x",
        "https://me%3Asecret@example.org/x",
        "https://me:secret?s@example.org/x", "https://me:secret#@example.org:80/x",
    ],
)  # fmt: skip
def test_an_address_has_no_password(tmp_path: Path, content: Any, url: str) -> None:
    content["datasets"]["mnist"]["source"]["urls"][0] = url
    message = load_error(tmp_path, dump(content))
    assert message.endswith("expected no name or password in an address, found one; put it into ~/.netrc")
    assert "secret" not in message


@pytest.mark.parametrize(
    "name",
    [
        "token", "access_token", "X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token",
        "AWSAccessKeyId", "sig", "key", "api_key", "apikey", "password", "auth", "client_secret",
        "PHPSESSIONTOKEN", "code", "jsessionid", "PHPSESSID", "sid", "passphrase", "oauth", "bearer", "hmac",
    ],
)  # fmt: skip
def test_an_address_has_no_token(tmp_path: Path, content: Any, name: str) -> None:
    content["datasets"]["mnist"]["source"]["urls"][0] = f"https://example.org/x?a=b&{name}=hunter2"
    assert load_error(tmp_path, dump(content)) == (
        f"datasets.mnist: source.urls.0: expected no secret in an address, found a value of {name!r}; "
        "download the files, and name their folder"
    )


@pytest.mark.parametrize("before", ["x?", "x;", "x;a=b/y;c;", "x#", "x&", "x?a=1,"])
def test_an_address_has_no_token_before_or_after_a_query(tmp_path: Path, content: Any, before: str) -> None:
    content["datasets"]["mnist"]["source"]["urls"][0] = f"https://example.org/{before}token=hunter2"
    assert "found a value of 'token'; download" in load_error(tmp_path, dump(content))


@pytest.mark.parametrize(
    "place", ["source.url", "source.urls", "source.kind", "source.folder", "mirror", "classes.0"]
)
@pytest.mark.parametrize("url", ["https://me:hunter2@example.org/x", "https://example.org/x?token=hunter2"])
def test_an_address_with_a_secret_in_the_wrong_place_is_not_quoted(
    tmp_path: Path, content: Any, place: str, url: str
) -> None:
    set_value(content["datasets"]["mnist"], place, url)
    message = load_error(tmp_path, dump(content))
    assert message.startswith(f"datasets.mnist: {place}: expected no ")
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "query", ["version=2", "design=monkey", "dl=1", "path=train", "country_code=3", "author=x"]
)
def test_an_address_may_have_a_query(tmp_path: Path, content: Any, query: str) -> None:
    content["datasets"]["mnist"]["source"]["urls"][0] = f"https://example.org/mnist?{query}"
    path = tmp_path / "params.yaml"
    path.write_text(dump(content))
    assert parameters.load(path).dataset("mnist")


@pytest.mark.parametrize(
    "address", ["https://example.org/mnist@2/files", "http://localhost:80/a@b", "http://[::1]:80/a@b;v=1"]
)
def test_an_address_may_have_an_at_sign_in_its_path(tmp_path: Path, content: Any, address: str) -> None:
    content["datasets"]["mnist"]["source"]["urls"][0] = address
    path = tmp_path / "params.yaml"
    path.write_text(dump(content))
    assert parameters.load(path).dataset("mnist")


@pytest.mark.parametrize("name", ["../mnist", "-rf", "two words", "", "x" * 300, "Mnist", "mnist\n"])
def test_a_name_of_a_data_set_is_a_plain_word(tmp_path: Path, content: Any, name: str) -> None:
    content["datasets"][name] = content["datasets"]["digits"]
    message = load_error(tmp_path, dump(content))
    assert message.startswith(f"datasets.{name}: expected ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a mapping"),
        ("- a list", "expected a mapping"),
        ("{datasets: {}, evaluation: {calibration_bins: 1}}", "datasets: expected at least one item"),
    ],
    ids=["empty", "list", "no data set"],
)
def test_a_file_that_is_not_a_mapping_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert load_error(tmp_path, text).startswith(message)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("datasets: {a: secret, a: secret}", 'found duplicate key "a", line 1, column 23'),
        ("datasets: [secret", "expected ',' or ']', but got '<stream end>', line 1, column 18"),
        ("datasets:\n\t- tab", "found character '\\t' that cannot start any token, line 2, column 1"),
        ("datasets: 2020-13-45", "month must be in 1..12"),
        ("datasets: *secret", "found undefined alias, line 1, column 11"),
        ("datasets: !secret 1", "could not determine a constructor for the tag, line 1, column 11"),
        ("datasets: !!int secret", "invalid literal for int() with base 10"),
        ("datasets: !!float secret", "could not convert string to float"),
        ("datasets: !!timestamp secret", "failed to construct timestamp, line 1, column 11"),
        ("datasets: !!bool secret", "a value that does not fit its tag"),
    ],
    ids=[
        *(
            "duplicate key",
            "unclosed",
            "tab",
            "no such date",
            "alias",
            "tag",
            "whole number",
            "number",
            "date",
        ),
        "truth value",
    ],
)
def test_what_is_no_yaml_is_found_without_the_values_around(tmp_path: Path, text: str, found: str) -> None:
    assert load_error(tmp_path, text) == f"expected YAML, found: {found}; correct the file"


def test_numbers_are_read_as_dvc_reads_them(tmp_path: Path, content: Any) -> None:
    text = dump(content).replace("learning_rate: 0.003", "learning_rate: 3e-3")
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    assert parameters.load(path).dataset("digits").training.learning_rate == 0.003


@pytest.fixture
def folder(tmp_path: Path) -> Project:
    """A folder with params.yaml alone."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return Project(tmp_path)


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_checks_the_parameters_first(folder: Project, stage: str) -> None:
    folder.edit_parameters(lambda content: content["datasets"]["digits"]["training"].update(epochs="many"))
    said = folder.here("stages", stage, "digits", expect=2).stderr
    assert said == (
        "error: params.yaml: datasets.digits.training.epochs: expected a valid integer, found 'many'\n"
    )
    assert [path.name for path in folder.folder.iterdir()] == ["params.yaml"]


def test_an_unknown_data_set_is_answered_with_the_known_ones(folder: Project) -> None:
    said = folder.here("stages", "preprocess", "letters", expect=2).stderr
    known = "digits, mnist, fashion_mnist"
    assert said == f"error: params.yaml: datasets: expected one of {known}, found 'letters'\n"


def test_outside_the_projects_root_the_stage_says_so(tmp_path: Path) -> None:
    said = Project(tmp_path).here("stages", "fetch", "digits", expect=2).stderr
    message = "params.yaml: expected a file, found none; run the command from the project's root"
    assert said == f"error: {message}\n"
