"""``xla-evo dump``: every stage of a compilation, for any backend."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xla_evo._files import read_text
from xla_evo.cli.arguments import add_json
from xla_evo.cli.output import Column, print_json, print_line, print_table
from xla_evo.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from xla_evo.dumping import Dump, Subject
    from xla_evo.store import Store

NAME = "dump"
HELP = "Shows what XLA makes of a function, stage by stage, on any of its backends."
EXAMPLES = """\
  xla-evo dump jnp.exp
  xla-evo dump jnp.exp --stage asm
  xla-evo dump best.prog --stage optimized --against jnp.exp2
  xla-evo dump jax.nn.softplus --backend tpu:v5e --stage llo
  xla-evo dump mymodule:loss --spec f32[1024] --spec f32[1024] --out dumps"""

_SUMMARY = "summary"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "function", metavar="FUNCTION",
        help="a function of the library, a program file, jnp.NAME, lax.NAME, jax.nn.NAME or"
        " module:function",
    )  # fmt: skip
    parser.add_argument(
        "--backend", default="cpu", help="cpu, cpu:avx2, cuda:sm_90, tpu:v5e, ... (default: cpu)"
    )
    parser.add_argument(
        "--stage", default=_SUMMARY,
        help="stablehlo, hlo, optimized, llvm, llvm_optimized (cpu, cuda), object, asm (cpu), ptx,"
        " sass (cuda), llo, bundles, schedule (tpu) or all (default: operation counts of each)",
    )  # fmt: skip
    parser.add_argument(
        "--spec", action="append", default=[], metavar="ARRAY",
        help="an argument's type and shape, as f32[1024]; one for each argument",
    )  # fmt: skip
    parser.add_argument(
        "--dtype", default="float32", help="format of arguments without --spec (default: float32)"
    )
    parser.add_argument(
        "--against", metavar="OTHER",
        help="show another function beside it: jnp for the built-in, or any FUNCTION",
    )  # fmt: skip
    parser.add_argument(
        "--target-config", type=Path, metavar="FILE",
        help="description of the GPU to compile for (GpuTargetConfigProto as text)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="DIR",
        help="write every stage to files in DIR, whichever is asked for, instead of printing it",
    )  # fmt: skip
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Compiles, or finds in the store, and prints or writes."""
    from xla_evo.dumping import dump_subject, parse_specs, resolve
    from xla_evo_lowering.backends import backend
    from xla_evo_lowering.stages import stage

    row = backend(args.backend)
    if args.stage not in (_SUMMARY, "all"):
        stage(row.platform, args.stage)
    config = read_text(args.target_config, "the target configuration") if args.target_config else ""
    if ":" in f"{args.function}{args.against}" and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` has it: a user's modules are there
    specs = parse_specs(args.spec)
    subjects = [resolve(args.function, specs, dtype=args.dtype, backend=row.name)]
    if args.against:
        subjects.append(_other(args.against, args.function, subjects[0], args.dtype, row.name))
    store = _store()
    try:
        dumps = [
            dump_subject(subject, backend=row.name, target_config=config, store=store)
            for subject in subjects
        ]
    finally:
        if store is not None:
            store.close()
    written = [path for made in dumps for path in made.write(args.out)] if args.out else []
    if args.json:
        print_json({"dumps": [_to_json(made, args.stage) for made in dumps], "files": written})
    elif args.stage == _SUMMARY:
        _print_counts(dumps)
    elif not args.out:
        _print_stages(dumps, args.stage)
    if not args.json:
        for path in written:
            print_line(str(path))
    return 0


def _other(against: str, name: str, subject: "Subject", dtype: str, backend: str) -> "Subject":
    """The function to compare with, on the arrays of the first."""
    from xla_evo.dumping import resolve
    from xla_evo.targets.catalogue import CATALOGUE

    if against != "jnp":
        return resolve(against, subject.specs, dtype=dtype, backend=backend)
    stem = subject.name.rpartition(".")[2]
    row = CATALOGUE.get(stem)
    if row is None or not row.builtin:
        raise ConfigError(f"{name} has no built-in of its own name; say --against jnp.NAME")
    return resolve(row.builtin, subject.specs, dtype=dtype)


def _store() -> "Store | None":
    from absl import logging

    from xla_evo.store import Store

    try:
        return Store.open()
    except StoreError as error:
        logging.warning("%s; nothing is kept", error)
        return None


def _names(made: "Dump", wanted: str) -> list[str]:
    if wanted in (_SUMMARY, "all"):
        return list(made.texts)
    if wanted not in made.texts:
        made.text(wanted)  # raises, with the reason
    return [wanted]


def _to_json(made: "Dump", wanted: str) -> dict[str, Any]:
    stages: dict[str, Any] = {}
    for name in _names(made, wanted):
        stages[name] = {"bytes": len(made.texts[name]), "operations": made.counts(name)}
        if wanted != _SUMMARY and name != "object":
            stages[name]["text"] = made.text(name)
    return {
        "function": made.name, "backend": made.backend, "from_store": made.from_store,
        "stages": stages, "missing": made.missing,
    }  # fmt: skip


def _print_stages(dumps: "Sequence[Dump]", wanted: str) -> None:
    from xla_evo_lowering.stages import stage

    for made in dumps:
        for name in _names(made, wanted):
            row = stage(made.platform, name)
            if wanted == "all" or len(dumps) > 1:
                print_line(f"==== {made.name}, {made.backend}: {row.title}")
            if row.binary and wanted == "all":
                print_line(f"({len(made.texts[name])} bytes; --out DIR writes them)")
            else:
                print_line(made.text(name).rstrip("\n"))
    if len(dumps) > 1:
        print_line()
        _print_counts(dumps, None if wanted == "all" else wanted)


def _print_counts(dumps: "Sequence[Dump]", only: str | None = None) -> None:
    """One table a stage: operations and how often they stand there, one column a function."""
    from xla_evo_lowering.stages import STAGE_TABLE

    for row in STAGE_TABLE[dumps[0].platform]:
        if (only and row.name != only) or not row.operation:
            continue
        present = [made.counts(row.name) for made in dumps]
        if not any(present):
            reason = dumps[0].missing.get(row.name)
            if reason:
                print_line(f"{row.name}: {reason}\n")
            continue
        names = sorted(
            {name for counts in present for name in counts},
            key=lambda name: (-max(counts.get(name, 0) for counts in present), name),
        )
        cells = [(name, *(counts.get(name) for counts in present)) for name in names]
        cells.append(("total", *(sum(counts.values()) for counts in present)))
        columns = [Column(name=row.name, align="left"), *(Column(name=made.name) for made in dumps)]
        print_table(columns, cells)
        print_line()
