#!/usr/bin/env python3
"""Measures the plugin: scopes, custom calls, softmax, an MLP block, activations, branches.

    tools/bench_plugin.py
    tools/bench_plugin.py --json

Two things that are compared take turns, round by round, in one process; a ratio is the median of
the ratios within a round, a time the least of all rounds. SLEEF (Debian: libsleef-dev) is compared
where it is installed.
"""

import argparse
import ctypes
import ctypes.util
import functools
import itertools
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import xla_evo
from xla_evo.integration import door
from xla_evo.integration.dispatch import replaceable
from xla_evo.library import choose, entries
from xla_evo.library.times import timed_range
from xla_evo.targets.catalogue import CATALOGUE
from xla_evo_lowering import timing
from xla_evo_lowering.absent import settle_on_cpu
from xla_evo_lowering.backends import instruction_set
from xla_evo_lowering.branches import branches
from xla_evo_lowering.custom_call import as_custom_call
from xla_evo_lowering.interpret import evaluate
from xla_evo_lowering.native import compiler, flags, source
from xla_evo_lowering.stablehlo import as_function
from xla_evo_lowering.text import parse_program

ROUNDS = 15
REPEATED = 2000
FUSED = ("exp", "exp2", "tanh", "log", "sin", "atan")


def paired(first, second, repetitions):
    """(least seconds of each, median ratio first/second) of two calls that take turns."""
    for call in (first, second):
        call()
    samples = []
    for _ in range(ROUNDS):
        pair = []
        for call in (first, second):
            start = time.perf_counter()
            for _ in range(repetitions):
                call()
            pair.append((time.perf_counter() - start) / repetitions)
        samples.append(pair)
    least = [min(pair[k] for pair in samples) for k in (0, 1)]
    return (*least, statistics.median(a / b for a, b in samples))


def patched_and_plain(function, *arguments, options=None, max_ulp=1.1, **patch):
    """Two calls of one jitted function, the second under a scope that is entered once."""
    scope = xla_evo.use(max_ulp=max_ulp, **patch)
    compiled = jax.jit(function).lower(*arguments).compile(options)
    with scope:
        evolved = jax.jit(function).lower(*arguments).compile(options)
    return (
        lambda: compiled(*arguments).block_until_ready(),
        lambda: evolved(*arguments).block_until_ready(),
    )


def _repetitions(power):
    """Calls a sample, a millisecond or more: the first of them find threads asleep, or not."""
    return max(8, (1 << 22) >> power)


def scope_cost():
    """What `use` costs to enter, and a call of a function that is compiled.

    JAX looks a jitted function's executables up in the order of compilation, and the second one of
    a function takes longer to find whatever made it a second one; hence a function for each side.
    """
    x = jnp.ones(16)
    scope = xla_evo.use("exp", max_ulp=1.0)
    plain, patched, both = (jax.jit(lambda x: jnp.exp(x) * 2 + 1) for _ in range(3))
    plain(x)
    both(x)
    with scope:
        patched(x)
        both(x)

    def enter():
        for _ in range(REPEATED):
            with xla_evo.use("exp", max_ulp=1.0):
                pass

    def calls(function, scope):
        with scope:
            for _ in range(REPEATED):
                function(x)

    least, _, _ = paired(enter, enter, 1)
    yield {
        "measure": "entering and leaving use", "unit": "us", "value": least / REPEATED * 1e6,
        "wanted": "below 20",
    }  # fmt: skip
    outside = nullcontext()
    for words, function in (("", patched), (", where it has been called without too", both)):
        first, second, ratio = paired(
            functools.partial(calls, function, scope), functools.partial(calls, plain, outside), 1
        )
        yield {
            "measure": f"jitted call under use{words}", "unit": "times one without",
            "value": ratio, "wanted": "" if words else "1",
            "patched_us": first / REPEATED * 1e6, "plain_us": second / REPEATED * 1e6,
        }  # fmt: skip


def inputs(name, count):
    low, high = timed_range(name)
    return jnp.asarray(np.random.default_rng(0).uniform(low, high, count), jnp.float32)


def custom_calls():
    """Whole calls: by the fastest program as good as the built-in, and by one within 1 ULP."""
    for name, bound in itertools.product(("exp", "log", "tanh", "sin", "atan"), (None, 1.0)):
        entry = choose(name, max_ulp=bound, lowering="custom_call").entry
        if entry is None:
            continue
        words = "as good as jnp's" if bound is None else "within 1 ULP"
        for power in (12, 16, 20):
            x = inputs(name, 1 << power)
            function = CATALOGUE[name].builtin_function()
            plain, native = patched_and_plain(function, x, max_ulp=bound, lowering="custom_call")
            wanted = {("exp", 16): "at least 1.8", ("exp", 20): "at least 2.5"}
            row = {
                "measure": f"{name} by custom call, {words}, 2^{power}, whole call",
                "unit": "times jnp", "wanted": wanted.get((name, power), ""),
            }  # fmt: skip
            first, second, ratio = paired(plain, native, _repetitions(power))
            yield row | {
                "value": ratio, "jnp_ns": first / (1 << power) * 1e9,
                "native_ns": second / (1 << power) * 1e9,
            }  # fmt: skip
    yield from copies()


def copies():
    """A custom call that does nothing but move its input, beside jnp.exp: exp cannot be faster."""
    copied = jax.jit(as_custom_call(parse_program("program copy(x: f32) -> f32 { return x }")))
    plain = jax.jit(jnp.exp)
    for power in (16, 20):
        x = inputs("exp", 1 << power)
        calls = [lambda f=f, x=x: f(x).block_until_ready() for f in (plain, copied)]
        first, second, ratio = paired(*calls, _repetitions(power))
        yield {
            "measure": f"a copy by custom call, 2^{power}, whole call",
            "unit": "times jnp.exp", "wanted": "", "value": ratio,
            "jnp_ns": first / (1 << power) * 1e9, "native_ns": second / (1 << power) * 1e9,
        }  # fmt: skip


def inlined():
    """Whole calls of inlined exp, as XLA compiles it and without its splitting over threads.

    XLA splits a loop by a cost that counts HLO operations, so that it wakes a second thread for an
    inlined program where it computes the built-in on one; and its client hands a program of 1,000
    operations or more, an exp counting as none, to another thread (`--no-async-dispatch` keeps it).
    """
    unsplit = {"xla_disable_hlo_passes": "cpu-parallel-task-assigner"}
    for power in (12, 16, 20):
        x = jnp.asarray(np.random.default_rng(0).uniform(-5, 5, 1 << power), jnp.float32)
        for options, words in ((None, ""), (unsplit, ", both on one thread")):
            plain, evolved = patched_and_plain(jnp.exp, x, options=options)
            first, second, ratio = paired(plain, evolved, _repetitions(power))
            yield {
                "measure": f"exp inlined, 2^{power}, whole call{words}", "unit": "times jnp",
                "wanted": "", "value": ratio, "jnp_us": first * 1e6, "evolved_us": second * 1e6,
            }  # fmt: skip


SLEEF_FUNCTIONS = (
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos",
    "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "cbrt", "erf",
)  # fmt: skip
"""Those of which SLEEF has a form within 1 ULP, by the same names."""
_SLEEF = {"avx512": ("avx512f", "16", "__m512"), "avx2": ("avx2", "8", "__m256")}
_RANGE = re.compile(r"^void range\(.*?^}$", re.MULTILINE | re.DOTALL)


def sleef_call(name, program, isa, folder):
    """SLEEF's function in the handler of our own calls: same threads, same way into XLA."""
    suffix, lanes, kind = _SLEEF[isa]
    prefix = "_mm512" if kind == "__m512" else "_mm256"
    loop = (
        "void range(const float* x0, float* result, int64_t count, int64_t&) {"
        f" for (int64_t i = 0; i + {lanes} <= count; i += {lanes}) {prefix}_storeu_ps(result + i,"
        f" Sleef_{name}f{lanes}_u10{suffix}({prefix}_loadu_ps(x0 + i))); }}"
    )
    text, found = _RANGE.subn(loop, source(program))
    if found != 1:
        raise ValueError("the handler has no loop that SLEEF's can stand in for")
    path, out = Path(folder, f"{name}.cc"), Path(folder, f"{name}.so")
    path.write_text("#include <immintrin.h>\n#include <sleef.h>\n" + text, encoding="ascii")
    line = [*compiler(), *flags(), "-I", jax.ffi.include_dir(), str(path), "-o", str(out)]
    subprocess.run([*line, "-lsleef", "-w"], check=True)
    target = f"bench_sleef_{name}"
    handler = ctypes.CDLL(str(out)).xla_evo_call
    jax.ffi.register_ffi_target(target, jax.ffi.pycapsule(handler), platform="cpu")
    return lambda x: jax.ffi.ffi_call(target, jax.ShapeDtypeStruct(x.shape, x.dtype))(x)


def sleef():
    isa = instruction_set().split("+")[0]
    if ctypes.util.find_library("sleef") is None or isa not in _SLEEF:
        reason = "libsleef-dev is not installed, or there is nothing to compare on this ISA"
        yield {"measure": "SLEEF", "unit": "", "value": None, "wanted": "", "skipped": reason}
        return
    for name in SLEEF_FUNCTIONS:
        chosen = choose(name, max_ulp=1.0, lowering="custom_call").entry
        if chosen is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            other = sleef_call(name, chosen.program, isa, folder)
            for power in (14, 20):
                x = inputs(name, 1 << power)
                # The program itself: under JAX log2 is made of log, so a scope would not call it.
                ours = as_custom_call(chosen.program)
                sleefs, native = (jax.jit(call).lower(x).compile() for call in (other, ours))
                first, second, ratio = paired(
                    lambda call=sleefs, x=x: call(x).block_until_ready(),
                    lambda call=native, x=x: call(x).block_until_ready(),
                    max(1, (1 << 20) >> power),
                )  # fmt: skip
                yield {
                    "measure": f"{name} by custom call, 2^{power}, SLEEF u10 called the same way",
                    "unit": "times SLEEF", "value": ratio, "wanted": "at least 1",
                    "sleef_ns": first / (1 << power) * 1e9,
                    "native_ns": second / (1 << power) * 1e9,
                }  # fmt: skip


def at_the_door():
    """What the check of a program costs on a machine that it was not proven on, the first time."""
    for name in ("exp", "log", "tanh", "sin"):
        choice = choose(name, max_ulp=1.1)
        start = time.perf_counter()
        problem = door.check(choice)
        yield {
            "measure": f"{name} checked at the door{': ' + problem if problem else ''}",
            "unit": "s", "value": time.perf_counter() - start, "wanted": "below 1",
        }  # fmt: skip


def networks():
    """Under `use` without a bound, which replaces by what is faster and as good; softmax also with.

    A bound replaces the exp of a softmax too, which XLA would compute in one kernel with the sum.
    """
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4096, 4096)), jnp.float32)
    for bound, words, wanted in ((None, "", "at least 1"), (1.0, ", within 1 ULP", "")):
        first, second, ratio = paired(*patched_and_plain(jax.nn.softmax, x, max_ulp=bound), 1)
        yield {
            "measure": f"softmax 4096x4096{words}", "unit": "times without", "value": ratio,
            "wanted": wanted, "plain_ms": first * 1e3, "patched_ms": second * 1e3,
        }  # fmt: skip
    random = np.random.default_rng(1)
    w1, w2 = (
        jnp.asarray(random.normal(size=s) / 16, jnp.float32) for s in ((256, 1024), (1024, 256))
    )
    h = jnp.asarray(random.normal(size=(512, 256)), jnp.float32)

    for approximate in (True, False):

        def block(h, w1, w2, approximate=approximate):
            return h + jax.nn.gelu(h @ w1, approximate=approximate) @ w2

        first, second, ratio = paired(*patched_and_plain(block, h, w1, w2, max_ulp=None), 4)
        yield {
            "measure": f"GELU MLP block 512x256x1024, by {'tanh' if approximate else 'erfc'}",
            "unit": "times without", "value": ratio, "wanted": "at least 1",
            "plain_ms": first * 1e3, "patched_ms": second * 1e3,
        }  # fmt: skip


def silu_gradient(x):
    return jax.grad(lambda v: jax.nn.silu(v).sum().astype(jnp.float32))(x)


def exact_gelu(x):
    return jax.nn.gelu(x, approximate=False)


ACTIVATIONS = (
    jax.nn.silu, silu_gradient, jax.nn.gelu, exact_gelu, jax.nn.softplus, jnp.tanh, jnp.exp,
    jax.nn.softmax,
)  # fmt: skip


def activations():
    """Under `use` without a bound, in the formats of networks, a million elements a call."""
    random = np.random.default_rng(0).normal(size=(1024, 1024))
    for dtype in (jnp.bfloat16, jnp.float16, jnp.float32):
        x = jnp.asarray(random, dtype)
        for function in ACTIVATIONS:
            first, second, ratio = paired(*patched_and_plain(function, x, max_ulp=None), 4)
            yield {
                "measure": f"{function.__name__} 1024x1024 in {dtype.__name__}",
                "unit": "times without", "value": ratio, "wanted": "",
                "plain_ms": first * 1e3, "patched_ms": second * 1e3,
            }  # fmt: skip


def fusions():
    for name in sorted({e.function for e in entries()} & set(replaceable())):
        row = CATALOGUE[name]
        function, beside = row.builtin_function(), (0.75,) * (row.arity - 1)

        def graph(x, function=function, beside=beside):
            return function(x * 0.25 + 0.5, *beside) * 3 - x

        with xla_evo.use(name, max_ulp=1.1):
            text = jax.jit(graph).lower(jnp.ones(4096)).compile().as_text()
        yield {
            "measure": f"{name} inlined between neighbours", "unit": "fusions",
            "value": text[text.index("ENTRY") :].count(" fusion("),
            "wanted": "1" if name in FUSED else "",
        }  # fmt: skip


def branching():
    """Programs with a branch over the array: all inputs ordinary, and one of 16,000 that is not."""
    for entry in entries():
        found = branches(entry.program)
        if found is None:
            continue
        dtype = entry.program.dtype
        xs = np.random.default_rng(0).uniform(*timed_range(entry.function), (2, timing.ELEMENTS))
        xs = xs.astype(dtype.numpy)
        among = xs.copy()
        beyond = np.asarray(found.part.base + found.part.span + 1, f"u{dtype.bits // 8}")
        negative = evaluate(found.extraordinary, -xs[:, 0])
        among[:, 0] = np.where(negative, -xs[:, 0], beyond.view(dtype.numpy))
        functions = (CATALOGUE[entry.function].builtin_function(), as_function(entry.program))
        loops = [timing.compile_loop(function, dtype) for function in functions]
        for words, values in (("ordinary inputs", xs), ("one other input among them", among)):
            builtin, ours = timing.time_loops(loops, values)
            yield {
                "measure": f"{entry.name}, {words}", "unit": "times the built-in", "wanted": "",
                "value": timing.ratio(builtin, ours),
                "builtin_ns": builtin.best_ns, "evolved_ns": ours.best_ns,
            }  # fmt: skip


PARTS = {
    "scope": scope_cost, "custom-calls": custom_calls, "inlined": inlined, "sleef": sleef,
    "door": at_the_door, "networks": networks, "activations": activations, "fusions": fusions,
    "branches": branching,
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--no-async-dispatch", action="store_true", help="run each program on the calling thread"
    )
    args = parser.parse_args()
    if args.no_async_dispatch:
        jax.config.update("jax_cpu_enable_async_dispatch", False)
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"unknown part {', '.join(sorted(unknown))}; choose of {', '.join(PARTS)}")
    settle_on_cpu()
    for part in args.parts or PARTS:
        for row in PARTS[part]():
            if args.json:
                print(json.dumps(row))
                continue
            value = row.get("skipped") or f"{row['value']:.3g} {row['unit']}"
            known = ("measure", "unit", "value", "wanted", "skipped")
            more = ", ".join(f"{k} {v:.3g}" for k, v in row.items() if k not in known)
            wanted = f" (wanted: {row['wanted']})" if row["wanted"] else ""
            print(f"{row['measure']}: {value}{wanted}{'; ' + more if more else ''}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
