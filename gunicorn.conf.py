"""How gunicorn serves us: the settings that streaming needs, each with its reason, the worker that drains and keeps
time, and the log that holds no key.

Draining: on SIGTERM (stop, deploy) and HUP (reload) a worker stops accepting, lets its running turns finish within the
grace period, marks the rest interrupted, and leaves. Its own deadline is earlier than the arbiter's, which ends a late
worker with SIGKILL, so that nothing is written down. On SIGINT and SIGQUIT there is no grace.

Time: whoever sends a request or reads an answer so slowly that nothing seems to happen loses the connection, which
others need. A proxy in front that takes in requests whole does this better; nobody is told to rely on one.
"""

import os
import resource
import sys
import time
from pathlib import Path

import gevent
from gunicorn.glogging import Logger
from gunicorn.workers.ggevent import GeventWorker

from webapp.secret import RedactedStream, Redactor

REDACTOR = Redactor()
STALLED = 60.0  # seconds in which a chunk must be taken by its reader, or more of a body must come
UPLOAD = 300.0  # seconds for a whole body: 20 MB at half a megabit
MARGIN = 5.0  # seconds between our own deadline and the arbiter's SIGKILL
NO_GRACE = 1.0  # seconds: enough to write "interrupted" beside each running turn
WATCH = 0.2  # seconds between two looks at `alive`; signal handlers only set flags


class DrainWorker(GeventWorker):
    """gunicorn's gevent worker waits for connections; this one also waits for turns, which need none."""

    def run(self):
        drained = gevent.spawn(self.drain_when_told)
        super().run()  # serves; then stops accepting, and returns when the last connection has ended
        while not drained.ready():
            self.notify()
            gevent.sleep(WATCH)

    def handle_request(self, listener_name, req, sock, addr):
        sock.settimeout(STALLED)
        body = req.body = InTime(req.body)
        try:
            super().handle_request(listener_name, req, sock, addr)
        except TimeoutError:
            self.log.debug("Closing connection: its reader does not read.")
            raise StopIteration from None
        if body.late:
            raise StopIteration  # gunicorn then closes the connection

    def drain_when_told(self):
        while self.alive:
            gevent.sleep(WATCH)
        self.drain(self.cfg.graceful_timeout - MARGIN)

    def drain(self, seconds):
        if not self.booted:  # told to stop before it began: no app yet
            return
        runner = self.wsgi.extensions["parts"].runner
        started = time.monotonic()
        self.log.info("Worker %s drains: at most %.0f s", self.pid, seconds)
        runner.drain(seconds)
        self.log.info("Worker %s drained in %.1f s", self.pid, time.monotonic() - started)

    def handle_quit(self, sig, frame):
        gevent.spawn(self.quit, sig, frame)  # a signal handler must not wait

    def quit(self, sig, frame):
        self.drain(NO_GRACE)
        super().handle_quit(sig, frame)


class InTime:
    """A request's body, of which nothing more comes after UPLOAD seconds: reading then raises TimeoutError, which
    Flask takes for a client that went away."""

    def __init__(self, body):
        self.late = False
        self._body = body
        self._ends = time.monotonic() + UPLOAD

    def read(self, size=None):
        return self._in_time(self._body.read, size)

    def readline(self, size=None):
        return self._in_time(self._body.readline, size)

    def readlines(self, size=None):
        return self._in_time(self._body.readlines, size)

    def __iter__(self):
        return iter(self.readline, b"")

    def _in_time(self, read, size):
        left = max(0.0, self._ends - time.monotonic())
        try:
            with gevent.Timeout(left, TimeoutError("The body took too long.")):
                return read(size)
        except TimeoutError:
            self.late = True
            raise


class RedactedLogger(Logger):
    """gunicorn's loggers hand nothing on to the root logger, where the app's redactor stands: so it stands here, too.
    What they tell holds addresses, headers and tracebacks of requests."""

    def setup(self, cfg):
        super().setup(cfg)
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            handler.addFilter(REDACTOR)


def on_starting(server):
    """A stream holds two descriptors, to its reader and to its provider: the usual limit of 1,024 is too low."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY else 65536, hard))


def post_worker_init(worker):
    """Each worker process has its own runner, started after the fork: greenlets and connections do not survive one.
    The traceback of a greenlet that fails goes past all logging."""
    gevent.get_hub().exception_stream = RedactedStream(sys.stderr)
    worker.wsgi.extensions["parts"].runner.start()


bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"

logger_class = RedactedLogger

# A streamed answer holds its connection for minutes: greenlets, not threads.
worker_class = DrainWorker

# One process uses one core. Two at least, so that a deploy and a crash never leave nobody serving.
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))

# Each open stream holds a slot; at least twice the streams one worker is meant to carry.
worker_connections = 1000

# Watches that the worker's hub turns, not how long a request takes: a stream may run for an hour.
timeout = 30

# The longest an answer may go on after SIGTERM. The supervisor's own limit (TimeoutStopSec) must be larger.
graceful_timeout = 65

# Also the limit for reading a request's headers, so never 0. Short, because a drain waits for idle connections too.
keepalive = 5

# A worker that restarts itself cuts its streams. Deploys restart often enough.
max_requests = 0

# gevent must patch before the app imports ssl, and HUP must load new code: both need the app in the worker only.
preload_app = False

# HTTP/2 in this worker serves the streams of one connection one after another. The proxy in front speaks it instead.
http_protocols = "h1"

# gunicorn 27 opens a control socket in the home directory otherwise.
control_socket_disable = True

# Whose X-Forwarded-* headers count. The app itself trusts only TRUSTED_PROXIES hops.
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")

# The heartbeat file must not wait for a slow disk.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None
