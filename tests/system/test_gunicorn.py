"""What gunicorn itself promises, below the app: a log without keys, and connections that nobody can hold for ever."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.serving import ROOT, Person, Server, served, wait_for
from webapp.chat.seats import MOST
from webapp.config import Settings

KEY = "sk-ant-api03-canary0123456789abcdef"
SHORT = 1.5  # seconds, in place of minutes

CONFIG = """
from pathlib import Path

exec(compile(Path({conf!r}).read_text(), {conf!r}, "exec"))
STALLED = UPLOAD = {seconds}
ours = post_worker_init


def crash(environ, start_response):
    gevent.spawn(fail, environ["QUERY_STRING"]).join()
    raise RuntimeError(environ["QUERY_STRING"])


def fail(words):
    raise RuntimeError("in a greenlet: " + words)


def big(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (b"x" * 1_000_000 for _ in range(500))


def post_worker_init(worker):
    ours(worker)
    app = worker.wsgi
    paths = {{"/crash": crash, "/big": big}}
    worker.wsgi = lambda environ, start: paths.get(environ["PATH_INFO"], app)(environ, start)
"""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gunicorn") / "stderr.log"


@pytest.fixture(scope="module")
def hasty(settings: Settings, provider: str, log: Path) -> Iterator[Server]:
    """The repository's configuration with short times, a page that crashes and one that has no end."""
    config = log.parent / "gunicorn.conf.py"
    config.write_text(CONFIG.format(conf=str(ROOT / "gunicorn.conf.py"), seconds=SHORT))
    with log.open("wb") as output, served(settings, provider=provider, config=str(config), log=output) as running:
        yield running


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(15)
        client.connect(("127.0.0.1", server.port))
        yield client


def is_closed(client: socket.socket) -> bool:
    """Whether the server has hung up, whatever it said before."""
    try:
        return client.recv(65536) == b""
    except ConnectionResetError:
        return True


def test_a_key_in_a_request_that_crashes_is_in_no_log(hasty: Server, log: Path) -> None:
    assert requests.get(f"{hasty.base}/crash?key={KEY}", timeout=5).status_code == 500
    wait_for(lambda: "Error handling request GET /crash?key=[hidden]" in log.read_text(), 5, "the crash in the log")
    said = log.read_text()
    assert "RuntimeError: key=[hidden]" in said
    assert "in a greenlet: key=[hidden]" in said
    assert "canary" not in said


def test_a_key_in_a_request_that_is_none_is_in_no_log(hasty: Server, log: Path) -> None:
    with connected(hasty) as client:
        client.sendall(f"{KEY}\r\n\r\n".encode())
        assert b" 400 " in client.recv(4096)
    wait_for(lambda: "Invalid request from" in log.read_text(), 5, "the refusal in the log")
    assert "canary" not in log.read_text()


def test_who_does_not_read_loses_the_connection(hasty: Server, log: Path) -> None:
    with connected(hasty) as client:
        client.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(SHORT + 1)
        got = 0
        while piece := client.recv(1 << 20):
            got += len(piece)
    assert got < 100_000_000
    assert "Socket error" not in log.read_text()


def test_a_body_that_does_not_come_is_not_waited_for(hasty: Server) -> None:
    head = b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    with connected(hasty) as client:
        client.sendall(head + b"Content-Length: 4000\r\n\r\nemail=")
        began = time.monotonic()
        for _ in range(30):  # a byte now and then is no progress
            time.sleep(0.1)
            try:
                client.sendall(b"a")
            except OSError:
                break
        while not is_closed(client):
            pass
    assert time.monotonic() - began < SHORT + 4


def test_one_person_has_so_many_streams_and_the_newest_ones(server: Server, alice: Person) -> None:
    turn_id = alice.ask(server, "Hello [[sim tokens=20000 delay=20]]")
    url = f"{server.base}/chat/turns/{turn_id}/stream"
    replies = [alice.session.get(url, stream=True, timeout=10) for _ in range(MOST + 3)]
    try:
        for gone in replies[:3]:
            said = b"".join(gone.iter_content(None)).decode()
            assert "too many windows" in said
            assert said.rstrip().endswith(f'"#turn-{turn_id}-live" hx-swap="delete"></hx-partial>')
        for there in replies[3:]:
            assert next(there.iter_content(None))
    finally:
        for each in replies:
            each.close()
    alice.post(server, f"/chat/turns/{turn_id}/stop")
