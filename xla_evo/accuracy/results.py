"""Results that lie outside the function's: above 1 of tanh, say, by less than its error in ULP.

What users put after a function counts on them: a root of 1 - tanh(x)^2 or an atanh of tanh(x) is
nan there.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xla_evo.targets.function import Function


def outside(function: Function, inputs: NDArray[Any], results: NDArray[Any]) -> str:
    """Says which result lies outside `Function.results`; nan lies nowhere.

    Args:
        function: of one argument.
        inputs: of a format.
        results: of the inputs, in the same format.

    Returns:
        The first, empty where there is none.
    """
    low, high = (np.asarray(end).astype(results.dtype) for end in function.results)
    with np.errstate(invalid="ignore"):  # NumPy warns of nan in 16-bit formats.
        (places,) = np.nonzero((results < low) | (results > high))
    if not places.size:
        return ""
    x, y = float(inputs[places[0]]), float(results[places[0]])
    return f"f({x!r}) is {y!r}, {'below' if y < low else 'above'} all results of the function"
