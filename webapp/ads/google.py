"""An ad account at Google Ads, over its REST API: sign-in, sending, paging. What is said: google_wire.py (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from webapp.ads.platform import AccountInfo, CampaignState, Change, DailyInsight
from webapp.secret import Secret

GOOGLE_ADS = "https://googleads.googleapis.com"
TOKEN_URL = "https://oauth2.googleapis.com/token"
VERSION = "v26"


class AccessTokens:
    """Access tokens by refresh token, kept in memory until shortly before they end. Share one among all Google()s of a
    process (the Opener holds it), or each of them asks for a token of its own."""


def accounts(
    credentials: Secret,
    *,
    login_customer_id: str = "",
    base_url: str = GOOGLE_ADS,
    token_url: str = TOKEN_URL,
    version: str = VERSION,
    proxy: str = "",
    tokens: AccessTokens | None = None,
) -> list[AccountInfo]:
    """Every ad account behind a sign-in, also those under its manager accounts; AccountInfo.through is then the
    login_customer_id to reach it with. `credentials` is a JSON {client_id, client_secret, refresh_token}: also
    the test call. Raises PlatformError: TOKEN if Google does not accept the sign-in, or it is no such JSON."""
    raise NotImplementedError


class Google:
    """One ad account, as AdPlatform (platform.py). An empty `base_url`, `version` or `token_url` is the default."""

    def __init__(
        self,
        credentials: Secret,
        external_id: str,
        currency: str,
        login_customer_id: str = "",
        *,
        writable: bool = False,
        base_url: str = GOOGLE_ADS,
        token_url: str = TOKEN_URL,
        version: str = VERSION,
        proxy: str = "",
        tokens: AccessTokens | None = None,
    ) -> None:
        """Ids with or without dashes. Not `writable`: validate and update raise PERMISSION, unasked."""
        raise NotImplementedError

    def campaigns(self) -> Sequence[CampaignState]:
        """All but removed ones."""
        raise NotImplementedError

    def insights(self, since: date, until: date) -> Iterator[DailyInsight]:
        """Days of campaigns, removed ones too: `campaign_id` may be one that campaigns() does not list (read() tells
        of it)."""
        raise NotImplementedError

    def read(self, external_id: str) -> CampaignState:
        raise NotImplementedError

    def validate(self, change: Change) -> None:
        raise NotImplementedError

    def update(self, change: Change) -> str:
        raise NotImplementedError
