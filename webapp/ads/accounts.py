"""The ad accounts of a workspace: connect, open, disconnect. What is in them: sync.py, reports.py."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from webapp.accounts import Scope
from webapp.ads.platform import AdPlatform
from webapp.db import Database
from webapp.errors import not_found
from webapp.vault.keyring import Keyring


@dataclass(frozen=True)
class Opener:
    """Opens the platform behind an account, with its token from the vault (the Platforms of platform.py)."""

    database: Database
    keyring: Keyring
    proxy: str = ""
    writes: bool = True  # False: ADS_WRITES=off

    def open(self, scope: Scope, account_id: uuid.UUID) -> AdPlatform:
        """Raises UserError for a foreign or disconnected account."""
        raise not_found()
