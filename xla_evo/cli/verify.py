"""``xla-evo verify``: proves a program over every input of a domain, from nothing but its text."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from xla_evo._files import read_text
from xla_evo.cli.arguments import add_json, argument, parse_bound, refuse
from xla_evo.cli.common import add_target
from xla_evo.cli.output import print_json, print_line
from xla_evo.cli.runs import no_winner, refuse_discovery
from xla_evo.errors import ConfigError, RunError
from xla_evo.search.run import PROGRAM, RunFolder
from xla_evo.targets.target import Target, make_target
from xla_evo_lowering.program import Program
from xla_evo_lowering.text import parse_program

if TYPE_CHECKING:
    from xla_evo.api import Verification

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
    parser.add_argument(
        "--function", metavar="NAME",
        help="what it should compute; with --all or --quick: only programs for it",
    )  # fmt: skip
    add_target(parser)
    parser.add_argument(
        "--dtype",
        help="format of a program file (default: float32); with --all or --quick: only this one",
    )
    parser.add_argument(
        "--max-ulp", type=argument(parse_bound), metavar="U",
        help="bound to hold (default: the run's, or 1)",
    )  # fmt: skip
    parser.add_argument(
        "--backend",
        help="measure on this machine's cpu, cuda or tpu device (default: cpu; a run for a backend"
        " that is not here is modelled again); with --all: programs for it, such as tpu:v5e",
    )  # fmt: skip
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Sweeps and examines; 0 when the bound holds on every input, else 1."""
    from xla_evo.api import verify, verify_model
    from xla_evo_lowering.compile import dispatch_on_calling_thread

    dispatch_on_calling_thread()
    if args.all or args.quick:
        from xla_evo.cli import verify_library

        return verify_library.run(args)
    if args.subject is None:
        raise ConfigError("say what to verify: a program file, a run's folder, --all or --quick")
    refuse(args, ["--turn"], "of --quick alone")
    folder = _folder(args)
    if folder is None:
        target, max_ulp, modelled = _target(args), 1.0, ""
        path = Path(args.subject)
    else:
        config = folder.config()
        target, max_ulp, path = config.target, config.max_ulp, folder.path / PROGRAM
        modelled = config.backend if config.modelled and not args.backend else ""
    bound = max_ulp if args.max_ulp is None else args.max_ulp
    if args.subject == "jnp":
        subject = target.function.builtin_function()
    else:
        subject = _program(path, target)
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
    if args.json:
        print_json({
            "target": target.to_json(), "max_ulp": bound, "holds": result.holds,
            "backend": result.backend, "device": result.device, "modelled": bool(modelled),
            "error": result.error.to_json(), "examination": result.examination,
        })  # fmt: skip
    else:
        _print(args.subject, target, result, modelled=bool(modelled))
    if folder is not None and result.holds and not modelled:
        _keep(folder, result)
    return 0 if result.holds else 1


def _folder(args: argparse.Namespace) -> RunFolder | None:
    """The run that is to be verified; None for a program file or the built-in.

    Raises:
        ConfigError: it is a run that is not verified so, or options say what a run says itself.
        RunError: the run has no program yet.
    """
    path = Path(args.subject)
    if not path.is_dir():
        return None
    refuse_discovery(path, "verified")
    refuse(
        args, ["--function", "--expr", "--domain", "--dtype"],
        "for a program file; a run knows its own",
    )  # fmt: skip
    folder = RunFolder(path)
    if not (path / PROGRAM).exists():
        raise RunError(no_winner(folder.config(), path))
    return folder


def _target(args: argparse.Namespace) -> Target:
    """What a program file or the built-in should compute.

    Raises:
        ConfigError: that is not said, there is no such file, or it has too many inputs.
    """
    if args.subject != "jnp" and not Path(args.subject).exists():
        raise ConfigError(f"cannot read {args.subject}: there is no such program file and no run")
    if (args.function is None) == (args.expr is None):
        raise ConfigError("say what it should compute: --function NAME or --expr TEXT")
    low, high = args.domain or (None, None)
    target = make_target(args.function, args.dtype or "float32", low, high, expr=args.expr)
    if target.function.arity != 1 or target.dtype.bits > 32:
        raise ConfigError(
            f"{target.describe()} has too many inputs to prove a program over all of them; verify"
            " takes functions of one argument in formats of at most 32 bits"
        )
    return target


def _program(path: Path, target: Target) -> Program:
    """A program of the target's format.

    Raises:
        ConfigError: it cannot be read, or has other inputs.
        ProgramError: it is none.
    """
    program = parse_program(read_text(path, "the program"), source=str(path))
    types = [parameter.dtype for parameter in program.parameters]
    if types != [target.dtype] or program.dtype is not target.dtype:
        raise ConfigError(
            f"{path} is not a program from {target.dtype.name} to {target.dtype.name}"
        )
    return program


def _keep(folder: RunFolder, result: "Verification") -> None:
    """Keeps a proof in its run, or says that it is not kept."""
    try:
        folder.write_proof(result)
    except RunError as error:
        reason = str(error).partition(";")[0]
        sys.stderr.write(f"xla-evo: the proof is not kept in the run: {reason}\n")


def _print(name: str, target: Target, result: "Verification", *, modelled: bool) -> None:
    error, found = result.error, result.examination
    how = f"modelled for {result.backend}, not measured" if modelled else f"on {result.device}"
    print_line(f"{name} for {target.describe()}, {how}")
    print_line(f"  error              {error.bound()} ({error.seconds:.1f} s)")
    print_line(f"  worst input        {error.worst_input_hex}")
    share = error.not_correctly_rounded / max(1, error.count)
    print_line(f"  not the nearest    {error.not_correctly_rounded:,} results ({share:.2%})")
    print_line(f"  special inputs     {'as they should be' if not found.specials else ''}")
    for line in found.specials:
        print_line(f"    {line}")
    print_line(f"  array lengths      {found.lengths or 'the same bits at every length'}")
    print_line(f"  {'holds' if result.holds else 'does NOT hold'} {result.max_ulp:g} ULP")
