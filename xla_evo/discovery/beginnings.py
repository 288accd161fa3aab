"""Beginnings: besides the long search, short ones that start from nothing again and again.

What an old population lacks it hardly finds: its parents are good, alike, and far from the forms
that no longer compete. A form whose constants do not come out of random ones needs parents that
an old population has long displaced. So one epoch in three belongs to young islands. They live for
as many epochs as they have operations, show what they found to the old ones, and begin anew, each
time with one operation less than before, down to half of what is asked, where short programs get
more of the candidates. What it is worth: `tools/bench_real.py exp2-finite`, 7 operations.
"""

from dataclasses import dataclass

from xla_evo.discovery.population import Island, new_island

EVERY = 3
"""One epoch in so many is one of the young islands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Where in its life a young island is.

    Attributes:
        number: which beginning, from 0.
        age: epochs that it has had.
        most: most operations of its programs.
    """

    number: int
    age: int
    most: int

    @property
    def last(self) -> bool:
        """Whether the coming epoch is its last."""
        return self.age == self.most - 1


def life(epoch: int, max_ops: int) -> Life | None:
    """Whose turn an epoch of a policy is: None for the old islands, who have a life's length first.

    Args:
        epoch: how many epochs of the policy there were.
        max_ops: most operations of the search.
    """
    epoch -= max_ops
    if epoch < 0 or epoch % EVERY != EVERY - 1:
        return None
    lengths = range(max_ops, max_ops // 2, -1)
    cycles, age = divmod(epoch // EVERY, sum(lengths))
    for number, most in enumerate(lengths, cycles * len(lengths)):
        if age < most:
            return Life(number=number, age=age, most=most)
        age -= most
    raise AssertionError("an age within the cycle belongs to one of its lives")


def renew(island: Island, seed: int, stream: int) -> None:
    """Empties an island and gives it another stream of random numbers."""
    for array, value in zip(island, new_island(seed, stream), strict=True):
        array[...] = value
