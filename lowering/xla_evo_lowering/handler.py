"""The C++ around a program's loop: XLA's way to call it, and the threads that share a large array.

Only the C interface of XLA's typed FFI is used, whose headers take a quarter of the time of the C++
ones to compile; a handler answers the question for its version and otherwise checks what it is
given and computes.
"""

from xla_evo_lowering.program import Program

INCLUDES = """\
#include <sched.h>
#include <time.h>

#include <atomic>

#include "xla/ffi/api/c_api.h"
"""

_HANDLER = """\
constexpr int64_t kGrain = {grain};
constexpr int64_t kThreaded = {threaded};
constexpr int64_t kWarm = {warm}, kAwakeNs = {awake};
constexpr int kSpins = {spins};

// Chunks are claimed by whoever is free: the caller works too and waits only for chunks that
// others have begun, so that a busy pool cannot stall it. Whoever leaves last deletes the work.
struct Work {{
  {fields}{out}* result;
  int64_t count, chunks;
  std::atomic<int64_t> next{{0}}, done{{0}}, users{{1}};
  void run() {{
    int64_t unasked = 0;
    for (int64_t chunk; (chunk = next.fetch_add(1)) < chunks; done.fetch_add(1)) {{
      const int64_t start = chunk * kGrain, rest = count - start;
      range({starts}result + start, rest < kGrain ? rest : kGrain, unasked);
    }}
  }}
  void leave() {{
    if (users.fetch_sub(1) == 1) delete this;
  }}
}};

void help(void* data) {{
  Work* work = static_cast<Work*>(data);
  work->run();
  work->leave();
}}

int64_t now_ns() {{
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t(now.tv_sec) * 1000000000 + now.tv_nsec;
}}

// When the last call of some size ended: a thread that has worked looks for more before it sleeps.
std::atomic<int64_t> last_ns{{INT64_MIN / 2}};

void relax() {{
#if defined(__x86_64__)
  _mm_pause();
#endif
}}

bool failed(const XLA_FFI_CallFrame* frame, XLA_FFI_Error* error) {{
  if (error == nullptr) return false;
  XLA_FFI_Error_Destroy_Args gone{{}};
  gone.struct_size = XLA_FFI_Error_Destroy_Args_STRUCT_SIZE;
  gone.error = error;
  frame->api->XLA_FFI_Error_Destroy(&gone);
  return true;
}}

int64_t pool_size(const XLA_FFI_CallFrame* frame) {{
  int64_t threads = 1;
  XLA_FFI_ThreadPool_NumThreads_Args asked{{}};
  asked.struct_size = XLA_FFI_ThreadPool_NumThreads_Args_STRUCT_SIZE;
  asked.ctx = frame->ctx;
  asked.num_threads = &threads;
  return failed(frame, frame->api->XLA_FFI_ThreadPool_NumThreads(&asked)) ? 1 : threads;
}}

void compute(const XLA_FFI_CallFrame* frame, Work* work) {{
  work->chunks = (work->count + kGrain - 1) / kGrain;
  const int64_t threads = pool_size(frame);
  for (int64_t i = 1; i < threads && i < work->chunks; ++i) {{
    XLA_FFI_ThreadPool_Schedule_Args task{{}};
    task.struct_size = XLA_FFI_ThreadPool_Schedule_Args_STRUCT_SIZE;
    task.ctx = frame->ctx;
    task.task = help;
    task.data = work;
    work->users.fetch_add(1);
    if (failed(frame, frame->api->XLA_FFI_ThreadPool_Schedule(&task))) {{
      work->leave();
      break;
    }}
  }}
  work->run();
  for (int spins = 0; work->done.load() < work->chunks; ++spins)
    spins < kSpins ? relax() : static_cast<void>(sched_yield());
}}

XLA_FFI_Error* refuse(const XLA_FFI_CallFrame* frame, const char* why) {{
  XLA_FFI_Error_Create_Args error{{}};
  error.struct_size = XLA_FFI_Error_Create_Args_STRUCT_SIZE;
  error.message = why;
  error.errc = XLA_FFI_Error_Code_INVALID_ARGUMENT;
  return frame->api->XLA_FFI_Error_Create(&error);
}}

}}  // namespace

extern "C" __attribute__((visibility("default"))) XLA_FFI_Error* {symbol}(
    XLA_FFI_CallFrame* frame) {{
  for (auto* more = frame->extension_start; more != nullptr; more = more->next) {{
    if (more->type != XLA_FFI_Extension_Metadata) continue;
    auto* metadata = reinterpret_cast<XLA_FFI_Metadata_Extension*>(more)->metadata;
    metadata->api_version = XLA_FFI_Api_Version{{
        XLA_FFI_Api_Version_STRUCT_SIZE, nullptr, XLA_FFI_API_MAJOR, XLA_FFI_API_MINOR}};
    metadata->traits = 0;
    metadata->state_type_id = XLA_FFI_UNKNOWN_TYPE_ID;
    return nullptr;
  }}
  if (frame->args.size != {arguments} || frame->rets.size != 1)
    return refuse(frame, "another number of arguments or results than the program has");
  const auto* result = static_cast<XLA_FFI_Buffer*>(frame->rets.rets[0]);
  {buffers}
  if (result->dtype != {out_type}{types})
    return refuse(frame, "another type of argument or result than the program has");
  int64_t count = 1;
  for (int64_t axis = 0; axis < result->rank; ++axis) count *= result->dims[axis];
  const bool is_short = count < kWarm;
  if (is_short || (count < kThreaded && now_ns() - last_ns.load() > kAwakeNs)) {{
    int64_t unasked = 0;
    range({data}static_cast<{out}*>(result->data), count, unasked);
    if (!is_short) last_ns.store(now_ns());
    return nullptr;
  }}
  Work* work = new Work;
  {assign}
  work->result = static_cast<{out}*>(result->data);
  work->count = count;
  compute(frame, work);
  work->leave();
  last_ns.store(now_ns());
  return nullptr;
}}
"""
_GRAIN = 1 << 14
"""Elements that a thread takes at a time."""
_THREADED_OPERATIONS = 1 << 21
"""Operations of a call from which on it is worth 20 to 40 microseconds to wake another thread."""
_WARM_OPERATIONS = 1 << 19
"""The same where it is still awake, as threads of XLA's pool are for a while after their work."""
_AWAKE_NS = 12_000
_SPINS = 2000
"""How often a caller looks whether others are done before it lets other processes run."""
_LEAST = 1 << 15
"""Elements below which a call is not shared, whatever it takes for each."""
_THREADED_ELEMENTS = 1 << 19
"""Elements from which on it is worth that whatever is done: 2 MB of float32 in, and as many out."""


def emit_handler(program: Program, symbol: str, types: list[str], out: str) -> str:
    """Returns the part of a translation unit that follows its function ``range``.

    Args:
        program: of float32 or float64.
        symbol: name of the handler.
        types: C++ types of the parameters.
        out: C++ type of the result.
    """
    inputs = range(len(types))
    operations = max(1, program.operation_count())
    ffi = [f"XLA_FFI_DataType_{row.dtype.short.upper()}" for row in program.parameters]
    return _HANDLER.format(
        grain=_GRAIN,
        threaded=max(_LEAST, min(_THREADED_ELEMENTS, _THREADED_OPERATIONS // operations)),
        warm=max(_LEAST, min(_THREADED_ELEMENTS, _WARM_OPERATIONS // operations)),
        awake=_AWAKE_NS,
        spins=_SPINS,
        symbol=symbol,
        out=out,
        out_type=f"XLA_FFI_DataType_{program.dtype.short.upper()}",
        arguments=len(types),
        fields="".join(f"const {types[n]}* x{n};\n  " for n in inputs),
        starts="".join(f"x{n} + start, " for n in inputs),
        buffers="\n  ".join(
            f"const auto* x{n} = static_cast<XLA_FFI_Buffer*>(frame->args.args[{n}]);"
            for n in inputs
        ),
        types="".join(f" || x{n}->dtype != {ffi[n]}" for n in inputs),
        data="".join(f"static_cast<const {types[n]}*>(x{n}->data), " for n in inputs),
        assign="\n  ".join(
            f"work->x{n} = static_cast<const {types[n]}*>(x{n}->data);" for n in inputs
        ),
    )
