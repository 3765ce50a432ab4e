"""Processor time and memory of processes, and percentiles. Reads what the system counts; changes nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Group:
    """Processes that are measured together."""

    pids: tuple[int, ...]

    @staticmethod
    def children_of(pid: int) -> Group:
        return Group(tuple(child.pid for child in psutil.Process(pid).children()))

    @staticmethod
    def tree(pid: int) -> Group:
        return Group((pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))))

    def cpu(self) -> float:
        """Seconds of processor time so far, user and system."""
        times = [psutil.Process(pid).cpu_times() for pid in self.pids if psutil.pid_exists(pid)]
        return float(sum(time.user + time.system for time in times))

    def memory(self) -> float:
        """Bytes that would be free again without these processes (unique set size)."""
        return float(sum(psutil.Process(pid).memory_full_info().uss for pid in self.pids))


def busy() -> float:
    """Seconds of processor time of the whole machine so far."""
    times = psutil.cpu_times()
    return float(times.user + times.system + times.nice + getattr(times, "softirq", 0.0))


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of the values do not exceed; 0 without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
