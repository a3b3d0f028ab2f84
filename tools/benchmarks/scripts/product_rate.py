"""Rate of a large float32 matrix product in NumPy: prints operations per second."""

import time

import numpy as np

SIDE = 2048  # of both matrices; large enough for the full rate
REPEATS = 12

left, right = np.random.default_rng(0).random((2, SIDE, SIDE), np.float32)
seconds = []
for _ in range(REPEATS):
    start = time.perf_counter()
    np.matmul(left, right)
    seconds.append(time.perf_counter() - start)
print(2 * SIDE**3 / np.median(seconds))
