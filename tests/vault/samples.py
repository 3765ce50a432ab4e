"""Keys that cost nothing to derive, and a provider key with the shape of a real one."""

from __future__ import annotations

import uuid

from webapp.secret import Secret
from webapp.vault.keyring import Cost, Place, RootKey

CHEAP = Cost(n=2)
DEPLOYMENT = uuid.UUID("11111111-2222-4333-8444-555555555555")
OLD = RootKey.stretch(Secret("the old encryption key"), b"salt", CHEAP)
NEW = RootKey.stretch(Secret("the new encryption key"), b"salt", CHEAP)
OTHER = RootKey.stretch(Secret("an encryption key of somebody else"), b"salt", CHEAP)
A_KEY = Secret("sk-ant-api03-" + "Q7" * 46 + "AA")


def a_place(provider: str = "anthropic") -> Place:
    return Place(uuid.uuid4(), provider, uuid.uuid4())
