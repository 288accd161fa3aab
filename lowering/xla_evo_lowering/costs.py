"""Static cost of a program for any backend: one number that orders programs, and its parts."""

from dataclasses import dataclass
from typing import Any

import jax

from xla_evo_lowering.ahead import AheadOfTime, lower_for
from xla_evo_lowering.artifacts import make_artifacts
from xla_evo_lowering.backends import Backend
from xla_evo_lowering.compile import SINGLE_THREAD, stages_of_lowered
from xla_evo_lowering.cost_cpu import CpuCost, cpu_cost
from xla_evo_lowering.cost_gpu import GpuCost, gpu_cost
from xla_evo_lowering.cost_tpu import TpuCost, tpu_cost
from xla_evo_lowering.dtypes import DType
from xla_evo_lowering.errors import BackendError

ELEMENTS = 16384
GPU_ELEMENTS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticCost:
    """A static cost.

    Attributes:
        value: less is faster; comparable within one backend only.
        unit: what `value` counts.
        detail: the backend's own cost, with its parts.
    """

    value: float
    unit: str
    detail: CpuCost | GpuCost | TpuCost


def static_cost(
    row: Backend, function: Any, dtypes: tuple[DType, ...], process: AheadOfTime | None = None
) -> StaticCost:
    """Costs an elementwise function whose result has the type of its first argument.

    Args:
        row: the backend.
        function: a function of arrays, as `stablehlo.as_function` gives.
        dtypes: types of its arguments.
        process: a running compiler process of the backend, which all but ``cpu`` need.

    Raises:
        BackendError: there is nothing to cost, or no process was given.
        CompileError: the compiler refused it.
    """
    if not row.live and process is None:
        raise BackendError(f"costs for {row.name} need a compiler process, see AheadOfTime")
    with jax.enable_x64(any(dtype.bits == 64 for dtype in dtypes)):
        return _COSTS[row.platform](row, function, dtypes, process)


def _specs(dtypes: tuple[DType, ...], elements: int) -> list[Any]:
    return [jax.ShapeDtypeStruct((elements,), dtype.numpy) for dtype in dtypes]


def _cpu(row: Backend, function: Any, dtypes: tuple[DType, ...], process: Any) -> StaticCost:
    lowered = lower_for(row, function, _specs(dtypes, ELEMENTS))
    if row.live:
        objects = stages_of_lowered(lowered, SINGLE_THREAD).objects
    else:
        made = make_artifacts(row, lowered, SINGLE_THREAD, process=process)
        objects = [made.texts["object"]]
    cost = cpu_cost(objects, dtypes[0].bits // 8, mca=None)
    return StaticCost(value=cost.cycles, unit="cycles an element", detail=cost)


def _gpu(row: Backend, function: Any, dtypes: tuple[DType, ...], process: Any) -> StaticCost:
    texts = process.compile(lower_for(row, function, _specs(dtypes, GPU_ELEMENTS)))
    ptx = texts.get("ptx", b"").decode()
    cost = gpu_cost(ptx, row.kind, dtypes[0].bits // 8, arguments=len(dtypes))
    return StaticCost(value=cost.cycles, unit="cycles of a multiprocessor an element", detail=cost)


def _tpu(row: Backend, function: Any, dtypes: tuple[DType, ...], process: Any) -> StaticCost:
    del row
    cost = tpu_cost(process, function, dtypes)
    return StaticCost(value=cost.bundles, unit="bundles for 1,024 elements", detail=cost)


_COSTS = {"cpu": _cpu, "cuda": _gpu, "tpu": _tpu}
