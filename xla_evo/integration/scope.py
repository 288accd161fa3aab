"""What is replaced where: an immutable scope in a context that is part of jit's cache key.

A scope says for each function which request applies. `xla_evo.use` sets it for a ``with`` block in
one thread, `xla_evo.install` for the process; since the context belongs to the key of every trace
and compilation, code that was compiled before is compiled again under a scope, and is found in the
caches on the way back.
"""

import functools
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, fields
from numbers import Real
from types import TracebackType
from typing import Any, get_args

from xla_evo.errors import ConfigError
from xla_evo.integration.compositions import composition
from xla_evo.integration.dispatch import register, replaceable
from xla_evo.library.certificate import Lowering
from xla_evo.library.choice import choose
from xla_evo.library.loader import entries
from xla_evo.targets.catalogue import function as catalogue_function
from xla_evo_lowering import _jax_compat
from xla_evo_lowering.backends import backend as backend_row
from xla_evo_lowering.replacement import REPLACEMENT

_LOWERINGS = get_args(Lowering)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a user asked for one function or all.

    Attributes:
        max_ulp: largest error allowed in ULP; None for the default of `xla_evo.library.choose`.
        lowering: ``inline`` or ``custom_call``.
        backend: the only backend on which to replace; None for every one that has programs.
    """

    max_ulp: float | None = None
    lowering: Lowering = "inline"
    backend: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """Requests in force: by function, and for every function that is not named.

    Every call of a jitted function hashes and compares the scope, so that both go by identity;
    `interned` gives equal scopes one object.

    Attributes:
        named: (function, request), ordered by name.
        others: for functions that are not in ``named``; None leaves them alone.
    """

    named: tuple[tuple[str, Request], ...] = ()
    others: Request | None = None

    def request(self, function: str) -> Request | None:
        """Returns the request for a function, None when the built-in stays."""
        for name, request in self.named:
            if name == function:
                return request
        return self.others


@functools.lru_cache(maxsize=4096)
def interned(named: tuple[tuple[str, Request], ...], others: Request | None) -> Scope:
    """Returns the one scope of these requests."""
    return Scope(named, others)


@functools.lru_cache(maxsize=1024)
def merged(outer: Scope | None, inner: Scope) -> Scope:
    """Returns the scope inside two nested ones: for each function, the inner request wins.

    An inner scope that names no function replaces the outer one altogether.
    """
    if outer is None or inner.others is not None:
        return inner
    named = dict(outer.named) | dict(inner.named)
    return interned(tuple(sorted(named.items())), outer.others)


def check_names(names: tuple[Any, ...]) -> None:
    """Refuses what names no function because it is no text.

    Raises:
        ConfigError: says what would do.
    """
    for name in names:
        if not isinstance(name, str):
            raise ConfigError(f"functions are named by strings such as 'exp', not {name!r}")


def check_request(max_ulp: Any, lowering: Any) -> None:
    """Refuses what is no bound or no lowering.

    Raises:
        ConfigError: says what would do.
    """
    is_number = not isinstance(max_ulp, bool) and isinstance(max_ulp, Real)
    if max_ulp is not None and not (is_number and 0 < float(max_ulp) < math.inf):
        raise ConfigError(f"max_ulp is a number of ULP above 0, not {max_ulp!r}")
    if lowering not in _LOWERINGS:
        known = " or ".join(map(repr, _LOWERINGS))
        raise ConfigError(f"unknown lowering {lowering!r}; choose {known}")


def _scope_of(names: tuple[Any, ...], max_ulp: Any, lowering: Any, backend: Any) -> Scope:
    """`make_scope` of what a user gave: it remembers by value, and True has that of 1."""
    check_names(names)
    check_request(max_ulp, lowering)
    return make_scope(names, max_ulp, lowering, backend)


@functools.lru_cache(maxsize=1024)
def make_scope(
    names: tuple[str, ...], max_ulp: float | None, lowering: Lowering, backend: str | None
) -> Scope:
    """Returns the scope of one `use` or `install`.

    Raises:
        TargetError: a name is not in the catalogue.
        ConfigError: a function cannot be replaced, or no program meets the bound for a function
            that is named.
        BackendError: there is no such backend.
        CertificateError: an entry of the library is damaged.
    """
    if backend is not None:
        backend_row(backend)
    request = Request(max_ulp=max_ulp, lowering=lowering, backend=backend)
    for name in names:
        catalogue_function(name)
        if name not in replaceable():
            raise ConfigError(
                f"{name} cannot be replaced under JAX: {composition(name)};"
                f" call xla_evo.numpy.{name}, or replace what it is made of"
            )
        if max_ulp is not None:
            _check_bound(name, request)
    register(current_scope)
    if names:
        return interned(tuple((name, request) for name in sorted(set(names))), None)
    return interned((), request)


def _check_bound(name: str, request: Request) -> None:
    """Refuses a bound for a named function that no program of any format meets."""
    # float32 first: a refusal tells the reason of the first.
    dtypes = sorted({e.dtype for e in entries(name)}, key=lambda d: (d != "float32", d))
    choices = [
        choose(
            name, dtype, request.max_ulp, lowering=request.lowering,
            backend=request.backend or "cpu",
        )
        for dtype in dtypes or ["float32"]
    ]  # fmt: skip
    if all(choice.entry is None for choice in choices):
        reason = choices[0].reasons[-1]
        raise ConfigError(f"nothing to replace {name} with: {reason} (see xla_evo.explain)")


def current_scope() -> Scope | None:
    """Returns the scope in force in this thread, None outside of all."""
    return REPLACEMENT.value


class _Entered(threading.local):
    """The blocks that a thread is in, outermost first: whose each is, and its context."""

    def __init__(self) -> None:
        self.blocks: list[tuple[Use, Any]] = []


class Use:
    """A scope as a context manager and decorator, which threads may share; `use` makes it."""

    __slots__ = ("_scope",)

    def __init__(self, scope: Scope) -> None:
        """Keeps the scope; nothing is replaced before the block is entered."""
        self._scope = scope

    def __repr__(self) -> str:
        settings = (f"{name}={value!r}" for name, value in self._settings().items())
        return f"xla_evo.use({', '.join((*map(repr, self._names()), *settings))})"

    def __reduce__(self) -> tuple[Callable[..., "Use"], tuple[str, ...]]:
        """Pickles as the call that made it, so that another process knows the scope by identity."""
        return functools.partial(use, **self._settings()), self._names()

    def _names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self._scope.named)

    def _settings(self) -> dict[str, Any]:
        """What was asked other than by default, the same for every function."""
        request = self._scope.others or self._scope.named[0][1]
        asked = {item.name: getattr(request, item.name) for item in fields(request)}
        return {name: asked[name] for name in asked if asked[name] != getattr(Request(), name)}

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Returns a function of which each call runs inside the block."""
        if not callable(function):
            raise ConfigError(f"{self!r} is a block or decorates a function, not {function!r}")

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return inside

    def __enter__(self) -> None:
        if _jax_compat.is_staging():
            raise ConfigError(
                "xla_evo.use inside a function that is being traced has no effect on it, because"
                " functions are chosen when the whole is compiled; put it around the call"
            )
        self._enter()

    def _enter(self) -> None:
        active = REPLACEMENT(merged(REPLACEMENT.value, self._scope))
        active.__enter__()
        _entered.blocks.append((self, active))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        blocks = _entered.blocks
        places = [place for place, (block, _) in enumerate(blocks) if block is self]
        if not places:
            raise ConfigError(f"{self!r} is left in a thread that has not entered it")
        # Tasks and generators leave blocks in any order: those above are entered again without it.
        above = [block for block, _ in blocks[places[-1] + 1 :]]
        while len(blocks) > places[-1]:
            blocks.pop()[1].__exit__(kind, value, traceback)
        for block in above:
            block._enter()


_entered = _Entered()


def use(
    *names: str,
    max_ulp: float | None = None,
    lowering: Lowering = "inline",
    backend: str | None = None,
) -> Use:
    """Replaces functions of JAX inside a ``with`` block, in this thread.

    ``@xla_evo.use("exp")`` puts every call of a function into such a block.
    Everything that is compiled or run inside follows: ``jax.numpy``, ``jax.lax``, ``jax.nn``,
    libraries that were imported before, functions that were jitted before. What counts is where a
    function is called and compiled, not where it was defined. Blocks nest: for each function the
    innermost block that names it wins, and a block without names replaces the outer ones. Draws of
    `jax.random.normal` and others that are made of such functions differ in the last bits. Where no
    program of the library qualifies (another format, a tighter bound), the built-in stays;
    `xla_evo.explain` tells.

    Args:
        *names: functions of the catalogue that are primitives of JAX; none means every one.
        max_ulp: largest error over the whole domain in ULP. Without it a program must be faster
            than the built-in and as accurate, or within 1 ULP. Beside a reduction as in softmax,
            where XLA's CPU compiler computes both in one kernel, exp stays the built-in then.
        lowering: ``inline`` puts the program's operations into the graph, where they fuse with
            their neighbours; ``custom_call`` calls machine code: C++ made by the system compiler on
            the CPU, a Pallas kernel elsewhere. Scalars are ``inline`` all the same: what reductions
            and scatters do to each element can call nothing. `jax.export` takes such code only when
            its check of custom calls is disabled, and only this machine can load it again: in a
            process where the same function has been lowered under the same `use`, which registers
            the code.
        backend: replace on this backend alone.

    Raises:
        TargetError: a name is unknown.
        ConfigError: a function cannot be replaced, a setting is wrong, no program meets the bound
            of a named function, or (on entry) the block is inside a function being traced.
        BackendError: there is no such backend.
        CertificateError: an entry of the library is damaged.
    """
    return Use(_scope_of(names, max_ulp, lowering, backend))


def install(
    *names: str,
    max_ulp: float | None = None,
    lowering: Lowering = "inline",
    backend: str | None = None,
) -> None:
    """Replaces functions of JAX in the whole process until `uninstall`; takes what `use` takes.

    A second call replaces the first. Blocks of `use` inside it nest as they do in each other.

    Raises:
        ConfigError, TargetError, BackendError, CertificateError: as `use`.
    """
    scope = _scope_of(names, max_ulp, lowering, backend)
    if _jax_compat.is_staging():
        raise ConfigError("xla_evo.install inside a function that is being traced; call it before")
    REPLACEMENT.set_global(scope)


def uninstall() -> None:
    """Takes back `install`.

    Raises:
        ConfigError: nothing was installed.
    """
    if REPLACEMENT.get_global() is None:
        raise ConfigError("xla_evo.uninstall without xla_evo.install: nothing was installed")
    REPLACEMENT.set_global(None)
