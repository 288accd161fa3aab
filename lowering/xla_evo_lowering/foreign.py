"""StableHLO text as a JAX function: how a module made in one process is compiled in another.

The module's functions are copied into the module that JAX builds, and its main function is called;
nothing but text, shapes and dtypes has to cross.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.extend.mlir import ir  # pyright: ignore[reportMissingImports]
from jax.extend.mlir.dialects import func  # pyright: ignore[reportMissingImports]
from jax.interpreters import mlir

Spec = tuple[tuple[int, ...], str]
"""Shape and NumPy dtype name of an array."""

_ENTRY = "xla_evo_main"

module_p = Primitive("xla_evo_module")
module_p.multiple_results = True


def _abstract(*inputs: Any, text: str, results: tuple[Spec, ...]) -> list[Any]:
    del inputs, text
    return [ShapedArray(shape, np.dtype(dtype)) for shape, dtype in results]


def _lower(ctx: Any, *operands: Any, text: str, results: tuple[Spec, ...]) -> list[Any]:
    del results
    entry: Any = None
    with ir.InsertionPoint(ctx.module_context.module.body):
        for operation in ir.Module.parse(text).body.operations:
            copy: Any = operation.operation.clone()
            if "sym_name" not in copy.attributes:
                continue
            if copy.attributes["sym_name"].value == "main":
                entry = copy.opview
                copy.attributes["sym_name"] = ir.StringAttr.get(_ENTRY)
                copy.attributes["sym_visibility"] = ir.StringAttr.get("private")
    name = ir.FlatSymbolRefAttr.get(_ENTRY)
    return list(func.CallOp(entry.type.results, name, list(operands)).results)


module_p.def_abstract_eval(_abstract)
mlir.register_lowering(module_p, _lower)


def module_function(text: str, results: Sequence[Spec]) -> Callable[..., Any]:
    """Returns the function that a StableHLO module computes.

    Args:
        text: the module; its ``main`` is the function.
        results: shapes and dtypes of what it returns.
    """

    def function(*inputs: jax.Array) -> list[jax.Array]:
        return module_p.bind(*inputs, text=text, results=tuple(results))

    return function
