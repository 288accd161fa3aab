"""The processors that this process may run on, which in a container can be few of the machine's."""

import os


def kept_on() -> list[int]:
    """Numbers of the processors that this process may be kept on; none where the system cannot."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def usable() -> int:
    """How many processors this process may use, at least 1."""
    return len(kept_on()) or os.cpu_count() or 1
