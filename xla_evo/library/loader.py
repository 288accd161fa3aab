"""Reads the shipped programs and holds each against its certificate.

``data/<function>/<dtype>/<hash>.prog`` is the text of a program, in canonical form and without
comments; ``<hash>.json`` beside it is its certificate. A file that was edited by hand no longer
fits its certificate and is refused, by name and with the reason.
"""

import functools
import hashlib
import json
import math
import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xla_evo.errors import ConfigError, ProgramError, RunError, TargetError
from xla_evo.library.certificate import Certificate, Lowering, Proof
from xla_evo.library.tuned import user_library
from xla_evo.targets.catalogue import function as catalogue_function
from xla_evo_lowering.canonical import canonical, content_hash
from xla_evo_lowering.dtypes import dtype as dtype_named
from xla_evo_lowering.program import Program
from xla_evo_lowering.text import parse_program, print_program

DATA = Path(__file__).parent / "data"
MODELLED = Path(__file__).parent / "modelled"
"""Programs for devices that were not here: their proofs are models, so that `use` leaves them."""

HASH_DIGITS = 16


class CertificateError(RunError):
    """A program and its certificate do not belong together."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A shipped program and its certificate.

    Attributes:
        program: the program, canonical.
        certificate: what was measured of it.
    """

    program: Program
    certificate: Certificate

    @property
    def function(self) -> str:
        """Name in the catalogue."""
        return self.certificate.function

    @property
    def dtype(self) -> str:
        """Format of input and output."""
        return self.certificate.dtype

    @property
    def name(self) -> str:
        """A short name for a person, unique in practice: ``exp/float32/0123456789abcdef``."""
        return f"{self.function}/{self.dtype}/{self.certificate.program_hash[:HASH_DIGITS]}"

    def __hash__(self) -> int:
        return hash(self.certificate.program_hash)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Entry)
            and self.certificate.program_hash == other.certificate.program_hash
            and self.function == other.function
        )

    def proofs(self, lowering: Lowering, backend: str = "cpu") -> tuple[Proof, ...]:
        """Returns the proofs for a lowering on a backend."""
        return tuple(
            proof
            for proof in self.certificate.proofs
            if proof.lowering == lowering and proof.fingerprint.get("backend") == backend
        )


def entry_paths(folder: Path, entry: Entry) -> tuple[Path, Path]:
    """Returns where the text and the certificate of an entry lie."""
    stem = folder / entry.function / entry.dtype / entry.certificate.program_hash[:HASH_DIGITS]
    return stem.with_suffix(".prog"), stem.with_suffix(".json")


def program_text(program: Program) -> str:
    """Returns the text that is shipped: canonical, values renumbered, no comments."""
    return print_program(canonical(program), comments=False)


def text_hash(text: str) -> str:
    """SHA-256 (hex) of a program's text."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_entry(path: Path) -> Entry:
    """Reads one program and its certificate.

    Args:
        path: the ``.prog`` file; the certificate lies beside it.

    Raises:
        CertificateError: either cannot be read, or they do not belong together; says why.
    """
    try:
        text = path.read_text(encoding="utf-8")
        certificate = path.with_suffix(".json").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise CertificateError(f"library entry {path} is refused: {error}") from None
    return _checked(path, text, certificate)


def _checked(path: Path, text: str, certificate_text: str) -> Entry:
    """The entry that two files are, or `CertificateError`."""
    try:
        data: Any = json.loads(certificate_text)
        certificate = Certificate.from_json(data)
        program = parse_program(text, source=str(path))
    except (ValueError, ConfigError, ProgramError) as error:
        raise CertificateError(f"library entry {path} is refused: {error}") from None
    for problem in _problems(path, text, program, certificate):
        raise CertificateError(f"library entry {path} is refused: {problem}")
    return Entry(canonical(program), certificate)


def _problems(path: Path, text: str, program: Program, certificate: Certificate) -> list[str]:
    found: list[str] = []
    if content_hash(program) != certificate.program_hash:
        found.append("the program is not the one that was certified (its hash differs)")
    if text_hash(text) != certificate.text_hash:
        found.append("its text was edited after it was certified")
    if not certificate.program_hash.startswith(path.stem):
        found.append(f"its file should be called {certificate.program_hash[:HASH_DIGITS]}.prog")
    if (certificate.function, certificate.dtype) != (path.parent.parent.name, path.parent.name):
        found.append(f"it is certified for {certificate.function} in {certificate.dtype}")
    try:
        arity = catalogue_function(certificate.function).arity
        row = dtype_named(certificate.dtype)
    except (TargetError, ConfigError) as error:
        return [*found, str(error)]
    types = [parameter.dtype for parameter in program.parameters]
    if types != [row] * arity or program.dtype is not row:
        found.append(f"it does not take and give {certificate.dtype}")
    for proof in certificate.proofs:
        if proof.measurement.nan_mismatches or not proof.specials_checked:
            found.append("its certificate records wrong special values")
    if not certificate.proofs:
        found.append("its certificate proves nothing")
    return found


def write_entry(entry: Entry, folder: Path = DATA) -> Path:
    """Writes an entry into a library folder and returns the path of its program.

    Each file is whole or not there, and the program comes last: a certificate alone is no entry.

    Raises:
        CertificateError: the files would be refused when read.
    """
    program, certificate = entry_paths(folder, entry)
    contexts = [e for proof in entry.certificate.proofs for e in proof.contexts.values()]
    if not all(map(math.isfinite, contexts)):
        raise CertificateError(f"{entry.name} is infinitely wrong beside other operations")
    text = json.dumps(entry.certificate.to_json(), indent=1, allow_nan=False) + "\n"
    _checked(program, program_text(entry.program), text)
    program.parent.mkdir(parents=True, exist_ok=True)
    for path, contents in ((certificate, text), (program, program_text(entry.program))):
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        temporary.write_text(contents, encoding="utf-8")
        temporary.replace(path)
    load.cache_clear()
    return program


@functools.cache
def load(folder: Path, function: str, dtype: str) -> tuple[Entry, ...]:
    """Reads all entries of a function and format, once.

    One that is damaged in the user's own library is left out, with a warning.

    Raises:
        CertificateError: one of another library is damaged.
    """
    found: list[Entry] = []
    for path in sorted((folder / function / dtype).glob("*.prog")):
        try:
            found.append(read_entry(path))
        except CertificateError as error:
            if folder != user_library():
                raise
            warnings.warn(f"{error}; remove it and tune again", stacklevel=2)
    return tuple(found)


def entries(
    function: str | None = None,
    dtype: str | None = None,
    backend: str | None = None,
    *,
    folder: Path = DATA,
) -> tuple[Entry, ...]:
    """Returns the shipped programs, by function and format; None means every one.

    Raises:
        TargetError: there is no such function.
        ConfigError: there is no such format.
        CertificateError: an entry is damaged, see `load`.
    """
    if function is not None:
        catalogue_function(function)
    if dtype is not None:
        dtype = dtype_named(dtype).name
    found = [
        entry
        for name, kind in _folders(folder)
        if function in (None, name) and dtype in (None, kind)
        for entry in load(folder, name, kind)
    ]
    if backend is not None:
        found = [
            entry
            for entry in found
            if any(
                proof.fingerprint.get("backend") == backend for proof in entry.certificate.proofs
            )
        ]
    return tuple(found)


def _folders(folder: Path) -> list[tuple[str, str]]:
    """Functions and formats with an entry; none in a user's library that cannot be entered."""
    try:
        paths = list(folder.glob("*/*/*.prog"))
    except PermissionError:
        if folder != user_library():
            raise
        return []
    return sorted({(path.parent.parent.name, path.parent.name) for path in paths})


def joined(found: Iterable[Entry]) -> tuple[Entry, ...]:
    """Entries of several libraries, each program once, with all of its proofs.

    What is said of a program first counts; of two proofs under one compiler that is the first
    measured one.
    """
    chosen: dict[str, Entry] = {}
    for entry in found:
        known = chosen.get(entry.certificate.program_hash)
        if known is not None:
            both = (*known.certificate.proofs, *entry.certificate.proofs)
            proofs = tuple(sorted(both, key=lambda proof: proof.modelled))
            entry = Entry(known.program, replace(known.certificate, proofs=proofs))
        chosen[entry.certificate.program_hash] = entry
    return tuple(chosen.values())
