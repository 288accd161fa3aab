"""Programs as C++: one inline function of scalars that the compiler vectorises, and an FFI handler.

Values are numbered and constants are bit patterns, so that no name and no text of a program gets
into the source. Where a part of the inputs needs less than the program (`ordinary`), blocks of them
are computed without the rest. Integer arithmetic is done on unsigned types, where overflow wraps;
what else C++ would compute otherwise than the program says is named in `spelling`.
"""

import math
from collections import Counter

from xla_evo_lowering.dtypes import BOOL, Kind
from xla_evo_lowering.errors import ProgramError
from xla_evo_lowering.handler import INCLUDES, emit_handler
from xla_evo_lowering.ops import OPS
from xla_evo_lowering.ordinary import ordinary
from xla_evo_lowering.program import Instruction, Program, constant_array
from xla_evo_lowering.spelling import flushing, negating, wrapping

_TYPES = {
    "f32": "float", "f64": "double", "i16": "int16_t", "i32": "int32_t", "i64": "int64_t",
    "u16": "uint16_t", "u32": "uint32_t", "u64": "uint64_t", "bool": "bool",
}  # fmt: skip
_WRAPPING = {"add": "+", "sub": "-", "mul": "*"}
_EXTREMES = {"min": "<", "max": ">"}

_NO_PATHS = """\
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-thread-jumps")
#endif
"""
"""GCC makes a path of its own for each outcome of a condition that many choices share, and computes
all paths when it vectorises: acos took 0.87 ns an element so, 0.47 without."""
_SHARED = 4
_INLINED = "__attribute__((always_inline)) "
"""Compilers call what they find long, as erfc in float64, and vectorise no loop that calls."""
_LONG = 85
"""Operations from which on a program has to be inlined by order."""

_PREAMBLE = """\
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace {

template <class To, class From> inline To bitcast(From x) {
  static_assert(sizeof(To) == sizeof(From), "bitcast keeps the width");
  To out;
  std::memcpy(&out, &x, sizeof(To));
  return out;
}
template <class To, class From> inline To convert(From x) {
  if constexpr (std::is_same<To, bool>::value) {
    return x != 0;
  } else if constexpr (std::is_floating_point<From>::value && std::is_integral<To>::value) {
    constexpr From low = static_cast<From>(std::numeric_limits<To>::min());
    constexpr From high = static_cast<From>(std::numeric_limits<To>::max());
    const From held = x > low ? (x < high ? x : From(0)) : low;
    const To inside = x == x ? static_cast<To>(held) : To(0);
    return x >= high ? std::numeric_limits<To>::max() : inside;
  } else {
    return static_cast<To>(x);
  }
}
template <class T> inline T abs(T x) { return x < T(0) ? T(T(0) - x) : x; }
template <> inline float abs(float x) { return std::fabs(x); }
template <> inline double abs(double x) { return std::fabs(x); }
template <class T> inline T maximum(T a, T b) {
  if constexpr (std::is_floating_point<T>::value) {
    const T larger = a == b ? (std::signbit(a) ? b : a) : (a > b ? a : b);
    return a == a ? (b == b ? larger : b) : a;
  } else {
    return a > b ? a : b;
  }
}
template <class T> inline T minimum(T a, T b) {
  if constexpr (std::is_floating_point<T>::value) {
    const T smaller = a == b ? (std::signbit(a) ? a : b) : (a < b ? a : b);
    return a == a ? (b == b ? smaller : b) : a;
  } else {
    return a < b ? a : b;
  }
}
template <class T> inline T invert(T x) { return static_cast<T>(~x); }
template <> inline bool invert(bool x) { return !x; }
template <class T> using Unsigned = typename std::make_unsigned<T>::type;
template <class T> inline T shift_left(T x, T n) {
  using U = Unsigned<T>;
  constexpr U width = 8 * sizeof(T);
  const U count = static_cast<U>(n);
  const U shifted = static_cast<U>(static_cast<U>(x) << (count % width));
  return static_cast<T>(count < width ? shifted : U(0));
}
template <class T> inline T shift_right_logical(T x, T n) {
  using U = Unsigned<T>;
  constexpr U width = 8 * sizeof(T);
  const U count = static_cast<U>(n);
  const U shifted = static_cast<U>(static_cast<U>(x) >> (count % width));
  return static_cast<T>(count < width ? shifted : U(0));
}
template <class T> inline T shift_right_arithmetic(T x, T n) {
  using U = Unsigned<T>;
  constexpr U width = 8 * sizeof(T);
  const U count = static_cast<U>(n);
  return static_cast<T>(static_cast<typename std::make_signed<T>::type>(x) >>
                        (count < width ? count : width - 1));
}

// Flushes subnormal operands and results while it lives, as XLA's CPU code does.
struct Flush {
#if defined(__x86_64__)
  unsigned saved = _mm_getcsr();
  Flush() { _mm_setcsr(saved | 0x8040u); }
  ~Flush() { _mm_setcsr(saved); }
#endif
};
"""

_FLUSHED = """\
template <class T> inline T flushed(T x) {
  return std::fabs(x) < std::numeric_limits<T>::min() ? std::copysign(T(0), x) : x;
}
"""

_RANGE = """\
void range({pointers}{out}* __restrict result, int64_t count, int64_t&) {{
  Flush flush;
  for (int64_t i = 0; i < count; ++i) result[i] = program({elements});
}}
"""
_BLOCKWISE = """\
using Bits = Unsigned<{bits}>;
constexpr int64_t kBlock = {block}, kUnasked = {unasked};
constexpr Bits kMask = {mask}u, kBase = {base}u, kSpan = {span}u;

// Computes a block and gives how far its farthest input is from the least ordinary one.
Bits ordinary_block(const {into}* __restrict x0, {out}* __restrict result, int64_t count) {{
  Bits farthest = 0;
  for (int64_t i = 0; i < count; ++i) {{
    const Bits far = (bitcast<Bits>(x0[i]) & kMask) - kBase;
    farthest = far > farthest ? far : farthest;
    result[i] = ordinary(x0[i]);
  }}
  return farthest;
}}
void block(const {into}* __restrict x0, {out}* __restrict result, int64_t count) {{
  for (int64_t i = 0; i < count; ++i) result[i] = program(x0[i]);
}}

// A block is taken for ordinary and done again where it is not; then some are not asked.
void range(const {into}* __restrict x0, {out}* __restrict result, int64_t count,
           int64_t& unasked) {{
  Flush flush;
  for (int64_t start = 0; start < count; start += kBlock) {{
    const int64_t length = count - start < kBlock ? count - start : kBlock;
    if (unasked == 0) {{
      if (ordinary_block(x0 + start, result + start, length) <= kSpan) continue;
      unasked = kUnasked;
    }}
    --unasked;
    block(x0 + start, result + start, length);
  }}
}}
"""
_BLOCK = 1 << 11
"""Elements that are ordinary together; input and output stay in the first-level cache."""
_UNASKED = 16
"""Blocks that are computed whole from one on that was not ordinary."""


def emit_cpp(program: Program, symbol: str) -> str:
    """Returns a C++ translation unit with an FFI handler for a program of float32 or float64.

    Args:
        program: what every element is computed by.
        symbol: name of the handler.

    Raises:
        ProgramError: the program has values that C++ has no type for.
    """
    for dtype in program.types:
        if dtype.short not in _TYPES:
            raise ProgramError(f"{dtype.name} has no C++ type")
    count = len(program.parameters)
    types = [_TYPES[parameter.dtype.short] for parameter in program.parameters]
    out = _TYPES[program.dtype.short]
    inputs = range(count)
    pointers = "".join(f"const {types[n]}* __restrict x{n}, " for n in inputs)
    elements = ", ".join(f"x{n}[i]" for n in inputs)
    part = ordinary(program)
    if part is None:
        lines = [_function(program, "program")]
        loop = _RANGE.format(pointers=pointers, out=out, elements=elements)
    else:
        lines = [_function(program, "program"), _function(part.program, "ordinary")]
        loop = _BLOCKWISE.format(
            bits=_TYPES[f"i{program.parameters[0].dtype.bits}"], block=_BLOCK, unasked=_UNASKED,
            into=types[0], out=out, mask=part.mask, base=part.base, span=part.span,
        )  # fmt: skip
    if any("flushed(" in line for line in lines):
        lines.insert(0, _FLUSHED)
    handler = emit_handler(program, symbol, types, out)
    before = [_NO_PATHS] if _most_shared_condition(program) >= _SHARED else []
    return "\n".join([*before, INCLUDES, _PREAMBLE, *lines, loop, handler])


def _most_shared_condition(program: Program) -> int:
    """How many choices the condition decides that decides the most."""
    chosen = Counter(row.operands[0] for row in program.body if row.op == "select")
    return max(chosen.values(), default=0)


def _function(program: Program, name: str) -> str:
    """A program as an inline function of scalars."""
    count = len(program.parameters)
    types = [_TYPES[dtype.short] for dtype in program.types]
    arguments = ", ".join(f"{types[n]} v{n}" for n in range(count))
    order = _INLINED if program.operation_count() >= _LONG else ""
    lines = [f"{order}inline {_TYPES[program.dtype.short]} {name}({arguments}) {{"]
    negated, wrapped, flushed = negating(program), wrapping(program), flushing(program)
    for index, instruction in enumerate(program.body, count):
        if index in negated:
            text = _negative(instruction, f"v{negated[index]}")
        elif index in wrapped:
            text = _wrapped(instruction.op, types[index], f"v{instruction.operands[0]}")
        else:
            text = _expression(program, instruction)
        text = f"flushed({text})" if index in flushed else text
        lines.append(f"  const {types[index]} v{index} = {text};")
    return "\n".join([*lines, f"  return v{program.result};", "}", ""])


def _expression(program: Program, instruction: Instruction) -> str:
    dtype = instruction.dtype
    kind = _TYPES[dtype.short]
    if instruction.op == "const":
        return _constant(instruction)
    values = [f"v{operand}" for operand in instruction.operands]
    if dtype.kind is Kind.SIGNED and instruction.op in _WRAPPING:
        # Signed overflow is undefined in C++; the op table wraps.
        left, right = (f"static_cast<Unsigned<{kind}>>({value})" for value in values)
        return f"static_cast<{kind}>({left} {_WRAPPING[instruction.op]} {right})"
    if dtype.is_float and instruction.op in _EXTREMES:
        numbers = [_number(program.instruction(operand)) for operand in instruction.operands]
        known = [place for place, number in enumerate(numbers) if not math.isnan(number)]
        if known:
            constant, (other,) = values.pop(known[0]), values
            return _extreme(instruction.op, constant, numbers[known[0]], other)
    text = OPS[instruction.op].cpp.format(*values, T=kind)
    compares = OPS[instruction.op].compares or instruction.op == "select"
    return text if compares or dtype is BOOL else f"static_cast<{kind}>({text})"


def _negative(instruction: Instruction, value: str) -> str:
    """The negative of a float by its sign bit, which no compiler joins with what came before."""
    kind, bits = _TYPES[instruction.dtype.short], instruction.dtype.bits
    sign = f"(uint{bits}_t(1) << {bits - 1})"
    text = f"bitcast<{kind}>(bitcast<uint{bits}_t>({value}) ^ {sign})"
    return text if instruction.op == "neg" else f"flushed({text})"


def _wrapped(op: str, kind: str, value: str) -> str:
    """The negative or the magnitude of a signed integer; the least one is its own."""
    negative = f"static_cast<{kind}>(Unsigned<{kind}>(0) - static_cast<Unsigned<{kind}>>({value}))"
    return negative if op == "neg" else f"{value} < 0 ? {negative} : {value}"


def _extreme(op: str, constant: str, number: float, other: str) -> str:
    """Max or min beside a number: one comparison, which a nan leaves as it is.

    Of two zeros max gives the positive one, min the negative.
    """
    is_winning_zero = number == 0 and math.copysign(1.0, number) == (1.0 if op == "max" else -1.0)
    compare = _EXTREMES[op] + ("=" if is_winning_zero else "")
    return f"{constant} {compare} {other} ? {constant} : {other}"


def _number(instruction: Instruction | None) -> float:
    """The value of a float constant; nan for all else."""
    if instruction is None or instruction.op != "const" or not instruction.dtype.is_float:
        return math.nan
    return float(constant_array(instruction))


def _constant(instruction: Instruction) -> str:
    dtype, value = instruction.dtype, instruction.value
    if not isinstance(value, int):
        raise ProgramError("a real constant has no bits")
    if dtype is BOOL:
        return "true" if value else "false"
    return f"bitcast<{_TYPES[dtype.short]}>(static_cast<uint{dtype.bits}_t>({value}ull))"
