"""A provider made of a socket and a script: each test writes exactly the bytes it wants heard, when it wants."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BufferedReader
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from webapp.llm.providers import ANTHROPIC, Provider

OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"


@dataclass
class Request:
    line: str
    headers: dict[str, str]
    body: bytes
    connection: int  # counts the connections of the test


@dataclass
class Line:
    """One connection, as the script sees it."""

    socket: socket.socket
    reader: BufferedReader
    request: Request

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def chunks(self, pieces: Iterable[bytes], *, every: float = 0.0) -> None:
        for piece in pieces:
            self.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            time.sleep(every)

    def reset(self) -> None:
        """Hang up so that the peer reads ECONNRESET."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.reader.close()
        self.socket.close()

    def closed_by_peer(self, within: float) -> float | None:
        """Seconds until the other side closed, None if it did not."""
        began = time.monotonic()
        self.socket.settimeout(within)
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return None
        except ConnectionError:
            pass
        return time.monotonic() - began


Script = Callable[[Line], None]


@dataclass
class Upstream:
    """Serves `script` once per request, on as many connections as come; over TLS if it has a certificate."""

    script: Script
    certificate: Path | None = None
    address: str = "127.0.0.1"
    requests: list[Request] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)  # asked for in the TLS handshake

    def __enter__(self) -> Upstream:
        self._server = socket.create_server((self.address, 0))
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.close()
        for connection in self._open:
            connection.close()

    @property
    def url(self) -> str:
        host, port = self._server.getsockname()
        return f"{'https' if self.certificate else 'http'}://{host}:{port}"

    @property
    def port(self) -> int:
        return int(self._server.getsockname()[1])

    @property
    def provider(self) -> Provider:
        return Provider(**{**vars(ANTHROPIC), "base_url": self.url})

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection, len(self._open)), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            context.sni_callback = lambda _socket, name, _context: self.names.append(name)
            try:
                connection = context.wrap_socket(connection, server_side=True)
            except OSError:
                return
        reader = connection.makefile("rb")
        try:
            while request := _read_request(reader, number):
                self.requests.append(request)
                self.script(Line(connection, reader, request))
                if connection.fileno() < 0:
                    return
        except OSError:
            return
        finally:
            reader.close()


def _read_request(reader: BufferedReader, number: int) -> Request | None:
    line = reader.readline().decode("latin-1").strip()
    if not line:
        return None
    headers: dict[str, str] = {}
    while raw := reader.readline().decode("latin-1").strip():
        name, _, value = raw.partition(":")
        headers[name.lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", 0)))
    return Request(line, headers, body, number)


def close(line: Line) -> None:
    """End the connection so that the peer sees it, though the reader of requests still holds the socket."""
    line.socket.shutdown(socket.SHUT_RDWR)
    line.socket.close()


def whole(body: bytes, head: bytes = OK) -> bytes:
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


def answer(status: int, body: bytes, content_type: str = "application/json", extra: str = "") -> bytes:
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\n{extra}".encode()
    return whole(body, head)


def self_signed(path: Path, host: str = "") -> Path:
    """A certificate for 127.0.0.1, or for a host name, and its key, written to `path`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host or "127.0.0.1")])
    subject: x509.GeneralName = x509.DNSName(host) if host else x509.IPAddress(ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([subject]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )
    return path
