"""Discovery over the real numbers: the fewest operations for a precision.

Rounding plays no part here. Each of +, -, x, / costs one operation; the input and real constants are
free; intermediate values may be used again. The search starts from nothing and knows nothing of the
function but its values.
"""
