"""Signing in at Google with a refresh token: what a person connects an account with, and the access tokens it gives.

developers.google.com/identity/protocols/oauth2/web-server#offline. An access token lives for about an hour; it is kept
in memory only, until shortly before it ends. No developer token: since September 2026 access belongs to the Cloud
project of the OAuth client.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from webapp.ads import google_faults
from webapp.ads.platform import PlatformError, Trouble
from webapp.ads.wire import Form, Wire, answered, patiently
from webapp.secret import Secret

TOKEN_URL = "https://oauth2.googleapis.com/token"
EARLY = 120.0  # seconds before its end that a token is no longer used
PARTS = ("client_id", "client_secret", "refresh_token")
NOT_A_SIGN_IN = "A Google connection is a JSON object with client_id, client_secret and refresh_token, each a text."


@dataclass(frozen=True)
class SignIn:
    """What credentials hold. `name` tells one from another, and none of them."""

    client_id: str
    client_secret: Secret
    refresh_token: Secret
    name: bytes

    @property
    def secrets(self) -> tuple[Secret, ...]:
        return self.client_secret, self.refresh_token

    @property
    def form(self) -> Form:
        return {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "refresh_token": self.refresh_token,
        }


def read_credentials(credentials: Secret) -> SignIn:
    """Raises PlatformError (TOKEN) for what is not a JSON object of the three PARTS."""
    parts = _parts(credentials)
    if not parts:
        raise PlatformError(Trouble.TOKEN, NOT_A_SIGN_IN, code="credentials")
    client_id, client_secret, refresh_token = parts
    name = hashlib.sha256(credentials.expose().encode("utf-8", "surrogatepass")).digest()
    return SignIn(client_id, Secret(client_secret), Secret(refresh_token), name)


def _parts(credentials: Secret) -> list[str]:
    try:
        found = json.loads(credentials.expose())
    except ValueError:
        return []
    parts = [found.get(name) for name in PARTS] if isinstance(found, dict) else []
    written = [part for part in parts if isinstance(part, str) and part]
    return written if len(written) == len(PARTS) else []


class AccessTokens:
    """Access tokens by sign-in, in memory. Share one among all Google()s of a process (the Opener holds it), or each of
    them asks for a token of its own. Two that ask at once get two tokens; both are good."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kept: dict[bytes, tuple[Secret, float]] = {}

    def get(self, sign_in: SignIn, wire: Wire, token_url: str, pause: Callable[[float], None]) -> Secret:
        """Raises PlatformError: TOKEN if Google does not accept the sign-in."""
        token, until = self._kept.get(sign_in.name, (Secret(""), 0.0))
        if not token or self._now() >= until:
            token, until = patiently(lambda: self._refreshed(sign_in, wire, token_url or TOKEN_URL), pause)
            self._kept[sign_in.name] = token, until
        return token

    def forget(self, sign_in: SignIn) -> None:
        """Google did not take the token, though it should still be good."""
        self._kept.pop(sign_in.name, None)

    def _refreshed(self, sign_in: SignIn, wire: Wire, token_url: str) -> tuple[Secret, float]:
        asked = self._now()
        answer = answered(lambda: wire.ask("POST", token_url, form=sign_in.form), write=False)
        error = google_faults.sign_in_failure(answer)
        if error:
            raise error
        body = answer.json()
        lives = body.get("expires_in")
        return Secret(str(body["access_token"])), asked + (lives if isinstance(lives, int) else 0) - EARLY
