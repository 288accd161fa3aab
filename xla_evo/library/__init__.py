"""The library: programs that ship with the package, each with a certificate.

`entries` lists them, `choose` finds the one for a bound, `certify` makes a certificate anew.
"""

from xla_evo.library.certificate import Certificate, Lowering, Proof, Provenance, TimeRatio
from xla_evo.library.certify import (
    CertificationError,
    add_proof,
    certify,
    prove,
)
from xla_evo.library.choice import Choice, choose, explain
from xla_evo.library.loader import (
    DATA,
    CertificateError,
    Entry,
    entries,
    read_entry,
    write_entry,
)
from xla_evo.library.same_bits import prove_other_form, prove_same_bits

__all__ = [
    "DATA",
    "Certificate",
    "CertificateError",
    "CertificationError",
    "Choice",
    "Entry",
    "Lowering",
    "Proof",
    "Provenance",
    "TimeRatio",
    "add_proof",
    "certify",
    "choose",
    "entries",
    "explain",
    "prove",
    "prove_other_form",
    "prove_same_bits",
    "read_entry",
    "write_entry",
]
