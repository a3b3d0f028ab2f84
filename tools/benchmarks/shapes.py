"""Times of networks of many shapes against a trend, and times of the parts of a training step."""

import itertools
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.optimize import nnls

from stages.common import layout
from stages.parameters import Dataset
from tools.benchmarks.measurement import measure_python
from tools.benchmarks.programs import OURS
from tools.benchmarks.report import Section, Target
from tools.common.markdown import number_table
from tools.common.variations import training_parameters

TARGET_TREND_TIMES = 1.5  # times the trend that the slowest shape should take at most
WIDTHS = (256, 512, 1024)
DEPTHS = (1, 2, 3)
# By name, the dropout and whether batches are normalised.
KINDS = {"plain": (0.0, False), "dropout": (0.3, False), "dropout and batch normalisation": (0.3, True)}


def build_job(name: str, dataset: Dataset, **more: object) -> str:
    """Return the argument of the scripts `sweep` and `profile`, with `more` that one of them needs."""
    return json.dumps(
        {
            "dataset": name,
            "folder": str(layout.processed(name, "train").parent),
            "images": None,
            "classes": len(dataset.classes),
            "parameters": training_parameters(dataset),
            "reach": None,
            **more,
        }
    )


def list_shapes() -> dict[str, dict[str, Any]]:
    """Return the parameters of the networks to compare, by a title: each depth, width and kind."""
    return {
        f"{depth} x {width}, {kind}": {
            "hidden": [width] * depth,
            "dropout": KINDS[kind][0],
            "batch_normalization": KINDS[kind][1],
        }
        for depth, width, kind in itertools.product(DEPTHS, WIDTHS, KINDS)
    }


def sweep(name: str, dataset: Dataset) -> Section:
    """Compare the times of many shapes with a straight line: a constant, and a time for each operation."""
    job = build_job(name, dataset, shapes=list_shapes())
    output = measure_python("-m", "tools.benchmarks.scripts.sweep", job).output
    results = json.loads(output.splitlines()[-1])
    operations = np.array([count for _, count, _ in results]) / 1e9
    seconds = np.array([time for _, _, time in results])
    # Relative errors are minimised, so that fast shapes weigh as much as slow ones.
    design = np.stack([np.ones_like(operations), operations], axis=1) / seconds[:, None]
    line, _ = nnls(design, np.ones_like(seconds))
    ratios = seconds / (line[0] + line[1] * operations)
    rows = [
        [shape, f"{count / 1e9:.1f}", f"{time:.3f} s", f"{ratio:.2f}"]
        for (shape, count, time), ratio in zip(results, ratios, strict=True)
    ]
    text = (
        f"{len(results)} shapes, with the same images and batches. The trend is a straight line: "
        f"{line[0]:.3f} s, and 1 s for each {1 / line[1]:.0f} GFLOP.\n\n"
        + number_table(("hidden layers", "GFLOP", "time", "times the trend"), rows)
    )
    slowest = Target(
        "the slowest shape of network, in times of the trend", TARGET_TREND_TIMES, float(ratios.max())
    )
    return Section("Shapes of networks", text, [slowest])


def profile(datasets: Mapping[str, Dataset]) -> Section:
    """Measure the milliseconds of each part of a training step."""
    rows = []
    for name, dataset in datasets.items():
        for computation in OURS:
            variant = dataset.model_copy(update={"computation": computation})
            job = build_job(name, variant)
            output = measure_python("-m", "tools.benchmarks.scripts.profile", job).output
            parts = json.loads(output.splitlines()[-1])
            total = sum(parts.values())
            rows += [
                [f"{name}, {computation}", part, f"{milliseconds:.2f} ms", f"{milliseconds / total:.0%}"]
                for part, milliseconds in parts.items()
            ]
    text = "Kernel time of a step, which two threads share.\n\n" + number_table(
        ("data set", "part", "time", "share"), rows
    )
    return Section("Parts of a training step", text)
