"""Passwords: which are refused, how they are hashed and checked. Where the hash is kept: people.py.

Argon2id with OWASP's parameters (19 MiB, 2 passes, 1 lane; about 40 ms), kept as a PHC string. It runs in gevent's
thread pool so that streams keep flowing, and at most two at once, so that a burst of sign-ins takes 40 MiB, not 400.
Hash outside a database transaction: the wait for a turn must not hold a connection.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import gevent
from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from gevent.lock import BoundedSemaphore

Result = TypeVar("Result")

SHORTEST, LONGEST = 12, 200  # characters
MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1
PARAMETERS = f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$"

# The hash of a random password that was thrown away: checking it takes as long as checking a real one.
NOBODY = PARAMETERS + "iqGH0ue7efnnNmnlcPeGqw$2DZKh2jW/Pj/svcSOeQ2n7QkjtP/08OsOBzWpLSdw2I"

# The commonest passwords that are long enough to pass the length rule (shorter ones are refused anyway).
COMMON = frozenset((Path(__file__).parent / "common_passwords.txt").read_text().split())

_turn = BoundedSemaphore(2)


def problem(password: str, email: str = "") -> str:
    """Why the password is refused, as a sentence for its field; "" if it is fine."""
    plain = _normal(password)
    folded = plain.lower()
    if len(plain) < SHORTEST:
        return f"Use at least {SHORTEST} characters. Three or four unrelated words work well."
    if len(plain) > LONGEST:
        return f"Use at most {LONGEST} characters."
    if folded in COMMON or len(set(folded)) < 5:
        return "This is one of the first passwords an attacker tries. Choose another."
    if email and email.lower() in folded:
        return "It contains your email address. Choose another."
    return ""


def hashed(password: str) -> str:
    """The PHC string to keep for a password."""
    return _off_the_hub(lambda: _argon2id().derive_phc_encoded(_normal(password).encode()))


def fits(password: str, phc: str | None) -> bool:
    """Whether the password belongs to the PHC string. Without one (nobody by that email): False, after as long."""
    matches = _off_the_hub(lambda: _verify(_normal(password)[: LONGEST + 1].encode(), phc or NOBODY))
    return matches and phc is not None


def outdated(phc: str) -> bool:
    """Whether it was made with other parameters than today's: hash again at the next sign-in."""
    return not phc.startswith(PARAMETERS)


def _argon2id() -> Argon2id:
    return Argon2id(salt=os.urandom(16), length=32, iterations=PASSES, lanes=LANES, memory_cost=MEMORY_KIB)


def _verify(password: bytes, phc: str) -> bool:
    try:
        Argon2id.verify_phc_encoded(password, phc)
    except InvalidKey:
        return False
    return True


def _normal(password: str) -> str:
    """The same password typed on another keyboard (NIST SP 800-63B 5.1.1.2: NFKC before hashing)."""
    return unicodedata.normalize("NFKC", password)


def _off_the_hub(work: Callable[[], Result]) -> Result:
    with _turn:
        result: Result = gevent.get_hub().threadpool.apply(work)
    return result
