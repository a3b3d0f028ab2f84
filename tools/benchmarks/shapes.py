"""Whether any shape of network is slower than its size explains, and where the time of a step goes."""

import json
from collections.abc import Mapping

import numpy as np
from scipy.optimize import nnls

from stages.common import layout
from stages.parameters import Dataset
from tools.benchmarks.measured import python
from tools.benchmarks.report import Section, Target
from tools.common.markdown import number_table

OFF_TREND = 1.5


def job(name: str, dataset: Dataset) -> str:
    """The argument of the scripts."""
    return json.dumps(
        {
            "dataset": name,
            "folder": str(layout.processed(name, "train").parent),
            "batch_size": dataset.training.batch_size,
            "reach": None,
        }
    )


def sweep(name: str, dataset: Dataset) -> Section:
    """Times of many shapes against a straight line through them: a constant, and a time an operation."""
    printed = python("-m", "tools.benchmarks.scripts.sweep", job(name, dataset)).output
    found = json.loads(printed.splitlines()[-1])
    operations = np.array([work for _, work, _ in found]) / 1e9
    seconds = np.array([time for _, _, time in found])
    # Relative errors count, so that the small ones weigh as much as the large ones.
    design = np.stack([np.ones_like(operations), operations], axis=1) / seconds[:, None]
    line, _ = nnls(design, np.ones_like(seconds))
    off = seconds / (line[0] + line[1] * operations)
    rows = [
        [shape, f"{work / 1e9:.1f}", f"{time:.3f} s", f"{share:.2f}"]
        for (shape, work, time), share in zip(found, off, strict=True)
    ]
    text = (
        f"{len(found)} shapes, the same images and batches; the trend is a straight line: "
        f"{1 / line[1]:.0f} GFLOP/s and {line[0]:.3f} s besides.\n\n"
        + number_table(("hidden layers", "GFLOP", "time", "times the trend"), rows)
    )
    slowest = Target("the slowest shape of network, in times of the trend", OFF_TREND, float(off.max()))
    return Section("Shapes of networks", text, [slowest])


def profile(datasets: Mapping[str, Dataset]) -> Section:
    """The milliseconds of each part of a step."""
    rows = []
    for name, dataset in datasets.items():
        printed = python("-m", "tools.benchmarks.scripts.profile", job(name, dataset)).output
        parts = json.loads(printed.splitlines()[-1])
        whole = sum(parts.values())
        rows += [
            [name, part, f"{milliseconds:.2f} ms", f"{milliseconds / whole:.0%}"]
            for part, milliseconds in parts.items()
        ]
    text = "Kernel time of a step, which two threads share.\n\n" + number_table(
        ("data set", "part", "time", "share"), rows
    )
    return Section("Where a step of training spends its time", text)
