"""A sign-in on its way through the form in which a person chooses accounts: sealed, so that no page holds a token.

Between "test" and "choose" nothing is kept here. The sealed sign-in travels in the form and opens for the same person
in the same workspace, for an hour or two, and nowhere else (keyring.Place).
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

from webapp.accounts import Scope
from webapp.secret import Secret
from webapp.vault.keyring import Keyring, Place, SealError

HOUR = 3600
LONGEST = 20_000  # characters


def seal(scope: Scope, keyring: Keyring, platform: str, secret: Secret, now: float) -> str:
    """`now` is seconds since the epoch."""
    return urlsafe_b64encode(keyring.seal(secret, _place(scope, platform, int(now) // HOUR))).decode()


def unseal(scope: Scope, keyring: Keyring, platform: str, text: str, now: float) -> Secret | None:
    """None for what is not ours, not theirs, or too old."""
    try:
        sealed = urlsafe_b64decode(text[:LONGEST].encode())
    except ValueError:
        return None
    hour = int(now) // HOUR
    for place in (_place(scope, platform, hour), _place(scope, platform, hour - 1)):
        try:
            return keyring.open(sealed, place)
        except SealError:
            continue
    return None


def _place(scope: Scope, platform: str, hour: int) -> Place:
    return Place(scope.workspace_id, f"ads:{platform}:choosing", scope.user_id, str(hour))
