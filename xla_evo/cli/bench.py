"""``xla-evo bench``: times programs and built-ins in turn, as ratios within one process."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xla_evo.cli.arguments import add_json
from xla_evo.cli.output import print_json, print_table
from xla_evo.errors import ConfigError

if TYPE_CHECKING:
    from xla_evo.targets.target import Target

NAME = "bench"
HELP = "Times programs against the built-in, in turn, in a loop over an array in cache."
EXAMPLES = """\
  xla-evo bench runs/exp2
  xla-evo bench best.prog --function exp2 --domain 0 1
  xla-evo bench jnp.exp jnp.tanh jnp.log2 --domain 0.5 2"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "subjects", nargs="+", metavar="SUBJECT",
        help="runs, program files, or jnp.NAME for a function of the catalogue",
    )  # fmt: skip
    parser.add_argument("--function", metavar="NAME", help="built-in to compare program files with")
    parser.add_argument(
        "--domain", nargs=2, type=float, metavar=("LOW", "HIGH"), default=None,
        help="inputs are uniform in it (default: the run's, or 0.5 to 1)",
    )  # fmt: skip
    parser.add_argument(
        "--rounds", type=int, default=31, metavar="N", help="samples of each (default: 31)"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Times and prints."""
    import numpy as np

    from xla_evo_lowering.dtypes import F32
    from xla_evo_lowering.timing import ELEMENTS, ROWS, compile_loop, floor_function, ratio
    from xla_evo_lowering.timing import time_loops as time_in_turn

    if args.rounds < 1:
        raise ConfigError(f"--rounds must be at least 1, not {args.rounds}")
    rows: list[tuple[Any, ...]] = []
    data: list[dict[str, Any]] = []
    for subject in args.subjects:
        function, target = _subject(subject, args)
        low, high = (target.low, target.high) if target else args.domain or (0.5, 1.0)
        if not (np.isfinite(low) and np.isfinite(high)):
            low, high = args.domain or (0.5, 1.0)
        random = np.random.default_rng(0)
        xs = random.uniform(low, high, (ROWS, ELEMENTS)).astype(np.float32)
        builtin = target.function.builtin_function() if target else None
        functions = [floor_function, builtin or floor_function, function]
        loops = [compile_loop(item, F32) for item in functions]
        floor, reference, own = time_in_turn(loops, xs, rounds=args.rounds)
        speed = ratio(reference, own)
        name = target.function.builtin if target else ""
        rows.append((
            subject, f"{own.best_ns:.3f}", f"{floor.best_ns:.3f}",
            f"{reference.best_ns:.3f}" if builtin else "-", name,
            f"{speed:.2f}x" if builtin else "-",
        ))  # fmt: skip
        data.append({
            "subject": subject, "ns": own.best_ns, "floor_ns": floor.best_ns,
            "builtin": name, "builtin_ns": reference.best_ns if builtin else None,
            "speedup": speed if builtin else None, "domain": [low, high],
            "samples_ns": {"own": own.samples_ns, "builtin": reference.samples_ns},
        })  # fmt: skip
    if args.json:
        print_json(data)
    else:
        columns = ["subject", "ns/element", "loop floor", "built-in", "", "speed"]
        print_table(columns, rows)
    return 0


def _subject(name: str, args: argparse.Namespace) -> "tuple[Any, Target | None]":
    """The function to time, and the target that says what to compare it with."""
    from xla_evo.search.run import PROGRAM, RunFolder
    from xla_evo.targets.target import make_target
    from xla_evo_lowering.stablehlo import as_function
    from xla_evo_lowering.text import parse_program

    low, high = args.domain or (None, None)
    if name.startswith("jnp."):
        target = make_target(name.removeprefix("jnp."), "float32", low, high)
        return target.function.builtin_function(), target
    path = Path(name)
    if path.is_dir():
        target = RunFolder(path).config().target
        path = path / PROGRAM
    else:
        named = args.function is not None
        target = make_target(args.function, "float32", low, high) if named else None
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}; give a run, a program file or jnp.NAME"
        ) from None
    return as_function(parse_program(text, source=str(path))), target
