"""The rate of a large float32 matrix product in NumPy, in operations a second."""

import time

import numpy as np

SIZE = 2048  # large enough for the full rate
REPEATS = 12
left, right = np.random.default_rng(0).random((2, SIZE, SIZE), np.float32)
seconds = []
for _ in range(REPEATS):
    start = time.perf_counter()
    np.matmul(left, right)
    seconds.append(time.perf_counter() - start)
print(2 * SIZE**3 / np.median(seconds))
