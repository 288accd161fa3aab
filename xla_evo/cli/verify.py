"""``xla-evo verify``: proves a program over every input of a domain, from nothing but its text."""

import argparse
import sys
from pathlib import Path

from xla_evo.cli.arguments import add_json
from xla_evo.cli.common import add_target
from xla_evo.cli.output import print_json, print_line
from xla_evo.errors import ConfigError

NAME = "verify"
HELP = "Proves a program over every input: error, special values, array lengths."
EXAMPLES = """\
  xla-evo verify runs/exp2
  xla-evo verify best.prog --function exp2 --domain 0 1 --max-ulp 1
  xla-evo verify runs/tanh --backend cuda
  xla-evo verify jnp --function tanh --domain -0.5 0.5 --max-ulp 5
  xla-evo verify --all
  xla-evo verify --all --function tanh
  xla-evo verify --quick"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "subject", metavar="SUBJECT", nargs="?",
        help="a program file, a run's folder, or jnp: the built-in",
    )  # fmt: skip
    parser.add_argument(
        "--all", action="store_true", help="prove what the library ships anew, in full"
    )
    parser.add_argument(
        "--quick", action="store_true",
        help="check a rotating part of what the library ships, in a minute",
    )  # fmt: skip
    parser.add_argument(
        "--turn", type=int, metavar="N", help="which part --quick takes (default: today's)"
    )
    parser.add_argument("--function", metavar="NAME", help="what it should compute")
    add_target(parser, name=False)
    parser.set_defaults(dtype=None)
    parser.add_argument(
        "--max-ulp", type=float, metavar="U", help="bound to hold (default: the run's, or 1)"
    )
    parser.add_argument(
        "--backend", metavar="B",
        help="measure on this machine's cpu, cuda or tpu device (default: cpu; a run for a backend"
        " that is not here is modelled again)",
    )  # fmt: skip
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Sweeps and examines; 0 when the bound holds on every input, else 1."""
    from xla_evo.api import verify, verify_model
    from xla_evo.search.run import PROGRAM, RunFolder
    from xla_evo.targets.target import make_target
    from xla_evo_lowering.compile import dispatch_on_calling_thread
    from xla_evo_lowering.program import Program
    from xla_evo_lowering.text import parse_program

    dispatch_on_calling_thread()
    if args.all or args.quick:
        from xla_evo.cli import verify_library

        return verify_library.run(args)
    if args.subject is None:
        raise ConfigError("say what to verify: a program file, a run's folder, --all or --quick")
    path = Path(args.subject)
    max_ulp, modelled, folder = args.max_ulp, "", None
    if path.is_dir():
        folder = RunFolder(path)
        config = folder.config()
        modelled = config.backend if config.modelled and not args.backend else ""
        target, path = config.target, path / PROGRAM
        max_ulp = config.max_ulp if max_ulp is None else max_ulp
    else:
        if (args.function is None) == (args.expr is None):
            raise ConfigError("say what it should compute: --function NAME or --expr TEXT")
        low, high = args.domain or (None, None)
        target = make_target(args.function, args.dtype or "float32", low, high, expr=args.expr)
    bound = 1.0 if max_ulp is None else max_ulp
    if args.subject == "jnp":
        subject = target.function.builtin_function()
    else:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"cannot read the program {path}: {error.strerror}") from None
        subject = parse_program(text, source=str(path))
        types = [parameter.dtype for parameter in subject.parameters]
        if types != [target.dtype] or subject.dtype is not target.dtype:
            raise ConfigError(
                f"{path} is not a program from {target.dtype.name} to {target.dtype.name}"
            )
    shown = sys.stderr.isatty() and not args.json

    def report(done: int, total: int) -> None:
        if shown:
            sys.stderr.write(f"\r{done / total:6.1%} of {total:,} inputs")
            if done == total:
                sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    if modelled and isinstance(subject, Program):
        result = verify_model(subject, target, backend=modelled, max_ulp=bound, report=report)
    else:
        backend = args.backend or "cpu"
        result = verify(subject, target, max_ulp=bound, backend=backend, report=report)
        if folder is not None and result.holds:
            folder.write_proof(result)
    error, found, holds = result.error, result.examination, result.holds
    if args.json:
        print_json({
            "target": target.to_json(), "max_ulp": bound, "holds": holds,
            "backend": result.backend, "device": result.device, "modelled": bool(modelled),
            "error": error.to_json(), "examination": found,
        })  # fmt: skip
        return 0 if holds else 1
    how = f"modelled for {result.backend}, not measured" if modelled else f"on {result.device}"
    print_line(f"{args.subject} for {target.describe()}, {how}")
    print_line(f"  error              {error.bound()} ({error.seconds:.1f} s)")
    print_line(f"  worst input        {error.worst_input_hex}")
    share = error.not_correctly_rounded / max(1, error.count)
    print_line(f"  not the nearest    {error.not_correctly_rounded:,} results ({share:.2%})")
    print_line(f"  special inputs     {'as they should be' if not found.specials else ''}")
    for line in found.specials:
        print_line(f"    {line}")
    print_line(f"  array lengths      {found.lengths or 'the same bits at every length'}")
    print_line(f"  {'holds' if holds else 'does NOT hold'} {bound:g} ULP")
    return 0 if holds else 1
