"""An ad account at Meta: what is asked of it. How it is asked: meta_graph.py; what answers mean: meta_wire.py."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from webapp.ads import meta_wire
from webapp.ads.meta_graph import GRAPH, VERSION, VERSION_ENDS, Graph
from webapp.ads.platform import (
    AccountInfo,
    CampaignState,
    Change,
    DailyInsight,
    PlatformError,
    Trouble,
)
from webapp.secret import Secret, scrub

WINDOW = 30  # days asked for at once; halved where even the smallest page is too much


__all__ = ["GRAPH", "VERSION", "VERSION_ENDS", "Meta", "Token", "accounts", "look"]


@dataclass(frozen=True)
class Token:
    """What Meta says of a token. `expires_at` None: never, or not known. `writable`: it has ads_management."""

    scopes: tuple[str, ...]
    expires_at: datetime | None
    writable: bool
    kind: str = ""  # SYSTEM_USER, USER ...
    app_id: str = ""


def look(
    token: Secret,
    *,
    base_url: str = GRAPH,
    version: str = VERSION,
    app_secret: Secret | None = None,
    proxy: str = "",
    pause: Callable[[float], None] = time.sleep,
) -> Token:
    """Ask Meta what a pasted token is. Raises PlatformError: TOKEN if it is dead, PERMISSION if it may not read ads."""
    graph = Graph(token, base_url, version, app_secret, proxy, pause)
    try:
        found = _debugged(graph.look())
    except PlatformError as error:
        if error.trouble not in (Trouble.REFUSED, Trouble.NOT_FOUND, Trouble.PERMISSION):
            raise
        found = _granted(graph.get("me/permissions", {}))  # a token that may not look at itself may list its rights
    if not {"ads_read", "ads_management"} & set(found.scopes):
        raise PlatformError(Trouble.PERMISSION, "The token may not read ads. Make one with the scope ads_read.")
    return found


def accounts(
    token: Secret,
    *,
    base_url: str = GRAPH,
    version: str = VERSION,
    app_secret: Secret | None = None,
    proxy: str = "",
    pause: Callable[[float], None] = time.sleep,
) -> list[AccountInfo]:
    """Every ad account the token sees, ids without `act_`. Raises PlatformError."""
    graph = Graph(token, base_url, version, app_secret, proxy, pause)
    with meta_wire.reading():
        return [
            meta_wire.read_account(row) for row in graph.rows("me/adaccounts", {"fields": meta_wire.ACCOUNT_FIELDS})
        ]


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
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`external_id` with or without `act_`. Not `writable`: validate and update raise PERMISSION, unasked."""
        self.writable = writable
        self._id = _digits(external_id.removeprefix("act_"))
        self._currency = currency
        self._graph = Graph(token, base_url, version, app_secret, proxy, pause)

    @property
    def warnings(self) -> Sequence[str]:
        """What Meta said about the API version that we speak; for the operator, and in the log."""
        return self._graph.warnings

    def campaigns(self) -> Sequence[CampaignState]:
        """All but deleted ones."""
        asked = {"fields": meta_wire.CAMPAIGN_FIELDS, "effective_status": json.dumps(meta_wire.LISTED)}
        rows = list(self._graph.rows(f"act_{self._id}/campaigns", asked))
        adsets: dict[str, list[meta_wire.Row]] = defaultdict(list)
        with meta_wire.reading():
            for row in self._graph.rows(f"act_{self._id}/adsets", {"fields": meta_wire.ADSET_FIELDS}):
                adsets[str(row["campaign_id"])].append(row)
            return [meta_wire.read_campaign(row, adsets[str(row["id"])], self._currency) for row in rows]

    def insights(self, since: date, until: date) -> Iterator[DailyInsight]:
        """Days of campaigns, deleted ones too: `campaign_id` may be one that campaigns() does not list (read() tells
        of it). In windows of 30 days. Raises THROTTLED between two calls; what was yielded by then holds."""
        while since <= until:
            last = min(until, since + timedelta(days=WINDOW - 1))
            for row in self._window(since, last):
                with meta_wire.reading():
                    found = meta_wire.read_insight(row, self._currency)
                yield found
            since = last + timedelta(days=1)

    def read(self, external_id: str) -> CampaignState:
        """Raises NOT_FOUND also for a campaign of another account that the token happens to see."""
        path = _digits(external_id)
        row = self._graph.get(path, {"fields": meta_wire.CAMPAIGN_FIELDS}, urgent=True)
        if str(row.get("account_id", self._id)) != self._id:
            raise PlatformError(Trouble.NOT_FOUND, "This ad account has no such campaign.")
        adsets = list(self._graph.rows(f"{path}/adsets", {"fields": meta_wire.ADSET_FIELDS}, urgent=True))
        with meta_wire.reading():
            return meta_wire.read_campaign(row, adsets, self._currency)

    def validate(self, change: Change) -> None:
        form = self._form(change) | {"execution_options": json.dumps(["validate_only"])}
        try:
            self._graph.check(_digits(change.external_id), form)
        except PlatformError as error:
            raise meta_wire.explained(error, change.state) from None

    def update(self, change: Change) -> str:
        form = self._form(change)
        try:
            return self._graph.write(_digits(change.external_id), form)
        except PlatformError as error:
            raise meta_wire.explained(error, change.state) from None

    def _form(self, change: Change) -> dict[str, str]:
        if not self.writable:
            raise PlatformError(Trouble.PERMISSION, "The token of this account may only read: it lacks ads_management.")
        return meta_wire.written(change, self._currency)

    def _window(self, since: date, until: date) -> list[meta_wire.Row]:
        """The rows of a window, taken whole, so that a smaller one can be tried from its beginning."""
        try:
            return list(self._graph.rows(f"act_{self._id}/insights", _asked(since, until)))
        except PlatformError as error:
            if error.trouble is not Trouble.TOO_MUCH or since == until:
                raise
        middle = since + (until - since) // 2
        return [*self._window(since, middle), *self._window(middle + timedelta(days=1), until)]


def _asked(since: date, until: date) -> dict[str, str]:
    statuses = {"field": "campaign.effective_status", "operator": "IN", "value": meta_wire.COUNTED}
    return {
        "level": "campaign",
        "fields": meta_wire.INSIGHT_FIELDS,
        "time_range": json.dumps({"since": since.isoformat(), "until": until.isoformat()}),
        "time_increment": "1",
        "use_unified_attribution_setting": "true",
        "filtering": json.dumps([statuses]),
    }


# --- tokens -----------------------------------------------------------------------------------------------------


def _debugged(answer: meta_wire.Row) -> Token:
    with meta_wire.reading():
        data: Mapping[str, Any] = answer["data"]
        ends = data.get("expires_at") or 0
        found = Token(
            scopes=tuple(data.get("scopes", ())),
            expires_at=datetime.fromtimestamp(ends, UTC) if ends else None,
            writable="ads_management" in data.get("scopes", ()),
            kind=str(data.get("type", "")),
            app_id=str(data.get("app_id", "")),
        )
        dead = (data.get("error") or {}).get("message", "The token is no longer valid.")
    if not data.get("is_valid"):
        raise PlatformError(Trouble.TOKEN, scrub(str(dead)), code="190")
    return found


def _granted(answer: meta_wire.Row) -> Token:
    with meta_wire.reading():
        scopes = tuple(each["permission"] for each in answer["data"] if each.get("status") == "granted")
    return Token(scopes, None, "ads_management" in scopes)


def _digits(external_id: str) -> str:
    if not (external_id.isascii() and external_id.isdigit()):
        raise PlatformError(Trouble.NOT_FOUND, "Meta's ids are whole numbers; this is none.")
    return external_id
