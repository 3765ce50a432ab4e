"""The only code that opens a connection to an ad platform. It sends, keeps time and reads; what is said is others'.

A session holds no token, follows no redirect and inherits nothing from the environment; secrets join a request as it
is sent, in a header or a body, never in a URL.

Whether a request left us is what decides after a failure. One that did not (NotSent) has changed nothing. One that did
and got no answer (NoAnswer) may have changed something: a read is repeated, a write is read back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar

import requests
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError

from webapp.ads.answer import Answer
from webapp.ads.platform import PlatformError, Trouble
from webapp.secret import Secret, scrub

CONNECT = 10.0  # seconds
SILENCE = 60.0  # seconds without a byte
TOTAL = 120.0  # seconds for one answer
LONGEST = 64 * 1024 * 1024  # bytes of an answer; Google's pages of 10,000 rows are about 6 MB
PIECE = 64 * 1024
PATIENCE = 60.0  # seconds after which a read is not tried again

Form = Mapping[str, str | Secret]
T = TypeVar("T")


class NotSent(Exception):
    """No connection: nothing was asked. The message is fit for a person."""


class NoAnswer(Exception):
    """It was asked, and no whole answer came. The message is fit for a person."""


class Wire:
    """A way to one platform. Makes no second try of its own."""

    def __init__(self, name: str, proxy: str = "", *, silence: float = SILENCE, total: float = TOTAL) -> None:
        """`name` is the platform's, for messages; the limits are seconds."""
        self._name = name
        self._silence = silence
        self._total = total
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._session.proxies = {"http": proxy, "https": proxy} if proxy else {}

    def ask(
        self,
        method: str,
        url: str,
        *,
        bearer: Secret | None = None,
        query: Mapping[str, str] | None = None,
        form: Form | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Any status is an answer. `body` goes as JSON, `form` URL-encoded. Raises NotSent, NoAnswer."""
        sent = dict(headers or {})
        if bearer:
            sent["Authorization"] = f"Bearer {bearer.expose()}"
        until = time.monotonic() + self._total
        try:
            with self._session.request(
                method,
                url,
                params=query,
                data=_exposed(form) if form is not None else None,
                json=body,
                headers=sent,
                timeout=(CONNECT, self._silence),
                allow_redirects=False,
                stream=True,
            ) as response:
                return Answer(response.status_code, response.headers, self._read(response, until))
        except (requests.RequestException, HTTPError, UnicodeError) as error:
            failure = self._failure(error)
        raise failure  # out here, so that it does not carry the request, and with it the token, along

    def _read(self, response: requests.Response, until: float) -> bytes:
        pieces, length = [], 0
        for piece in response.iter_content(PIECE):
            pieces.append(piece)
            length += len(piece)
            if length > LONGEST or time.monotonic() > until:
                raise requests.ConnectionError("the answer does not end")
        return b"".join(pieces)

    def _failure(self, error: Exception) -> NotSent | NoAnswer:
        if _never_left(error):
            return NotSent(f"{self._name} could not be reached. Check the network or the proxy, then try again.")
        return NoAnswer(f"{self._name} did not answer in time, or the connection broke off.")


def _exposed(form: Form) -> dict[str, str]:
    return {name: value.expose() if isinstance(value, Secret) else value for name, value in form.items()}


def _never_left(error: Exception) -> bool:
    """No connection was made. (TLS failures and refusing proxies are among them.)"""
    refused = (requests.ConnectTimeout, requests.exceptions.ProxyError, requests.exceptions.SSLError, UnicodeError)
    if isinstance(error, refused):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError | NameResolutionError)


def patiently(ask: Callable[[], T], pause: Callable[[float], None]) -> T:
    """What `ask`, a read, gives, after up to three more tries where a platform stumbled. Raises PlatformError."""
    began = time.monotonic()
    for wait in (0.5, 1.0, 2.0):
        try:
            return ask()
        except PlatformError as error:
            stumbled = error.trouble in (Trouble.TRANSIENT, Trouble.UNREACHABLE)
            if not stumbled or time.monotonic() - began > PATIENCE:
                raise
        pause(wait)
    return ask()


def answered(ask: Callable[[], Answer], *, write: bool) -> Answer:
    """An answer, or what its lack means: for a write without one, that nobody knows. Raises PlatformError."""
    try:
        return ask()
    except NotSent as error:
        raise PlatformError(Trouble.UNREACHABLE, str(error)) from None
    except NoAnswer as error:
        raise PlatformError(Trouble.UNKNOWN_OUTCOME if write else Trouble.UNREACHABLE, str(error)) from None


def unsure(error: PlatformError) -> PlatformError:
    """An error as the answer to a write: where the platform stumbled, nobody knows what became of it."""
    stumbled = error.trouble in (Trouble.TRANSIENT, Trouble.UNREACHABLE)
    return _copy(error, Trouble.UNKNOWN_OUTCOME if stumbled else error.trouble, error.message)


def without(error: PlatformError, secrets: Iterable[Secret]) -> PlatformError:
    """The error without secrets that the platform quoted."""
    return _copy(error, error.trouble, scrub(error.message, *secrets))


def _copy(error: PlatformError, trouble: Trouble, message: str) -> PlatformError:
    return PlatformError(trouble, message, code=error.code, retry_after=error.retry_after, request_id=error.request_id)
