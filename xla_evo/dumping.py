"""Every stage of a compilation, of anything that can be named: `dump`, and what a name stands for.

A compilation is known by its StableHLO and the fingerprint of its backend, so what the store has is
not compiled again.
"""

import hashlib
import importlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
from absl import logging

from xla_evo._files import read_text
from xla_evo.errors import BackendError, ConfigError, StoreError, TargetError
from xla_evo.store import Key, Store
from xla_evo_lowering.artifacts import Artifacts, lower_for, make_artifacts
from xla_evo_lowering.backends import Backend, fingerprint
from xla_evo_lowering.backends import backend as backend_row
from xla_evo_lowering.dtypes import DType
from xla_evo_lowering.dtypes import dtype as dtype_named
from xla_evo_lowering.program import Program
from xla_evo_lowering.sass import find_tool
from xla_evo_lowering.stablehlo import as_function
from xla_evo_lowering.stages import STAGE_TABLE, count_operations, stage
from xla_evo_lowering.text import parse_program

DEFAULT_SHAPE = (16384,)
_MODULES = {"jnp": "jax.numpy", "lax": "jax.lax", "jax": "jax"}
_WIDE = frozenset({"float64", "int64", "uint64", "complex128"})
_READING = "2"
"""Of what this project makes of a compilation's files; another number finds no older dump."""
_SPEC = re.compile(r"(\w+)\[([\d,\s]*)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """The stages of one compilation.

    Attributes:
        name: of the function.
        backend: name of the backend it was compiled for.
        platform: the backend's platform.
        texts: stage name to its bytes, in the order of the compilation; ``object`` is binary.
        missing: stages that could not be made here, with the reason.
        from_store: True when nothing had to be compiled.
    """

    name: str
    backend: str
    platform: str
    texts: Mapping[str, bytes]
    missing: Mapping[str, str]
    from_store: bool = False

    def text(self, name: str) -> str:
        """Returns a stage as text.

        Raises:
            BackendError: the backend has no such stage, it is binary, or it could not be made.
        """
        row = stage(self.platform, name)
        if name in self.missing:
            raise BackendError(
                f"stage {name} of {self.name} for {self.backend}: {self.missing[name]}"
            )
        if row.binary:
            raise BackendError(f"stage {name} is binary; write it to a folder with --out")
        return self.texts[name].decode(errors="replace")

    def counts(self, name: str) -> dict[str, int]:
        """Returns how often each operation stands in a stage, most frequent first."""
        if name not in self.texts:
            return {}
        return count_operations(self.platform, name, self.texts[name])

    def write(self, folder: Path | str) -> list[Path]:
        """Writes every stage to ``NAME.BACKEND.STAGE.EXTENSION`` and returns the paths.

        An extension that is the stage's own name stands once: ``exp.cuda_sm_90.ptx``.

        Raises:
            ConfigError: the folder cannot be written.
        """
        folder = Path(folder)
        stem = re.sub(r"[^\w.-]+", "_", f"{self.name}.{self.backend}")
        paths: list[Path] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in self.texts.items():
                row = stage(self.platform, name)
                ending = name if name == row.extension else f"{name}.{row.extension}"
                path = folder / f"{stem}.{ending}"
                path.write_bytes(content)
                paths.append(path)
        except OSError as error:
            raise ConfigError(f"cannot write to {folder}: {error.strerror}") from error
        return paths


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Something to dump: a function and the arrays it is compiled for.

    Attributes:
        name: for headings and file names.
        function: a function of JAX arrays.
        specs: `jax.ShapeDtypeStruct` of each argument.
    """

    name: str
    function: Callable[..., Any]
    specs: tuple[Any, ...]


def dump(
    function: Callable[..., Any] | Program | str,
    *args: Any,
    backend: str = "cpu",
    options: Mapping[str, object] | None = None,
    store: Store | None = None,
) -> Dump:
    """Compiles a function for a backend and returns every stage of the compilation.

    Args:
        function: a function of JAX arrays, a program, or a name that `resolve` understands.
        *args: arrays or `jax.ShapeDtypeStruct`, one an argument; may be left out for programs and
            names.
        backend: name of a row of the backend table, on this machine or not.
        options: XLA compile options that differ from the defaults.
        store: where compilations are looked up and kept; None for nowhere.

    Raises:
        BackendError: there is no such backend, or its plugin is missing.
        CompileError: the function cannot be lowered or compiled for it.
    """
    if isinstance(function, str):
        subject = resolve(function, backend=backend)
        subject = Subject(name=subject.name, function=subject.function, specs=args or subject.specs)
    elif isinstance(function, Program):
        subject = _of_program(function, args)
    else:
        name = getattr(function, "__name__", type(function).__name__)
        subject = Subject(name=name, function=function, specs=args)
    return dump_subject(subject, backend=backend, options=options, store=store)


def dump_subject(
    subject: Subject,
    *,
    backend: str = "cpu",
    options: Mapping[str, object] | None = None,
    target_config: str = "",
    store: Store | None = None,
) -> Dump:
    """Dumps what `resolve` returned; see `dump`.

    Args:
        subject: what to compile.
        backend: see `dump`.
        options: see `dump`.
        target_config: description of a GPU in place of the table's, see `AheadOfTime`.
        store: see `dump`.

    Raises:
        BackendError, CompileError: see `dump`; or the description cannot be read.
    """
    row = backend_row(backend)
    if target_config and row.platform != "cuda":
        raise BackendError(f"backend {row.name} takes no target configuration; GPUs do")
    with jax.enable_x64(_is_wide(subject.specs)):
        lowered = lower_for(row, subject.function, subject.specs)
        key = _key(lowered.as_text(), row, options or {}, target_config)
        kept = _read(store, key, subject, row) if store else None
        if kept is not None:
            return kept
        made = make_artifacts(row, lowered, options, target_config=target_config)
    if store:
        _keep(store, key, made)
    return Dump(
        name=subject.name, backend=row.name, platform=row.platform,
        texts=made.texts, missing=made.missing,
    )  # fmt: skip


def _is_wide(specs: Sequence[Any]) -> bool:
    """Whether to trace in JAX's x64 mode: it is on, or an array would lose half of its bits."""
    names = {str(getattr(leaf, "dtype", "")) for leaf in jax.tree.leaves(specs)}
    return bool(jax.config.read("jax_enable_x64")) or not names.isdisjoint(_WIDE)


def _key(stablehlo: str, row: Backend, options: Mapping[str, object], target_config: str) -> Key:
    digest = hashlib.sha256(stablehlo.encode()).hexdigest()
    # With a tool installed later, there is more to show.
    tools = "sass" if row.platform == "cuda" and find_tool("nvdisasm") else ""
    device = hashlib.sha256(target_config.encode()).hexdigest() if target_config else ""
    described = {"reading": _READING, **({"target_config": device} if device else {})}
    return Key.of("stages", stablehlo=digest, tools=tools, **described, **fingerprint(row, options))


def _read(store: Store, key: Key, subject: Subject, row: Backend) -> Dump | None:
    entry = store.get(key)
    if entry is None:
        return None
    names = [item.name for item in STAGE_TABLE[row.platform] if item.name in entry.blobs]
    try:
        texts = {name: store.blob(entry.blobs[name]) for name in names}
    except StoreError as error:
        logging.warning("%s", error)
        return None
    missing = {str(name): str(reason) for name, reason in entry.value.items()}
    return Dump(
        name=subject.name, backend=row.name, platform=row.platform,
        texts=texts, missing=missing, from_store=True,
    )  # fmt: skip


def _keep(store: Store, key: Key, made: Artifacts) -> None:
    # A tool that is missing now may be there next time, so an incomplete dump is not kept.
    if set(made.missing) - {"sass"}:
        return
    try:
        store.put(key, dict(made.missing), dict(made.texts))
    except StoreError as error:
        logging.warning("the dump is not kept: %s", error)


def parse_specs(texts: Sequence[str]) -> tuple[Any, ...]:
    """Returns array specifications of texts such as ``f32[1024]`` or ``float64[8,128]``.

    Raises:
        ConfigError: one of them is not a specification.
    """
    return tuple(_spec(text) for text in texts)


def _spec(text: str) -> Any:
    match = _SPEC.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"{text!r} is not an array; write it as f32[1024] or bf16[8,128]")
    shape = tuple(int(size) for size in match[2].split(",") if size.strip())
    return jax.ShapeDtypeStruct(shape, dtype_named(match[1]).numpy)


def resolve(
    name: str, specs: Sequence[Any] = (), *, dtype: str = "float32", backend: str = "cpu"
) -> Subject:
    """Finds what a name stands for.

    Args:
        name: a program file; ``module:function``; ``jnp.NAME``, ``lax.NAME`` or ``jax.nn.NAME``;
            or a function of the library.
        specs: the arrays to compile it for; by default one of `DEFAULT_SHAPE` an argument.
        dtype: format of those default arrays, and of a program of the library.
        backend: for which a program of the library is taken, where there are several.

    Raises:
        ConfigError: it stands for nothing; the message says what is understood.
    """
    if ":" in name:
        module, _, attribute = name.partition(":")
        function = _attribute(_import(module, name), attribute, name)
    elif Path(name).is_file():
        return _of_program(parse_program(read_text(Path(name)), source=name), specs)
    elif Path(name).is_dir():
        from xla_evo.search.run import PROGRAM

        program = Path(name) / PROGRAM
        hint = str(program) if program.exists() else "a program file"
        raise ConfigError(f"{name} is a folder; give {hint}")
    elif name.partition(".")[0] in _MODULES:
        head, _, rest = name.partition(".")
        module, _, attribute = f"{_MODULES[head]}.{rest}".rpartition(".")
        function = _attribute(_import(module, name), attribute, name)
    else:
        return _of_program(_library_program(name, dtype, backend), specs, name=name)
    short = re.sub(r".*[.:]", "", name) if ":" in name else name
    return Subject(
        name=short, function=function, specs=tuple(specs) or _default_specs(function, name, dtype)
    )


def _of_program(program: Program, specs: Sequence[Any], name: str = "") -> Subject:
    wanted = [parameter.dtype.numpy for parameter in program.parameters] if not specs else []
    given = tuple(specs) or tuple(jax.ShapeDtypeStruct(DEFAULT_SHAPE, one) for one in wanted)
    return Subject(name=name or program.name, function=as_function(program), specs=given)


def _import(module: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:  # a module of the user's may do anything
        missing = isinstance(error, ModuleNotFoundError) and module.startswith(error.name or "?")
        reason = str(error) if missing else f"{module} fails with {type(error).__name__}: {error}"
        raise ConfigError(f"cannot find {name}: {reason}") from error


def _attribute(module: ModuleType, attribute: str, name: str) -> Callable[..., Any]:
    try:
        found: Any = module
        for part in attribute.split("."):
            found = getattr(found, part)
    except AttributeError as error:
        raise ConfigError(f"cannot find {name}: {error}") from error
    if not callable(found):
        raise ConfigError(f"{name} is a {type(found).__name__}, not a function")
    return found


def _default_specs(function: Callable[..., Any], name: str, dtype: str) -> tuple[Any, ...]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        parameters = []
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    count = sum(
        item.kind in positional and item.default is inspect.Parameter.empty for item in parameters
    )
    if not count:
        raise ConfigError(f"say for which arrays to compile {name}: --spec f32[1024]")
    spec = jax.ShapeDtypeStruct(DEFAULT_SHAPE, dtype_named(dtype).numpy)
    return (spec,) * count


def _library_program(name: str, dtype: str, backend: str) -> Program:
    """The most accurate of those for a device, where there are any; else the library's first.

    Of the library's, those come first that keep to formats that the backend computes in.
    """
    from xla_evo.library.loader import MODELLED, entries
    from xla_evo.targets.catalogue import function as catalogue_function

    if "." in name or "/" in name:
        raise ConfigError(f"cannot read the program {name}: no such file")
    try:
        builtin = catalogue_function(name).builtin
    except TargetError as error:
        raise ConfigError(
            f"{error}; or give a program file, module:function or jnp.NAME"
        ) from error
    made = [
        (proof.max_ulp, entry)
        for entry in entries(name, dtype_named(dtype).name, backend, folder=MODELLED)
        for proof in entry.proofs("inline", backend)
    ]
    if made:
        return min(made, key=lambda item: item[0])[1].program
    found = entries(name, dtype_named(dtype).name)
    if not found:
        hint = f"; {builtin.replace('jax.numpy', 'jnp')} shows the built-in" if builtin else ""
        raise ConfigError(f"the library has no program for {name} in {dtype}{hint}")
    formats = backend_row(backend).formats
    return min(found, key=lambda entry: _missing(entry.program, formats)).program


def _missing(program: Program, formats: Sequence[DType]) -> bool:
    """Whether a program has values of a float format that is not among some."""
    return any(one.is_float and one not in formats for one in program.types)
