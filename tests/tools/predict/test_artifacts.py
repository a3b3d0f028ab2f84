"""Artifacts of dvc.yaml: the names under which other projects find the networks."""

from helpers import ROOT
from ruamel.yaml import YAML

from stages import parameters
from stages.common import layout


def test_each_network_is_an_artifact_with_a_type_and_a_description() -> None:
    artifacts = YAML(typ="safe").load(ROOT / "dvc.yaml")["artifacts"]
    datasets = parameters.load(ROOT / "params.yaml").datasets
    assert list(artifacts) == [name.replace("_", "-") for name in datasets]
    for name, artifact in zip(datasets, artifacts.values(), strict=True):
        assert artifact["path"] == layout.model(name).as_posix()
        assert artifact["type"] == "model"
        assert artifact["desc"]
