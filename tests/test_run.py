"""`make run` for real: the first start, the page, the demo's sign-in, Ctrl-C, and a second start that keeps it all."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[1]
SECOND_START = 5.0  # seconds, on a machine that has nothing else to do


@dataclass
class Started:
    """A `dev.py` that has printed its box."""

    process: subprocess.Popen[str]
    port: int
    seconds: float
    said: str

    def family(self) -> list[psutil.Process]:
        return [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]

    def sign_in(self) -> tuple[str, str]:
        """Email and password as they stand in the box."""
        found = re.search(r"Sign in +(\S+)\n +Password +(\S+)", self.said)
        assert found, self.said
        return found[1], found[2]


@pytest.fixture
def instance() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="run-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "instance"


def allowed(seconds: float) -> float:
    """More on a machine that is busy with other things: in proportion to the processes that wait for each core."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port: int = server.getsockname()[1]
        return port


def launch(instance: Path, port: int) -> subprocess.Popen[str]:
    env = {**os.environ, "INSTANCE_DIR": str(instance), "PORT": str(port), "HOST": "127.0.0.1"}
    command = [sys.executable, "-W", "ignore:XDG_RUNTIME_DIR", "dev.py"]
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def start(instance: Path, port: int) -> Started:
    began, said = time.monotonic(), ""
    process = launch(instance, port)
    assert process.stdout
    for line in process.stdout:
        said += line
        if "Ctrl-C" in line:
            return Started(process, port, time.monotonic() - began, said)
    raise AssertionError(f"it ended with {process.wait()}: {said}")


def stop(started: Started, number: signal.Signals) -> None:
    family = started.family()
    assert len(family) >= 6  # itself, PostgreSQL, the simulator, gunicorn and two workers
    started.process.send_signal(number)
    assert started.process.wait(30) == 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


def get(port: int, path: str, cookie: str = "") -> http.client.HTTPResponse:
    return request(port, "GET", path, {"Cookie": cookie}, "")


def request(port: int, method: str, path: str, headers: dict[str, str], body: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body, headers)
    return connection.getresponse()


def signed_in(started: Started) -> str:
    """The cookie, after signing in as the box says."""
    email, password = started.sign_in()
    form = urlencode({"email": email, "password": password})
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = request(started.port, "POST", "/sign-in", kind, form)
    assert reply.status == 303
    return reply.headers["Set-Cookie"].partition(";")[0]


def test_first_start_sign_in_ctrl_c_and_a_second_start_that_keeps_everything(instance: Path) -> None:
    port = free_port()
    first = start(instance, port)
    cookie = signed_in(first)
    page = get(port, "/chat", cookie)
    assert page.status == 200
    assert "Demo" in page.read().decode()
    kept = {name: (instance / name).read_text() for name in ("encryption.key", "demo.txt")}
    for name in kept:
        assert stat.S_IMODE((instance / name).stat().st_mode) == 0o600
    stop(first, signal.SIGINT)

    second = start(instance, port)
    assert second.sign_in() == first.sign_in()
    assert get(port, "/chat", cookie).status == 200, "who was signed in still is"
    assert {name: (instance / name).read_text() for name in kept} == kept
    stop(second, signal.SIGTERM)
    assert second.seconds < allowed(SECOND_START)


def test_a_second_one_beside_a_running_one_says_so_and_leaves_it_alone(instance: Path) -> None:
    port = free_port()
    running = start(instance, port)
    beside = launch(instance, port)
    said, _ = beside.communicate(timeout=30)
    assert beside.returncode == 1
    assert said == f"It already runs at http://127.0.0.1:{port} (process {running.process.pid}). Stop that one first.\n"
    assert get(port, "/sign-in").status == 200
    stop(running, signal.SIGINT)


def test_killed_outright_it_leaves_nobody_behind_and_starts_again(instance: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux tells children that their parent was killed")
    port = free_port()
    first = start(instance, port)
    family = first.family()
    first.process.kill()
    first.process.wait()
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []
    stop(start(instance, port), signal.SIGINT)


def test_a_port_in_use_is_told_in_one_sentence(instance: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        process = launch(instance, port)
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert said == f"Port {port} on 127.0.0.1: Address already in use. Choose another: PORT=8010 make run\n"


def test_a_port_that_is_none_is_told_in_one_sentence(instance: Path) -> None:
    process = launch(instance, 0)
    said, _ = process.communicate(timeout=30)
    assert (process.returncode, said) == (1, "PORT must be a number from 1 to 65535.\n")
