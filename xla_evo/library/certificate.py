"""What is known about a shipped program, and under which compiler: plain data beside its text.

A certificate belongs to one program by its content hash. It holds one proof for each way in which
the program was compiled and measured: inlined or as a custom call, with fused multiply-add or
without. Anyone can recompute it with `xla_evo.library.certify`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from xla_evo.accuracy.measurement import ErrorMeasurement
from xla_evo.errors import BackendError, ConfigError, XlaEvoError
from xla_evo_lowering.dtypes import F16
from xla_evo_lowering.native import code_identity
from xla_evo_lowering.program import Program

SCHEMA = 2
Lowering = Literal["inline", "custom_call"]
_IDENTITY = ("backend", "isa", "jaxlib", "plugin", "xla_flags", "options", "native")
_HARMLESS_FLAGS = ("--xla_force_host_platform_device_count", "--xla_dump_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a program came from.

    Attributes:
        kind: ``from scratch``, ``from scaffold NAME`` or ``from a program`` that a user began with
            for an evolved program, ``baseline by hand`` for one whose form a person chose (its
            constants may be fitted).
        run: identity of the search, empty for a baseline.
        seed: of the search or of the fit, None where there was none.
        note: one line for a person.
    """

    kind: str
    run: str = ""
    seed: int | None = None
    note: str = ""

    def __post_init__(self) -> None:
        known = self.kind in ("from scratch", "from a program", "baseline by hand")
        if not known and not self.kind.startswith("from scaffold "):
            raise ConfigError(
                f"provenance {self.kind!r} is none of: from scratch, from a program, from scaffold"
                " NAME, baseline by hand"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRatio:
    """Time of a program against the built-in, taken in turn in one run.

    Attributes:
        candidate_ns: samples of the program, nanoseconds an element.
        builtin_ns: samples of the built-in, in the same rounds; empty where JAX has none.
        floor_ns: samples of a loop with one negation.
        ratio: least of the built-in's samples over least of the program's; 0 where JAX has none.
        range: inputs were uniform in this interval.
        processor: model name of the machine, with its family and model in brackets
            (`xla_evo_lowering.backends.processor`).
    """

    candidate_ns: tuple[float, ...]
    builtin_ns: tuple[float, ...]
    floor_ns: tuple[float, ...]
    ratio: float
    range: tuple[float, float]
    processor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticComparison:
    """Static cost of a program beside that of the built-ins, under one compiler.

    Attributes:
        value: of the program, in `unit`.
        unit: what is counted.
        builtins: name of a built-in to its cost; the default first.
    """

    value: float
    unit: str
    builtins: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def ratio(self) -> float:
        """Cost of the default built-in over that of the program; 0 where there is no built-in."""
        return next(iter(self.builtins.values()), 0.0) / self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was measured of a program under one compiler, or modelled.

    Attributes:
        lowering: how it was put into the compiled code.
        fingerprint: what decides the machine code (`xla_evo_lowering.backends.fingerprint`).
        measurement: the error over the function's domain.
        specials_checked: how many special inputs gave the right value; none gave a wrong one.
        lengths_checked: array lengths at which every bit was the same.
        contexts: name of a neighbourhood (`xla_evo.library.contexts`) to the largest error in ULP
            that the program had in it, sampled.
        times: against the built-in, one a processor.
        modelled: the device was not there: the numbers are those of the compiled form, evaluated on
            a CPU in the device's arithmetic as far as that is known (see `device_model`).
        cost: static cost, where the device was not there.
    """

    lowering: Lowering
    fingerprint: Mapping[str, str]
    measurement: ErrorMeasurement
    specials_checked: int
    lengths_checked: int
    contexts: Mapping[str, float] = field(default_factory=dict[str, float])
    times: tuple[TimeRatio, ...] = ()
    modelled: bool = False
    cost: StaticComparison | None = None

    def __post_init__(self) -> None:
        if self.lowering not in get_args(Lowering):
            raise ConfigError(
                f"unknown lowering {self.lowering!r}; choose {' or '.join(get_args(Lowering))}"
            )

    @property
    def max_ulp(self) -> float:
        """The bound that may be relied on, contexts included, in ULP."""
        return max(self.measurement.bound_ulp, *self.contexts.values(), 0.0)

    def time_on(self, processor: str) -> TimeRatio | None:
        """Returns the times of a processor, or else of another of its maker, or of any.

        Args:
            processor: model name, as in `TimeRatio.processor`.
        """
        return max(self.times, key=lambda time: nearness(time.processor, processor), default=None)

    def ratio_on(self, processor: str) -> float:
        """Returns the speed-up of `time_on`, else `static_ratio`."""
        time = self.time_on(processor)
        return time.ratio if time else self.static_ratio

    @property
    def static_ratio(self) -> float:
        """The speed-up by static cost; 0 where that is not known."""
        return self.cost.ratio if self.cost else 0.0

    def with_times(self, times: Iterable[TimeRatio]) -> "Proof":
        """Returns the proof with times in the place of those of the same processors."""
        fresh = tuple(times)
        kept = [
            time
            for time in self.times
            if not any(same_processor(time.processor, other.processor) for other in fresh)
        ]
        return replace(self, times=tuple(sorted((*kept, *fresh), key=lambda t: t.processor)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """All that is known of one program.

    Attributes:
        program_hash: content hash of the program that it belongs to.
        text_hash: SHA-256 of the program's file, so that no byte of it changes unseen.
        function: name in the catalogue.
        dtype: format of input and output.
        low: least input of the domain.
        high: greatest input of the domain.
        provenance: where the program came from.
        proofs: one a compiler.
        builtin_max_ulp: error of the built-in, sampled when the program was certified; None where
            it is infinite somewhere or JAX has no built-in.
        versions: of the packages that made the certificate.
    """

    program_hash: str
    text_hash: str
    function: str
    dtype: str
    low: float
    high: float
    provenance: Provenance
    proofs: tuple[Proof, ...]
    builtin_max_ulp: float | None = None
    versions: Mapping[str, str] = field(default_factory=dict[str, str])

    def to_json(self) -> dict[str, Any]:
        """Returns plain data; `from_json` undoes it."""
        return {
            "schema": SCHEMA,
            "program_hash": self.program_hash,
            "text_hash": self.text_hash,
            "function": self.function,
            "dtype": self.dtype,
            "low": float(self.low).hex(),
            "high": float(self.high).hex(),
            "provenance": _fields(self.provenance),
            "builtin_max_ulp": self.builtin_max_ulp,
            "versions": dict(self.versions),
            "proofs": [_proof_to_json(proof) for proof in self.proofs],
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Certificate":
        """Returns the certificate that `to_json` wrote.

        Raises:
            ConfigError: a field is missing, unknown or wrong, or the schema is another.
        """
        try:
            fields = dict(data)
            schema = fields.pop("schema")
            if schema not in (1, SCHEMA):
                raise ConfigError(f"certificate schema {schema!r}, expected {SCHEMA}")
            fields["low"] = float.fromhex(fields["low"])
            fields["high"] = float.fromhex(fields["high"])
            fields["provenance"] = Provenance(**fields["provenance"])
            fields["proofs"] = tuple(_proof(_current(item, schema)) for item in fields["proofs"])
            return Certificate(**fields)
        except XlaEvoError as error:
            raise ConfigError(str(error)) from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigError(f"not a certificate: {error}") from None


def _fields(item: Any) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__slots__}


def _proof_to_json(proof: Proof) -> dict[str, Any]:
    """Plain data; what only modelled proofs have stands in those alone."""
    data = {
        **_fields(proof),
        "fingerprint": dict(proof.fingerprint),
        "contexts": dict(proof.contexts),
        "measurement": proof.measurement.to_json(),
        "times": [_fields(time) for time in proof.times],
    }
    del data["modelled"], data["cost"]
    if proof.modelled:
        data["modelled"] = True
    if proof.cost:
        data["cost"] = {**_fields(proof.cost), "builtins": dict(proof.cost.builtins)}
    return data


def _current(proof: Mapping[str, Any], schema: int) -> Mapping[str, Any]:
    """A proof as this schema has it; the first had times of one processor."""
    if schema == SCHEMA:
        return proof
    fields = dict(proof)
    time = fields.pop("time")
    processor = fields["fingerprint"].get("device", "")
    return {**fields, "times": [{**time, "processor": processor}] if time else []}


def _time(data: Mapping[str, Any]) -> TimeRatio:
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
    }
    return TimeRatio(**fields)


def _proof(data: Mapping[str, Any]) -> Proof:
    fields = dict(data)
    fields["measurement"] = ErrorMeasurement.from_json(fields["measurement"])
    if fields.get("cost"):
        fields["cost"] = StaticComparison(**fields["cost"])
    fields["times"] = tuple(_time(item) for item in fields["times"])
    return Proof(**fields)


def same_processor(one: str, other: str) -> bool:
    """Returns whether two model names are of one family and model, as ``AMD EPYC (25.17)`` has.

    Cloud machines hide the rest of the name.
    """
    return one == other or ("(" in one and one[one.rfind("(") :] == other[other.rfind("(") :])


def nearness(one: str, other: str) -> tuple[bool, bool]:
    """How near two processors are by name: of one family and model, and of one maker."""
    return same_processor(one, other), one.split()[:1] == other.split()[:1]


def machine_identity(fingerprint: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Returns what of a fingerprint decides the machine code.

    The processor's model and JAX's own version do not, that of a platform's plugin does; flags that
    neither optimiser nor code generator reads are dropped. A custom call has the hash of its source
    and compiler, `native`.
    """
    found = {name: fingerprint.get(name, "") for name in _IDENTITY}
    flags = found["xla_flags"].split()
    found["xla_flags"] = " ".join(sorted(f for f in flags if not f.startswith(_HARMLESS_FLAGS)))
    return tuple(sorted(found.items()))


def code_fingerprint(
    program: Program, lowering: Lowering, live: Mapping[str, str]
) -> Mapping[str, str]:
    """Returns what decides the machine code of one program: a custom call's own compiler too.

    Without one on the machine nothing is added; the error of its absence belongs to the lowering.
    Float16 arithmetic decides only programs that have float16 values.
    """
    if F16 not in program.types:
        live = {**live, "isa": live.get("isa", "").removesuffix("+fp16")}
    if lowering != "custom_call" or live.get("backend") != "cpu":
        return live
    try:
        return {**live, "native": code_identity(program)}
    except BackendError:
        return live


def contracts(fingerprint: Mapping[str, str]) -> bool:
    """Returns whether a*b + c becomes one fused operation under a CPU fingerprint.

    Instruction sets without fused multiply-add, of the machine or by ``--xla_cpu_max_isa``, cannot;
    of several such flags XLA heeds the last.
    """
    for flag in reversed(fingerprint.get("xla_flags", "").split()):
        name, _, value = flag.partition("=")
        if name == "--xla_cpu_max_isa":
            return value.upper().startswith(("AVX2", "AVX512", "AVX10", "AMX"))
    return "+fma" in fingerprint.get("isa", "")
