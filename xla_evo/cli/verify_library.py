"""``xla-evo verify --all`` and ``--quick``: certificates against fresh measurements."""

import argparse
import dataclasses
import time

from xla_evo.cli.arguments import refuse
from xla_evo.cli.output import Column, plain_table, print_json, print_line
from xla_evo.errors import ConfigError
from xla_evo.library.loader import MODELLED, entries
from xla_evo.library.recheck import Recheck, recheck_all, recheck_rotating

_COLUMNS = [
    Column(name="entry".ljust(44), align="left"),
    Column(name="lowering".ljust(11), align="left"),
    Column(name="certified"),
    Column(name="measured"),
    Column(name="       inputs"),
    Column(name="seconds"),
    Column(name="verdict", align="left"),
]
_SECONDS_A_DAY = 86_400


def run(args: argparse.Namespace) -> int:
    """Checks and prints a line an entry; 1 when a certificate of this compiler and CPU is wrong."""
    if args.all and args.quick:
        raise ConfigError("choose --all or --quick")
    if args.subject is not None or args.expr is not None or args.domain is not None:
        raise ConfigError("--all and --quick check what ships, on whole domains: name no program")
    refuse(args, ["--max-ulp"], "for one program; certificates have their own bounds")
    if args.all:
        refuse(args, ["--turn"], "of --quick alone")
    if args.backend not in (None, "cpu"):
        return _on_devices(args)
    chosen = entries(args.function, args.dtype)
    if not chosen:
        raise ConfigError("the library has no such program (see xla-evo library)")
    if not args.json:
        _print_row([column.name for column in _COLUMNS])
    started = time.perf_counter()
    report = _ignore if args.json else _report
    if args.quick:
        turn = int(time.time()) // _SECONDS_A_DAY if args.turn is None else args.turn
        outcomes = recheck_rotating(chosen, turn, report=report)
    else:
        outcomes = recheck_all(chosen, report=report)
    wrong = sum(bool(outcome.problem) and outcome.exact_machine for outcome in outcomes)
    refused = sum(bool(outcome.problem) and not outcome.exact_machine for outcome in outcomes)
    if args.json:
        print_json([dataclasses.asdict(outcome) for outcome in outcomes])
    else:
        seconds = time.perf_counter() - started
        part = "in part" if args.quick else "in full"
        print_line(
            f"{len(outcomes)} certificates checked {part} of {len(chosen)} programs"
            f" in {seconds:.0f} s: {wrong or 'none'} wrong"
            + (
                f"; {refused} of other compilers or CPUs do not hold here, and `use` refuses them"
                if refused
                else ""
            )
        )
    return 1 if wrong else 0


def _on_devices(args: argparse.Namespace) -> int:
    """Programs for one backend: measured on its device, or modelled again without one."""
    from xla_evo.library.recheck_modelled import device_row, recheck_models, recheck_on_device

    if args.quick:
        raise ConfigError("--quick checks programs on this CPU; take --all for another backend")
    row, here = device_row(args.backend)
    chosen = entries(args.function, args.dtype, row.name, folder=MODELLED)
    if not chosen:
        raise ConfigError(f"the library has no such program for {row.name}")
    if not args.json:
        _print_row([column.name for column in _COLUMNS])
    started = time.perf_counter()
    check = recheck_on_device if here else recheck_models
    outcomes = check(chosen, row, _ignore if args.json else _report)
    wrong = sum(bool(outcome.problem) for outcome in outcomes)
    if args.json:
        print_json([dataclasses.asdict(outcome) | {"modelled": not here} for outcome in outcomes])
    else:
        how = "measured on the device" if here else "modelled again, not measured"
        print_line(
            f"{len(outcomes)} programs for {row.name} {how} in {time.perf_counter() - started:.0f}"
            f" s: {wrong or 'none'} wrong"
        )
    return 1 if wrong else 0


def _ignore(outcome: Recheck) -> None:
    del outcome


def _report(outcome: Recheck) -> None:
    measured = "" if outcome.found_ulp is None else f"{outcome.found_ulp:.4f}"
    here = "holds" if outcome.exact_machine else "holds on this machine too"
    elsewhere = "" if outcome.exact_machine else "not on this machine: "
    verdict = f"{elsewhere}{outcome.problem}" if outcome.problem else here
    _print_row([
        outcome.entry, outcome.lowering, f"{outcome.claimed_ulp:.4f}", measured,
        f"{outcome.count:,}", f"{outcome.seconds:.1f}", verdict,
    ])  # fmt: skip


def _print_row(cells: list[str]) -> None:
    """One line at once, since the next may take a minute."""
    print_line(plain_table(_COLUMNS, [cells]).splitlines()[1])
