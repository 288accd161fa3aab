"""Worker processes: jobs run with a time limit, and a worker that hangs or dies is replaced.

A candidate that crashes or hangs the compiler costs its worker, not the search. Workers are
spawned, not forked, since JAX does not survive a fork.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from typing import Any

from xla_evo._spawn import no_script
from xla_evo.errors import XlaEvoError
from xla_evo.search.tasks import Tasks
from xla_evo.targets.target import Target
from xla_evo_lowering.absent import settle_on_cpu
from xla_evo_lowering.backends import backend as backend_row

_RECYCLE_AFTER = 600
"""Jobs that compile, after which a worker is replaced: XLA keeps some memory for each."""

_LOADING_S = 120.0
"""Seconds more until a process has compiled once: it loads JAX and makes its sample first."""

Settings = tuple[float, int, int, str]
"""Further arguments of `Tasks`: goal, number of test points, seed, scaffold."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job gave no result.

    Attributes:
        reason: a short class for counting: ``refused``, ``crashed``, ``timeout``, ``error``.
        message: one line.
    """

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Job:
    """A method of `Tasks` and its arguments."""

    method: str
    arguments: tuple[Any, ...]
    limit_s: float
    reports: bool = False


def _tasks(target: Target, settings: Settings, backend: str) -> Tasks:
    if backend_row(backend).live:
        return Tasks(target, *settings)
    from xla_evo.search.modelled import ModelledTasks

    return ModelledTasks(target, *settings, backend=backend)


def _serve(connection: Any, target: Target, settings: Settings, backend: str) -> None:
    """Body of a worker process."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    settle_on_cpu()
    tasks: Tasks | None = None

    def report(done: int, total: int) -> None:
        connection.send(("report", (done, total)))

    while True:
        try:
            job: Job | None = connection.recv()
        except (EOFError, OSError):  # the search has ended, or was killed
            return
        if job is None:
            return
        arguments = (*job.arguments, report) if job.reports else job.arguments
        try:
            tasks = tasks or _tasks(target, settings, backend)
            answer = ("result", getattr(tasks, job.method)(*arguments))
        except XlaEvoError as error:
            answer = ("result", Failure("refused", str(error)))
        except Exception as error:
            text = str(error).splitlines()[0] if str(error) else ""
            answer = ("result", Failure("error", f"{type(error).__name__}: {text}"))
        try:
            connection.send(answer)
        except OSError:
            return


@contextmanager
def _interrupts_blocked() -> Generator[None]:
    """A process that begins within does not see Ctrl-C, from its first instruction on.

    What a worker sets itself comes seconds late, after its imports. This process gets the signals
    that come meanwhile afterwards.
    """
    resource_tracker.ensure_running()  # unblocks signals when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Worker:
    """One process; started when first used, replaced when it fails."""

    def __init__(self, target: Target, settings: Settings, backend: str) -> None:
        self._target = target
        self._settings = settings
        self._backend = backend
        self._process: Any = None
        self.connection: Any = None
        self._deadline = float("inf")
        self._compiled = 0

    def start(self, job: Job) -> None:
        """Gives the worker a job."""
        if self._process is None:
            self._spawn()
        loads = job.method in ("compile", "race") and not self._compiled
        loading = _LOADING_S if loads else 0.0
        self._compiled += job.method == "compile"
        self._deadline = time.monotonic() + job.limit_s + loading
        try:
            self.connection.send(job)
        except (BrokenPipeError, OSError):
            self.stop()
            self._spawn()
            self.connection.send(job)

    def _spawn(self) -> None:
        context = multiprocessing.get_context("spawn")
        mine, theirs = multiprocessing.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, self._target, self._settings, self._backend), daemon=True
        )
        with no_script(), _interrupts_blocked():
            self._process.start()
        theirs.close()
        self.connection = mine
        self._compiled = 0

    @property
    def overdue(self) -> bool:
        """True when the present job is past its limit."""
        return time.monotonic() > self._deadline

    def receive(self) -> tuple[str, Any]:
        """The next message: a report, or the result, where a dead process is a `Failure`."""
        try:
            kind, payload = self.connection.recv()
        except (EOFError, OSError):
            self.stop()
            return "result", Failure("crashed", "the worker process died")
        if kind == "result" and self._compiled >= _RECYCLE_AFTER:
            self.stop()
        return kind, payload

    def expire(self) -> Failure:
        """Ends a job that is past its limit."""
        self.stop()
        return Failure("timeout", "the job took too long and was ended")

    def stop(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Pool:
    """A few workers that take jobs in order and give results in order."""

    def __init__(
        self, count: int, target: Target, settings: Settings, backend: str = "cpu"
    ) -> None:
        self.workers = [Worker(target, settings, backend) for _ in range(count)]

    def run(
        self,
        jobs: Sequence[Job],
        *,
        workers: Sequence[Worker] | None = None,
        report: Callable[[int, int], None] | None = None,
    ) -> list[tuple[Any, Worker]]:
        """Runs jobs, each on the next idle worker.

        Args:
            jobs: what to run.
            workers: use only these.
            report: receives what jobs report while they run.

        Returns:
            For each job its result (or a `Failure`) and the worker that had it.
        """
        idle = list(workers or self.workers)
        busy: dict[Worker, int] = {}
        results: list[tuple[Any, Worker] | None] = [None] * len(jobs)
        pending = list(enumerate(jobs))
        while pending or busy:
            while pending and idle:
                index, job = pending.pop(0)
                worker = idle.pop(0)
                worker.start(job)
                busy[worker] = index
            ready = wait([worker.connection for worker in busy if worker.connection], timeout=1.0)
            for worker in list(busy):
                if worker.connection in ready:
                    kind, payload = worker.receive()
                    if kind == "report":
                        if report is not None:
                            report(*payload)
                        if not worker.overdue:
                            continue
                        payload = worker.expire()
                elif worker.overdue:
                    payload = worker.expire()
                else:
                    continue
                results[busy.pop(worker)] = (payload, worker)
                idle.append(worker)
        return [result for result in results if result is not None]

    def close(self) -> None:
        """Ends all workers."""
        for worker in self.workers:
            worker.stop()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
