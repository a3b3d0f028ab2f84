"""The bytes of every kind of file are a function of its content: no time, address, hash seed or locale."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import ENVIRONMENT, ROOT

WRITE = """
import sys
from pathlib import Path
import numpy as np
from stages import evaluate
from stages.network import build, model_file
from stages.network.schema import Network
from stages.scoring import gallery, scores
from stages.splits import arrays

folder = Path(sys.argv[1])
random = np.random.default_rng(0)
labels = random.integers(0, 3, 100).astype(np.uint8)
images = random.integers(0, 255, (100, 5, 6), np.uint8)
model = build.build_network(Network(hidden=[8, 4], dropout=0.5, batch_normalization=True), (5, 6), 16, 3, 0)
model.compile("adam", "categorical_crossentropy")
model.predict(images, verbose=0)
model_file.save(model, folder / "model.keras")
arrays.write(folder / "split", arrays.Split(images, labels))
probabilities = evaluate.predict(model, arrays.Split(images, labels))
table = scores.prediction_table(labels, probabilities, ["ä", "b, c", '"d"'])
evaluate.write_table(folder / "predictions.csv", table)
gallery.draw_mistakes(folder / "mistakes.png", images, table)
"""
FILES = {
    "CSV": ["predictions.csv"],
    "PNG": ["mistakes.png"],
    "Keras": ["model.keras"],
    "SHA-256": ["model.keras.sha256", "split/SHA256SUMS"],
    "NumPy": ["split/images.npy", "split/labels.npy"],
}
SURROUNDINGS = (
    {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "UTC"},
    {"PYTHONHASHSEED": "2", "LC_ALL": "C.UTF-8", "TZ": "Asia/Kolkata", "COLUMNS": "40"},
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folders = []
    for number, variables in enumerate(SURROUNDINGS):
        time.sleep(2.1 * number)  # longer than the two seconds that the times in a zip file are exact to
        folders.append(tmp_path_factory.mktemp("written"))
        environment = {
            **{name: value for name, value in ENVIRONMENT.items() if value is not None},
            **variables,
        }
        subprocess.run([sys.executable, "-c", WRITE, folders[-1]], cwd=ROOT, env=environment, check=True)
    return folders


@pytest.mark.slow
@pytest.mark.parametrize("kind", FILES)
def test_the_same_content_is_the_same_bytes(written: list[Path], kind: str) -> None:
    first, second = written
    for name in FILES[kind]:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_every_file_is_compared(written: list[Path]) -> None:
    found = {str(path.relative_to(written[0])) for path in written[0].rglob("*") if path.is_file()}
    assert found == {name for names in FILES.values() for name in names}
