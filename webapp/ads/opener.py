"""Opener: the way to the platform behind an account, and the test call of a pasted sign-in. No SQL; HTTP is theirs."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from webapp.accounts import Scope
from webapp.ads import accounts, google, meta
from webapp.ads.accounts import Grant
from webapp.ads.google import Google
from webapp.ads.google_signin import AccessTokens, read_credentials
from webapp.ads.local import LocalPlatform
from webapp.ads.meta import Meta
from webapp.ads.platform import AccountInfo, AdPlatform
from webapp.config import Settings
from webapp.db import Database
from webapp.secret import Secret
from webapp.vault.keyring import Keyring

GOOGLE_SCOPE = "https://www.googleapis.com/auth/adwords"  # the only one there is for the Google Ads API


@dataclass(frozen=True)
class Seen:
    """What a sign-in turned out to be, and the accounts it sees."""

    grant: Grant
    accounts: tuple[AccountInfo, ...]

    @property
    def usable(self) -> tuple[AccountInfo, ...]:
        return tuple(info for info in self.accounts if info.usable)


@dataclass(frozen=True)
class Opener:
    """Opens the platform behind an account, with its token from the vault (the Platforms of platform.py)."""

    database: Database
    keyring: Keyring
    settings: Settings
    tokens: AccessTokens = field(default_factory=AccessTokens)  # Google's: shared, or every call would fetch one

    @property
    def writes(self) -> bool:
        return self.settings.ads_writes

    def open(self, scope: Scope, account_id: uuid.UUID) -> AdPlatform:
        """Raises UserError for a foreign or disconnected account, and for a token that does not open."""
        with self.database.begin() as db:
            account, secret = accounts.reveal(scope, db, self.keyring, account_id)
        writable = account.writable and self.writes
        match account.platform:
            case "meta":
                return self._meta(secret, account.external_id, account.currency, writable)
            case "google":
                return self._google(secret, account.external_id, account.currency, account.through, writable)
            case _:
                return LocalPlatform(self.database, scope, account_id, writable=writable)

    def test_meta(self, token: Secret, *, read_only: bool = False) -> Seen:
        """Ask Meta what a pasted token is and what it sees. Raises PlatformError."""
        url, version, proxy = (
            self.settings.meta_graph_url,
            self.settings.meta_graph_version,
            self.settings.outbound_proxy,
        )
        found = meta.look(token, base_url=url, version=version, proxy=proxy)
        grant = Grant("meta", token, token, found.scopes, found.writable and not read_only, found.expires_at)
        return Seen(grant, tuple(meta.accounts(token, base_url=url, version=version, proxy=proxy)))

    def test_google(self, credentials: Secret, *, login_customer_id: str = "", read_only: bool = False) -> Seen:
        """Sign in at Google and ask what there is. `credentials` is the JSON that google_signin.py reads. Raises
        PlatformError."""
        token = read_credentials(credentials).refresh_token
        found = google.accounts(
            credentials,
            login_customer_id=login_customer_id,
            base_url=self.settings.google_ads_url,
            token_url=self.settings.google_token_url,
            proxy=self.settings.outbound_proxy,
            tokens=self.tokens,
        )
        return Seen(Grant("google", credentials, token, (GOOGLE_SCOPE,), not read_only), tuple(found))

    def _meta(self, token: Secret, external_id: str, currency: str, writable: bool) -> Meta:
        return Meta(
            token,
            external_id,
            currency,
            writable=writable,
            base_url=self.settings.meta_graph_url,
            version=self.settings.meta_graph_version,
            proxy=self.settings.outbound_proxy,
        )

    def _google(self, secret: Secret, external_id: str, currency: str, through: str, writable: bool) -> Google:
        return Google(
            secret,
            external_id,
            currency,
            through,
            writable=writable,
            base_url=self.settings.google_ads_url,
            token_url=self.settings.google_token_url,
            proxy=self.settings.outbound_proxy,
            tokens=self.tokens,
        )
