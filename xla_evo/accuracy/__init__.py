"""How far a compiled function is from its reference, sampled and over every input."""
