"""An ad account at Meta, over HTTP: how it is asked, how often, how fast. What the answers mean: meta_wire.py (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from webapp.ads.platform import AccountInfo, CampaignState, Change, DailyInsight
from webapp.secret import Secret

GRAPH = "https://graph.facebook.com"
VERSION = "v26.0"


@dataclass(frozen=True)
class Token:
    """What Meta says of a token. `expires_at` None: never. `writable`: it may change campaigns (ads_management)."""

    scopes: tuple[str, ...]
    expires_at: datetime | None
    writable: bool
    kind: str = ""  # SYSTEM_USER, USER ...
    app_id: str = ""


def look(
    token: Secret, *, base_url: str = GRAPH, version: str = VERSION, app_secret: Secret | None = None, proxy: str = ""
) -> Token:
    """Ask Meta what a pasted token is. Raises PlatformError: TOKEN if it is dead, PERMISSION if it may not read ads."""
    raise NotImplementedError


def accounts(
    token: Secret, *, base_url: str = GRAPH, version: str = VERSION, app_secret: Secret | None = None, proxy: str = ""
) -> list[AccountInfo]:
    """Every ad account the token sees, ids without `act_`. Raises PlatformError."""
    raise NotImplementedError


class Meta:
    """One ad account, as AdPlatform (platform.py). An empty `base_url` or `version` is the default."""

    def __init__(
        self,
        token: Secret,
        external_id: str,
        currency: str,
        *,
        writable: bool = False,
        base_url: str = GRAPH,
        version: str = VERSION,
        app_secret: Secret | None = None,
        proxy: str = "",
    ) -> None:
        """`external_id` with or without `act_`. Not `writable`: validate and update raise PERMISSION, unasked.
        `warnings` holds what Meta said about the API version we speak, for the operator."""
        raise NotImplementedError

    def campaigns(self) -> Sequence[CampaignState]:
        """All but deleted ones."""
        raise NotImplementedError

    def insights(self, since: date, until: date) -> Iterator[DailyInsight]:
        """Days of campaigns, deleted ones too: `campaign_id` may be one that campaigns() does not list (read() tells
        of it). Windows of 30 days. Raises THROTTLED between windows at 95 % of the limit; what was yielded holds."""
        raise NotImplementedError

    def read(self, external_id: str) -> CampaignState:
        raise NotImplementedError

    def validate(self, change: Change) -> None:
        raise NotImplementedError

    def update(self, change: Change) -> str:
        raise NotImplementedError
