"""The models of a key, as its provider lists them: asked for, and kept for the picker."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from webapp.accounts import Scope
from webapp.chat import picker
from webapp.db import Database
from webapp.errors import UserError
from webapp.llm.client import Client
from webapp.llm.errors import ProviderError
from webapp.llm.models import RemoteModel
from webapp.llm.providers import Provider, at
from webapp.vault import byok
from webapp.vault.byok import KeyRef
from webapp.vault.keyring import Keyring

logger = logging.getLogger(__name__)

FREE: Mapping[str, Any] = dict.fromkeys(("price_in", "price_out", "cache_read", "cache_write"), 0.0)  # a demo's price


@dataclass(frozen=True)
class ModelLists:
    """Asks providers what their keys may use."""

    database: Database
    keyring: Keyring
    client: Client
    providers: Mapping[str, Provider]

    def fetch(self, scope: Scope, key: KeyRef) -> None:
        """Ask the key's provider for its models now. On failure the old list stays in use; a key that may not list
        models and has no list yet gets the one model that its provider's keys are tested with."""
        provider = at(self.providers[key.provider], key.base_url)
        found = self._asked(scope, key, provider)
        usual = [RemoteModel(provider.probe_model)] if provider.probe_model else []
        with self.database.begin() as db:
            if found or not picker.has_list(db, key.id):
                picker.keep_list(scope, db, key.id, provider.slug, found or usual)
            else:
                picker.keep_old_list(db, key.id)

    def _asked(self, scope: Scope, key: KeyRef, provider: Provider) -> list[RemoteModel]:
        """Nothing where the provider does not tell, or the key is gone."""
        try:
            with self.database.begin() as db:
                secret = byok.reveal(scope, db, self.keyring, key.id, key.base_url)
            found = [m for m in self.client.models(provider, secret) if m.id.startswith(provider.model_prefix)]
        except (ProviderError, UserError) as error:
            logger.info("the model list of %s was not refreshed: %s", key.provider, error)
            return []
        return [replace(model, **FREE) for model in found] if provider.demo else found
