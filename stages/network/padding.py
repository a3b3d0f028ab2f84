"""Zeros behind a small batch, so that its products have the same bits on every x86-64 processor.

Eigen cuts a product by the sizes of the caches in two cases (docs/reproducibility.md): in sums of over 320
terms, where the product is so small that it gets a single thread; and between columns, where those are many
and the rows few. Zeros make the product large enough, and change no sum.
"""

from math import ceil

from stages.common.backend import tf

LONGEST_WHOLE_SUM = 320  # terms
# With so many, there are two threads: of 1,157 random products, the largest with one had 1.4 million.
LEAST_MULTIPLICATIONS = 2**21
# Source: `shardByCol` in Eigen's TensorContractionThreadPool.h, with two threads and four columns at once.
LEAST_ROWS, MOST_COLUMNS_A_ROW, ENOUGH_ROWS = 32, 32, 128
MOST_WHOLE_COLUMNS = 128  # of 592 derivatives by filters with few rows, none of up to 136 columns differed


def count_least_rows(columns: int) -> int:
    """Return the least number of rows with which a product is cut between its rows, not its columns."""
    return min(max(LEAST_ROWS, ceil(columns / MOST_COLUMNS_A_ROW)), ENOUGH_ROWS)


def pad_batch(batch: tf.Tensor, multiplications: int, width: int, places: int = 1) -> tf.Tensor:
    """Add rows of zeros, until a product of the batch and its derivatives are large enough.

    Args:
        batch: shape (n, ...).
        multiplications: their number for a row of the batch.
        width: the number of terms in the longest sum for a row, and no fewer than the columns of the product.
        places: the number of terms for a row in a sum over the batch, as in the derivative by the weights.

    Returns:
        Shape (m, ...), with m of n or more.
    """
    rows = tf.shape(batch)[0]
    least_rows = count_least_rows(width)
    rows_for_two_threads = max(least_rows, ceil(LEAST_MULTIPLICATIONS / multiplications))
    has_long_sum = tf.maximum(rows * places, width) > LONGEST_WHOLE_SUM
    missing = tf.maximum(tf.where(has_long_sum, rows_for_two_threads, least_rows) - rows, 0)
    return tf.pad(batch, [[0, missing], *([0, 0] for _ in batch.shape[1:])])
