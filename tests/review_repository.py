"""A small repository with what a review reads, without a pipeline, and reviews of it."""

import hashlib
import json
from collections.abc import Callable

from helpers import Project, dump, set_value
from ruamel.yaml import YAML

from tools.common.revision import find_revision
from tools.review.comparison import compare_revisions
from tools.review.review import Comparison, Review, Rules

TOLERANCE = {"accuracy": 0.002, "macro_f1": 0.002, "log_loss": 0.01, "brier_score": 0.004}
PARAMETERS = {
    "datasets": {"first": {"training": {"epochs": 3}}, "second": {"training": {"epochs": 3}}},
    "evaluation": {"calibration_bins": 15},
}
TOOLS = {"review": {"tolerance": TOLERANCE}}
CODE = "stages/train.py"
SPLIT = "validation"
RULES = Rules(SPLIT)
FOLDER = "stages/common"
IMAGES = 40
NEW_IMAGES = "--new-images first (make review NEW_IMAGES=first) accepts that"
REMOVED = "--removed first (make review REMOVED=first) accepts that"
MANY = 30  # wrong images: far more than by chance


class Repository(Project):
    """The files of a project with two data sets that a review reads."""

    architecture = "x86_64"

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def predict(self, dataset: str, wrong: int, other: bool = False) -> None:
        """Write predictions; the first images are wrong. With `other`, the classes are in another order."""
        names = ["cat", "dog"]
        rows = ["actual,predicted,probability,probability_of_actual,sum_of_squares"]
        for image in range(IMAGES):
            actual = names[(image + other) % 2]
            predicted = names[(image + other + 1) % 2] if image < wrong else actual
            rows.append(f"{actual},{predicted},0.8,{0.2 if image < wrong else 0.8},0.68")
        self.write(f"predictions/{dataset}/{SPLIT}.csv", "\n".join(rows) + "\n")
        scores = {SPLIT: {"accuracy": 1 - wrong / IMAGES, "calibration_error": wrong / 100}}
        self.write(f"metrics/{dataset}.json", json.dumps(scores))

    def lock(self, *code: str, cause: str | None = None, **splits: str) -> None:
        """Write dvc.lock as after a run of the stages.

        Args:
            code: files and folders that train depends on; by default a file and a folder.
            cause: the hash of the training images; by default another one for other predictions.
            splits: hashes of other images, by data set.
        """
        stages = {}
        content = YAML(typ="safe").load(self.folder / "params.yaml")
        for name, dataset in content["datasets"].items():
            split = {"path": f"data/processed/{name}/{SPLIT}", "md5": splits.get(name, f"{name}.dir")}
            stages[f"preprocess@{name}"] = {
                "cmd": "true",
                "deps": [{"path": f"data/source/{name}", "md5": splits.get(name, "source")}],
                "outs": [split, {"path": f"data/raw/{name}", "md5": "raw"}],
            }
            results = [self.hash(f"predictions/{name}/{SPLIT}.csv"), self.hash(f"metrics/{name}.json")]
            of_training = cause or results[0]["md5"]
            model = {"path": f"models/{name}.keras", "md5": of_training}  # which is not in git
            stages[f"train@{name}"] = {
                "cmd": "true",
                "deps": [
                    *(self.hash(path) for path in code or (CODE, FOLDER)),
                    {"path": f"data/processed/{name}/train", "md5": of_training},
                ],
                "outs": [model, {"path": f"models/{name}.architecture", "md5": self.architecture}],
            }
            stages[f"evaluate@{name}"] = {
                "cmd": "true",
                "deps": [split, model],
                "params": {"params.yaml": {f"datasets.{name}.training": dataset["training"]}},
                "outs": results,
            }
        self.write("dvc.lock", dump({"schema": "2.0", "stages": stages}))
        self.define(stages)

    def define(self, stages: dict[str, dict]) -> None:
        """Write a dvc.yaml in which the stages of the last data set are those of each."""
        definitions = {}
        for stage, locked in stages.items():
            name, _, dataset = stage.partition("@")
            body = {"cmd": locked["cmd"]}
            for kind in ("deps", "outs"):
                body[kind] = [entry["path"].replace(dataset, "${key}") for entry in locked[kind]]
            if "params" in locked:
                names = locked["params"]["params.yaml"]
                body["params"] = [parameter.replace(dataset, "${key}") for parameter in names]
            definitions[name] = {"foreach": "${datasets}", "do": body}
        self.write("dvc.yaml", dump({"stages": definitions}))

    def change(self, name: str, edit: Callable[[dict], object]) -> None:
        """Change a YAML file."""
        content = YAML(typ="safe").load(self.folder / name)
        edit(content)
        self.write(name, dump(content))

    def hash(self, name: str) -> dict[str, str]:
        """Return an entry of dvc.lock for a file, or for a folder without byte code."""
        path = self.folder / name
        if path.is_file():
            return {"path": name, "md5": hashlib.md5(path.read_bytes()).hexdigest()}
        entries = [
            {"md5": hashlib.md5(file.read_bytes()).hexdigest(), "relpath": file.relative_to(path).as_posix()}
            for file in sorted(path.rglob("*.py"))
        ]
        return {"path": name, "md5": f"{hashlib.md5(json.dumps(entries).encode()).hexdigest()}.dir"}

    def set(self, key: str, value: object) -> None:
        self.edit_parameters(lambda content: set_value(content, key, value))

    def set_tool(self, key: str, value: object) -> None:
        self.edit_tools(lambda content: set_value(content, key, value))


def compare(dataset: str = "first", later: str = "workspace") -> Comparison:
    return compare_all(later=later)[dataset]


def compare_all(base: str = "main", later: str = "workspace", rules: Rules = RULES) -> dict[str, Comparison]:
    return {comparison.dataset: comparison for comparison in review(base, later, rules).comparisons}


def review(base: str = "main", later: str = "workspace", rules: Rules = RULES) -> Review:
    return compare_revisions(find_revision(base), find_revision(later), {}, rules)
