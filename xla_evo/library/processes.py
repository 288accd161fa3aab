"""Work on certificates shared out over processes, one a processor, each settled for sweeps."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.queues import SimpleQueue
from typing import TypeVar

from llvmlite import binding

from xla_evo._processors import kept_on
from xla_evo._spawn import no_script
from xla_evo.errors import XlaEvoError
from xla_evo_lowering.absent import settle_on_cpu
from xla_evo_lowering.compile import dispatch_on_calling_thread, keep_freed_memory

_T = TypeVar("_T")
_R = TypeVar("_R")
_FEATURES = "NUMBA_CPU_FEATURES"


def shared_out(work: Callable[[_T], _R], items: Sequence[_T], count: int) -> Iterator[_R]:
    """Yields what work makes of items, as processes have it.

    Args:
        work: can be pickled.
        items: the longest first, so that no process is left alone with one at the end.
        count: how many processes.

    Raises:
        XlaEvoError: a process ended before its work was done.
    """
    context = multiprocessing.get_context("spawn")
    places = context.SimpleQueue()
    processors = kept_on()
    for place in range(count):
        places.put(processors[place] if count <= len(processors) else None)
    with ProcessPoolExecutor(
        count, mp_context=context, initializer=_begin_process, initargs=(places,)
    ) as pool:
        try:
            with no_script(), _long_vectors():
                pending = [pool.submit(work, item) for item in items]
            for future in as_completed(pending):
                yield future.result()
        except BrokenProcessPool:
            raise XlaEvoError(
                "a process that checked certificates ended before its time (out of memory?);"
                " check one function at a time with --function NAME"
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _long_vectors() -> Generator[None]:
    """Lets processes that start inside compile a sweep's kernels to vectors of 512 bits, if any.

    LLVM prefers 256 on processors whose clock slows down in longer ones; a sweep gains by half as
    many operations.
    """
    features = binding.get_host_cpu_features()
    if _FEATURES in os.environ or not features.get("avx512f"):
        yield
        return
    os.environ[_FEATURES] = f"{features.flatten()},-prefer-256-bit"
    try:
        yield
    finally:
        del os.environ[_FEATURES]


def _begin_process(places: "SimpleQueue[int | None]") -> None:
    """Settles a process, on a processor of its own if there is one for each.

    XLA and custom calls then have one thread: more would wait for the other processes' threads.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    place = places.get()
    if place is not None:
        os.sched_setaffinity(0, {place})
    dispatch_on_calling_thread()
    keep_freed_memory()
    settle_on_cpu()


def _end_with_parent() -> None:
    """Ends this process when the one that started it has ended, even by a signal to that alone."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
