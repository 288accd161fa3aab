"""Static cost of a program for any backend: one number that orders programs, and its parts."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax

from xla_evo_lowering.ahead import AheadOfTime, lower_for
from xla_evo_lowering.backends import Backend
from xla_evo_lowering.compile import SINGLE_THREAD, stages_of_lowered
from xla_evo_lowering.cost_cpu import CpuCost, cpu_cost
from xla_evo_lowering.cost_gpu import GpuCost, gpu_cost
from xla_evo_lowering.cost_tpu import TpuCost, tpu_cost
from xla_evo_lowering.device_model import DeviceModel, device_model
from xla_evo_lowering.dtypes import DType
from xla_evo_lowering.errors import BackendError
from xla_evo_lowering.replacement import nothing_replaced

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
    with _settings(row, dtypes, process):
        return _COSTS[row.platform](row, function, dtypes, process)[0]


def cost_and_model(
    row: Backend, function: Any, dtypes: tuple[DType, ...], process: AheadOfTime | None = None
) -> tuple[StaticCost, DeviceModel]:
    """Returns the static cost of an elementwise function and the model of what it computes.

    Takes what `static_cost` takes.

    Raises:
        BackendError: as `static_cost`, or the function has no model (see `device_model`).
        CompileError: the compiler refused it.
    """
    with _settings(row, dtypes, process):
        cost, texts = _COSTS[row.platform](row, function, dtypes, process)
        if row.platform == "tpu" and process is not None:
            texts = process.compile(lower_for(row, function, _specs(dtypes, ELEMENTS)))
        return cost, device_model(row, texts)


@contextmanager
def _settings(
    row: Backend, dtypes: tuple[DType, ...], process: AheadOfTime | None
) -> Generator[None]:
    if not row.live and process is None:
        raise BackendError(f"costs for {row.name} need a compiler process, see AheadOfTime")
    with nothing_replaced(), jax.enable_x64(any(dtype.bits == 64 for dtype in dtypes)):
        yield


_Costed = tuple[StaticCost, Mapping[str, bytes]]


def _specs(dtypes: tuple[DType, ...], elements: int) -> list[Any]:
    return [jax.ShapeDtypeStruct((elements,), dtype.numpy) for dtype in dtypes]


def _cpu(row: Backend, function: Any, dtypes: tuple[DType, ...], process: Any) -> _Costed:
    lowered = lower_for(row, function, _specs(dtypes, ELEMENTS))
    if row.live:
        made = stages_of_lowered(lowered, SINGLE_THREAD)
        objects, texts = made.objects, made.texts
    else:
        texts = process.compile(lowered, SINGLE_THREAD)
        objects = [texts[name] for name in sorted(texts) if name.startswith("object.")]
    cost = cpu_cost(objects, dtypes[0].bits // 8, mca=None)
    return StaticCost(value=cost.cycles, unit="cycles an element", detail=cost), texts


def _gpu(row: Backend, function: Any, dtypes: tuple[DType, ...], process: Any) -> _Costed:
    texts = process.compile(lower_for(row, function, _specs(dtypes, GPU_ELEMENTS)))
    ptx = texts.get("ptx", b"").decode()
    cost = gpu_cost(ptx, row.kind, dtypes[0].bits // 8, arguments=len(dtypes))
    unit = "cycles of a multiprocessor an element"
    return StaticCost(value=cost.cycles, unit=unit, detail=cost), texts


def _tpu(row: Backend, function: Any, dtypes: tuple[DType, ...], process: Any) -> _Costed:
    del row
    cost = tpu_cost(process, function, dtypes)
    return StaticCost(value=cost.bundles, unit="bundles for 1,024 elements", detail=cost), {}


_COSTS = {"cpu": _cpu, "cuda": _gpu, "tpu": _tpu}
