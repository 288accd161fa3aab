"""A random number generator that lives in an array: the same stream on every machine and thread.

xoshiro256++ (Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 47,
2021), seeded through splitmix64 as its authors advise.
"""

import numpy as np
import numpy.typing as npt

from xla_evo._numba import njit

Words = npt.NDArray[np.uint64]


def seeded(seed: int, stream: int) -> Words:
    """Returns the state of stream ``stream`` of ``seed``."""
    mask = (1 << 64) - 1
    z = (seed * 0x9E3779B97F4A7C15 + stream * 0xD1342543DE82EF95 + 0x2545F4914F6CDD1D) & mask
    state = np.zeros(4, np.uint64)
    for i in range(4):
        z = (z + 0x9E3779B97F4A7C15) & mask
        t = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        t = ((t ^ (t >> 27)) * 0x94D049BB133111EB) & mask
        state[i] = np.uint64(t ^ (t >> 31))
    return state


@njit
def _rotate(value: np.uint64, by: int) -> np.uint64:
    return (value << np.uint64(by)) | (value >> np.uint64(64 - by))


@njit
def word(state: Words) -> np.uint64:
    """Next 64 random bits."""
    result = _rotate(state[0] + state[3], 23) + state[0]
    t = state[1] << np.uint64(17)
    state[2] ^= state[0]
    state[3] ^= state[1]
    state[1] ^= state[2]
    state[0] ^= state[3]
    state[2] ^= t
    state[3] = _rotate(state[3], 45)
    return result


@njit
def uniform(state: Words) -> float:
    """A float64 in [0, 1)."""
    return float(word(state) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit
def below(state: Words, bound: int) -> int:
    """An integer in [0, bound)."""
    return int(uniform(state) * bound)


@njit
def normal(state: Words) -> float:
    """A normal float64 of mean 0 and variance 1 (Box and Muller)."""
    u = 1.0 - uniform(state)
    return np.sqrt(-2.0 * np.log(u)) * np.cos(2.0 * np.pi * uniform(state))
