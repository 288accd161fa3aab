"""Every stage of a compilation for any backend, live or ahead of time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xla_evo_lowering.ahead import AheadOfTime, lower_for
from xla_evo_lowering.assembly import disassemble
from xla_evo_lowering.backends import Backend
from xla_evo_lowering.bundles import explain_bundles
from xla_evo_lowering.compile import stages_of_lowered
from xla_evo_lowering.errors import BackendError
from xla_evo_lowering.sass import disassemble_ptx
from xla_evo_lowering.stages import STAGE_TABLE

__all__ = ["Artifacts", "lower_for", "make_artifacts"]

_UNWRITTEN = "this version of the compiler did not write it"
_NO_CODE = "there is no machine code: the function copies, or calls routines of XLA's own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifacts:
    """The stages of one compilation.

    Attributes:
        backend: name of the backend.
        platform: its platform, which selects the stage table.
        texts: stage name to its bytes, in the order of the table.
        missing: stages that could not be made, with the reason.
    """

    backend: str
    platform: str
    texts: Mapping[str, bytes]
    missing: Mapping[str, str]


def make_artifacts(
    row: Backend,
    lowered: Any,
    options: Mapping[str, object] | None = None,
    *,
    process: AheadOfTime | None = None,
    target_config: str = "",
) -> Artifacts:
    """Compiles what `lower_for` gave and returns every stage that can be had.

    Args:
        row: the backend.
        lowered: the function, lowered for it.
        options: XLA compile options that differ from the defaults.
        process: a running compiler process of the backend, to use for a batch.
        target_config: see `AheadOfTime`.

    Raises:
        BackendError: the backend's plugin is missing.
        CompileError: the compiler refused it.
    """
    if row.live:
        stages = stages_of_lowered(lowered, options, llvm=True)
        texts, objects = dict(stages.texts), stages.objects
    else:
        if process is None:
            with AheadOfTime(row, target_config=target_config) as process:
                texts = process.compile(lowered, options)
        else:
            texts = process.compile(lowered, options)
        texts["stablehlo"] = lowered.as_text().encode()
        objects = [texts.pop(name) for name in sorted(texts) if name.startswith("object.")]
        if objects:
            texts["object"] = b"".join(objects)
    missing: dict[str, str] = {}
    source, name, make = {
        "cpu": ("object", "asm", lambda: disassemble(objects)),
        "cuda": ("ptx", "sass", lambda: disassemble_ptx(texts["ptx"].decode())),
        "tpu": ("llo", "bundles", lambda: explain_bundles(texts["llo"].decode())),
    }[row.platform]
    if texts.get(source):
        try:
            texts[name] = make().encode()
        except BackendError as error:
            missing[name] = str(error)
    else:
        texts.pop(source, None)
    reason = _NO_CODE if source not in texts and row.platform != "tpu" else _UNWRITTEN
    names = [stage.name for stage in STAGE_TABLE[row.platform]]
    for name in names:
        if name not in texts:
            missing.setdefault(name, reason)
    return Artifacts(
        backend=row.name,
        platform=row.platform,
        texts={name: texts[name] for name in names if name in texts},
        missing=missing,
    )
