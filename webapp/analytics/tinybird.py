"""The other engine: the same pipes, deployed to Tinybird (ClickHouse), asked over HTTP.

Each call carries a token of its own: a JWT of sixty seconds, signed with the workspace's admin token, that may read one
pipe and fixes `workspace_id` in it, so that no parameter can reach another workspace's rows, whatever we send. The
admin token signs; it is never sent (tinybird.co/docs/forward/core-concepts/jwt).

`GET /v0/pipes/NAME.json?param=...` answers {meta, data, rows, statistics}, or {"error": "..."} with 400 (a parameter),
403 (the token), 404 (the pipe), 408 (too slow), 429 (too many) or 5xx (tinybird.co/docs/api-reference/pipe-api).
"""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from webapp.analytics.answers import PipeRefused
from webapp.analytics.catalogue import Pipe
from webapp.analytics.compiler import TENANT
from webapp.analytics.local import TIMEOUT, too_slow
from webapp.config import Settings
from webapp.secret import Secret, scrub

LIVES = 60  # seconds that a token is good for
LONGEST = 20 * 1024 * 1024  # bytes of an answer


def engine(settings: Settings) -> Tinybird | None:
    """The engine that the operator has set up; None: our own database answers."""
    if settings.tinybird_token is None:
        return None
    return Tinybird(
        settings.tinybird_host, settings.tinybird_token, settings.tinybird_workspace_id, settings.outbound_proxy
    )


def _session() -> requests.Session:
    """It asks no environment: a .netrc would replace our token, HTTPS_PROXY read it."""
    session = requests.Session()
    session.trust_env = False
    return session


@dataclass(frozen=True)
class Tinybird:
    """`host` as in https://api.tinybird.co, `workspace` is Tinybird's own id of the workspace the pipes are in."""

    host: str
    token: Secret
    workspace: str
    proxy: str = ""
    timeout: float = TIMEOUT
    clock: Callable[[], float] = time.time
    name: str = "tinybird"
    _session: requests.Session = field(default_factory=_session, repr=False, compare=False)

    def rows(self, pipe: Pipe, values: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Raises PipeRefused."""
        tenant = str(values[TENANT])
        params = {name: str(value) for name, value in values.items() if name != TENANT and value is not None}
        try:
            with self._session.get(
                f"{self.host.rstrip('/')}/v0/pipes/{pipe.name}.json",
                params=params,
                headers={"Authorization": f"Bearer {self.pass_for(pipe.name, tenant)}"},
                timeout=self.timeout,
                allow_redirects=False,
                proxies={"http": self.proxy, "https": self.proxy} if self.proxy else None,
                stream=True,
            ) as answer:
                body = answer.raw.read(LONGEST + 1, decode_content=True)
                return self._read(pipe, answer.status_code, answer.headers, body)
        except requests.Timeout:
            raise too_slow(pipe, self.timeout) from None
        except (requests.RequestException, HTTPError, OSError):  # HTTPError: while reading past requests
            raise PipeRefused("Analytics cannot be reached right now.", "Try again in a minute.", status=502) from None

    def pass_for(self, pipe: str, tenant: str) -> str:
        """A JWT that reads this pipe for this tenant, and nothing else."""
        claims = {
            "workspace_id": self.workspace,
            "name": f"pipe {pipe}",
            "exp": int(self.clock()) + LIVES,
            "scopes": [{"type": "PIPES:READ", "resource": pipe, "fixed_params": {TENANT: tenant}}],
        }
        head = _part({"alg": "HS256", "typ": "JWT"})
        signed = f"{head}.{_part(claims)}"
        seal = hmac.digest(self.token.expose().encode(), signed.encode(), "sha256")
        return f"{signed}.{_coded(seal)}"

    def _read(self, pipe: Pipe, status: int, headers: Mapping[str, str], body: bytes) -> list[dict[str, Any]]:
        if status != 200:
            raise self._refusal(pipe, status, headers, body)
        try:
            data = json.loads(body)["data"] if len(body) <= LONGEST else None
        except (ValueError, KeyError, TypeError, RecursionError):
            data = None
        if not isinstance(data, list):
            raise PipeRefused("Analytics gave an answer we cannot read.", "Ask for less, or try again.", status=502)
        return data

    def _refusal(self, pipe: Pipe, status: int, headers: Mapping[str, str], body: bytes) -> PipeRefused:
        match status:
            case 400:
                return PipeRefused(f"{pipe.name} was not understood.", self._said(body))
            case 401 | 403:
                return PipeRefused(
                    "Tinybird does not accept our token.", "The operator can check TINYBIRD_TOKEN.", status=502
                )
            case 404:
                return PipeRefused(
                    f"{pipe.name} is not deployed at Tinybird.", "The operator can run tb deploy.", status=502
                )
            case 408:
                return too_slow(pipe, self.timeout)
            case 429:
                seconds = headers.get("Retry-After", "")
                when = f"in {seconds} seconds" if seconds.isdecimal() else "in a minute"
                return PipeRefused("Tinybird gets too many questions.", f"Ask again {when}.", status=429)
            case _:
                return PipeRefused(f"Tinybird failed ({status}).", f"{self._said(body)} Try again.".strip(), status=502)

    def _said(self, body: bytes) -> str:
        """Tinybird's own sentence, without anything of ours in it."""
        try:
            said = json.loads(body)["error"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return ""
        sentence = scrub(" ".join(str(said).split()), self.token)[:300].rstrip(".")
        return f"{sentence}." if sentence else ""


def _part(claims: Mapping[str, Any]) -> str:
    return _coded(json.dumps(claims, separators=(",", ":")).encode())


def _coded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
