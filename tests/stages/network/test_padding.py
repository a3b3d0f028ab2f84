"""Small batches get zeros, large ones stay as they are."""

from itertools import product

import numpy as np
import pytest

from stages.common.backend import tf
from stages.network.padding import LEAST_MULTIPLICATIONS, LEAST_ROWS, LONGEST_WHOLE_SUM, pad_batch

CASES = list(
    product((1, 31, 33, 50, 400), (20, 5_000, 3_000_000), ((1700, 1), (1024, 1), (10, 400), (10, 1)))
)


@pytest.mark.parametrize(("rows", "multiplications", "sums"), CASES)
def test_a_product_becomes_large_enough(rows: int, multiplications: int, sums: tuple[int, int]) -> None:
    width, places = sums
    batch = np.ones((rows, 2, 3), np.float32)
    padded = pad_batch(tf.constant(batch), multiplications, width, places).numpy()
    assert np.array_equal(padded[:rows], batch)
    assert not padded[rows:].any()
    is_long = max(width, rows * places) > LONGEST_WHOLE_SUM
    least = [LEAST_ROWS, width / 32, LEAST_MULTIPLICATIONS / multiplications if is_long else 0]
    assert len(padded) >= max(least)
    if rows >= max(least):
        assert len(padded) == rows  # not slower


def test_the_number_of_rows_may_be_known_only_when_a_graph_runs() -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, 4))])
    def pad(batch: tf.Tensor) -> tf.Tensor:
        assert batch.shape[0] is None
        return pad_batch(batch, LEAST_MULTIPLICATIONS // 100, LONGEST_WHOLE_SUM + 1)

    assert [len(pad(tf.zeros((rows, 4)))) for rows in (1, 100, 102, 5000)] == [101, 101, 102, 5000]


def test_the_rows_of_a_wide_product_are_no_more_than_are_needed() -> None:
    assert [len(pad_batch(tf.zeros((1, 1)), 10**9, width)) for width in (10, 1025, 10_000)] == [32, 33, 128]
