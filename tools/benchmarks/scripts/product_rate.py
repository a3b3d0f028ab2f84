"""Rate of a large float32 matrix product in NumPy: prints operations per second, and OpenBLAS's kernel."""

import json
import time

import numpy as np
from threadpoolctl import threadpool_info

SIDE = 2048  # of both matrices; large enough for the full rate
REPEATS = 12

left, right = np.random.default_rng(0).random((2, SIDE, SIDE), np.float32)
seconds = []
for _ in range(REPEATS):
    start = time.perf_counter()
    np.matmul(left, right)
    seconds.append(time.perf_counter() - start)
library = next(pool for pool in threadpool_info() if pool["user_api"] == "blas")
print(json.dumps({"rate": 2 * SIDE**3 / np.median(seconds), "kernel": library.get("architecture")}))
