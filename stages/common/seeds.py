"""Seeds derived from the seed of a data set, one for each purpose."""

from numpy.random import SeedSequence


def derive_seed(seed: int, purpose: str) -> int:
    """Return the seed for one purpose, from 0 to 2**32 - 1.

    Each purpose has a stream of random numbers of its own. So another batch size or another layer leaves what
    is drawn for the other purposes as it was.

    Args:
        seed: the seed of the data set.
        purpose: any name, such as "order" or "weights of hidden_1".
    """
    return int(SeedSequence([seed, *purpose.encode()]).generate_state(1)[0])
