"""``xla-evo cache``: what the store holds, and its upkeep."""

import argparse
from pathlib import Path

from xla_evo.budget import parse_duration
from xla_evo.cli.arguments import add_json, argument, parse_size
from xla_evo.cli.output import format_bytes, print_json, print_line, print_table
from xla_evo.errors import ConfigError
from xla_evo.store import Store, default_path

NAME = "cache"
HELP = "Counts and upkeep of the store of compiled and timed programs."
EXAMPLES = """\
  xla-evo cache stats
  xla-evo cache stats --json
  xla-evo cache prune --max-bytes 2G
  xla-evo cache prune --older-than 30d --kind timing
  xla-evo cache prune --kind native
  xla-evo cache export store.tar
  xla-evo cache import store.tar
  xla-evo cache path"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the actions, each with its own arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    stats = actions.add_parser("stats", help="entries, hits and misses, and bytes a kind")
    prune = actions.add_parser("prune", help="remove old entries, and blobs that nothing needs")
    prune.add_argument(
        "--max-bytes", type=argument(parse_size), metavar="SIZE",
        help="remove machine code used longest ago, then the oldest entries, until the store takes"
        " at most SIZE (500M, 2G)",
    )  # fmt: skip
    prune.add_argument(
        "--older-than", type=argument(parse_duration), metavar="TIME",
        help="remove entries older than TIME (12h, 30d), and machine code not used since",
    )  # fmt: skip
    prune.add_argument(
        "--kind", action="append", metavar="KIND",
        help="only entries of KIND, several times for several; alone: all of them",
    )  # fmt: skip
    export = actions.add_parser("export", help="write the whole store into one tar file")
    take = actions.add_parser("import", help="take in a file that export wrote")
    for action, does in ((export, "written"), (take, "read")):
        action.add_argument("file", type=Path, metavar="FILE", help=f"the tar file that is {does}")
    path = actions.add_parser("path", help="print the store's folder; XLA_EVO_CACHE moves it")
    for action in (stats, prune, export, take, path):
        add_json(action)


def run(args: argparse.Namespace) -> int:
    """Does one action on the store of `default_path`."""
    if args.action == "path":
        _say(args, str(default_path()), {"path": str(default_path())})
        return 0
    with Store.open() as store:
        _ACTIONS[args.action](store, args)
    return 0


def _stats(store: Store, args: argparse.Namespace) -> None:
    stats = store.stats()
    if args.json:
        kinds = [
            {
                "kind": row.kind, "entries": row.entries, "hits": row.hits, "misses": row.misses,
                "hit_rate": row.hit_rate, "blobs": row.blobs, "bytes": row.bytes,
            }
            for row in stats.kinds
        ]  # fmt: skip
        print_json({
            "path": stats.path, "schema": stats.schema, "read_only": stats.read_only,
            "bytes": stats.bytes, "kinds": kinds,
        })  # fmt: skip
        return
    state = ", read-only" if stats.read_only else ""
    print_line(f"{stats.path}  schema {stats.schema}{state}  {format_bytes(stats.bytes)}")
    rows = [
        (
            row.kind, row.entries, row.hits, row.misses,
            "-" if row.hit_rate is None else f"{row.hit_rate:.1%}", row.blobs,
            format_bytes(row.bytes),
        )
        for row in stats.kinds
    ]  # fmt: skip
    print_table(["kind", "entries", "hits", "misses", "hit rate", "blobs", "size"], rows)


def _prune(store: Store, args: argparse.Namespace) -> None:
    known = {row.kind for row in store.stats().kinds}
    unknown = sorted(set(args.kind or ()) - known)
    if unknown:
        raise ConfigError(
            f"the store holds no entries of kind {', '.join(unknown)}; "
            f"it holds {', '.join(sorted(known)) or 'nothing'}"
        )
    report = store.prune(max_bytes=args.max_bytes, older_than_s=args.older_than, kinds=args.kind)
    text = (
        f"removed {report.entries} entries and {report.blobs} blobs: "
        f"{format_bytes(report.bytes_before)} before, {format_bytes(report.bytes_after)} now"
    )
    _say(args, text, report)


def _export(store: Store, args: argparse.Namespace) -> None:
    held = sum(row.entries for row in store.stats().kinds)
    entries = store.export(args.file)
    size = args.file.stat().st_size
    text = f"wrote {entries} entries to {args.file}, {format_bytes(size)}"
    left_out = max(0, held - entries)
    if left_out:
        text += f"; {left_out} left out, since they or their blobs are damaged or missing"
    data = {"entries": entries, "left_out": left_out, "file": args.file, "bytes": size}
    _say(args, text, data)


def _import(store: Store, args: argparse.Namespace) -> None:
    report = store.import_(args.file)
    text = (
        f"took in {args.file}: {report.added} entries added, {report.replaced} replaced, "
        f"{report.kept} kept as they were, {report.blobs} blobs added"
    )
    _say(args, text, report)


def _say(args: argparse.Namespace, text: str, value: object) -> None:
    if args.json:
        print_json(value)
    else:
        print_line(text)


_ACTIONS = {"stats": _stats, "prune": _prune, "export": _export, "import": _import}
