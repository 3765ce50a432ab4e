"""Starts the simulator as a process of its own, for every test that needs a provider."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
_GRACE = 5.0  # seconds to end after SIGTERM


def start_simulator(*, first: float = 0, delay: float = 0) -> tuple[str, Callable[[], int]]:
    """Returns its base URL and a function that ends it and gives its exit status.

    `first` and `delay` are the milliseconds before an answer and for each of its tokens; a message's directives win.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator", "--port", "0", "--first", str(first), "--delay", str(delay)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if "listening on " not in line:
        process.kill()
        raise RuntimeError(f"the simulator did not start: {line!r}, status {process.wait()}")

    def stop() -> int:
        process.terminate()
        try:
            return process.wait(_GRACE)
        finally:
            process.kill()
            process.stdout.close()

    return line.rsplit(" ", 1)[-1].strip(), stop
