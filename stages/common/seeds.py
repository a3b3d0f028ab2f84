"""The random numbers of a run: one seed, and a stream of its own for each purpose."""

from numpy.random import SeedSequence


def seed_of(purpose: str, seed: int) -> int:
    """The seed for one purpose, from 0 to 2**32 - 1.

    Purposes do not share numbers: whoever draws more for one, as another batch size or another layer
    does, leaves what is drawn for the others as it was.

    Args:
        purpose: any name, such as "order" or "weights of hidden_1".
        seed: that of the data set.
    """
    return int(SeedSequence([seed, *purpose.encode()]).generate_state(1)[0])
