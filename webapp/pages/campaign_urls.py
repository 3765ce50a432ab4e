"""What the URL of /campaigns asks for: period, filters, order and page, read from it and written back to it.

Everything that narrows the list stands in the URL, so that a link shows the same to a colleague. What it names wrongly
is left at its default; only dates that make no period are told to the person, with what was typed kept.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

from flask import url_for

from webapp.ads.figures import PLATFORMS, SORT_KEYS, STATUS_FILTERS, Query, SortKey, StatusFilter
from webapp.ads.windows import LONGEST, Period, Preset, Window

PERIODS: dict[str, tuple[str, Preset]] = {
    "7d": ("7 days", "last_7d"),
    "14d": ("14 days", "last_14d"),
    "30d": ("30 days", "last_30d"),
    "90d": ("90 days", "last_90d"),
}
CUSTOM = "custom"
USUAL = "30d"
PAGE = 50  # rows


@dataclass(frozen=True)
class Asked:
    """As it was typed, but for what is not one of the choices. `problem` says what is wrong with the dates."""

    period: str = USUAL
    since: str = ""
    until: str = ""
    q: str = ""
    status: StatusFilter = "live"
    platform: str = ""
    account: str = ""
    sort: SortKey = "spend"
    order: str = "desc"
    page: int = 1

    @staticmethod
    def of(args: Mapping[str, str]) -> Asked:
        """From the query of a URL."""
        period = args.get("period", USUAL)
        page = args.get("page", "")
        return Asked(
            period=period if period in (*PERIODS, CUSTOM) else USUAL,
            since=args.get("since", "").strip()[:20],
            until=args.get("until", "").strip()[:20],
            q=" ".join(args.get("q", "").split())[:200],
            status=_one_of(STATUS_FILTERS, args.get("status"), "live"),
            platform=args.get("platform", "") if args.get("platform") in PLATFORMS else "",
            account=_id(args.get("account", "")),
            sort=_one_of(SORT_KEYS, args.get("sort"), "spend"),
            order="asc" if args.get("order") == "asc" else "desc",
            page=min(int(page), 10_000) if page.isascii() and page.isdigit() and int(page) > 0 else 1,
        )

    # --- the period ---------------------------------------------------------------------------------------------

    @property
    def days(self) -> Period:
        """The period; the usual one while the dates make none."""
        if self.period != CUSTOM or self.problem:
            return PERIODS.get(self.period, PERIODS[USUAL])[1]
        return Window(date.fromisoformat(self.since), date.fromisoformat(self.until))

    @property
    def problem(self) -> str:
        if self.period != CUSTOM:
            return ""
        first, last = _date(self.since), _date(self.until)
        if first is None or last is None:
            return "Give both days, like 2026-11-01."
        if last < first:
            return "The last day is before the first one."
        if (last - first).days >= LONGEST:
            return f"That is more than {LONGEST} days. Take fewer."
        return ""

    # --- the list -----------------------------------------------------------------------------------------------

    @property
    def narrowed(self) -> bool:
        """A filter is set, so that an empty list says nothing about the accounts."""
        return bool(self.q or self.platform or self.account or self.status != "live")

    def query(self) -> Query:
        return Query(
            period=self.days,
            status=self.status,
            platform=self.platform,
            account_id=uuid.UUID(self.account) if self.account else None,
            text=self.q,
            sort=self.sort,
            descending=self.order == "desc",
            limit=PAGE,
            offset=PAGE * (self.page - 1),
        )

    def url(self, **changes: Any) -> str:
        """The list with these differences."""
        return url_for("campaigns.index", **replace(self, **changes)._said())

    def sorted_by(self, sort: SortKey) -> str:
        """Words first to last, numbers the largest first; the column that is sorted by, the other way round."""
        turned = "asc" if self.order == "desc" else "desc"
        usual = "asc" if sort in ("name", "status") else "desc"
        return self.url(sort=sort, order=turned if sort == self.sort else usual, page=1)

    def cleared(self) -> str:
        return self.url(q="", platform="", account="", status="live", page=1)

    def of_campaign(self, campaign_id: uuid.UUID) -> str:
        return url_for("campaigns.show", campaign_id=campaign_id, **self.only_period())

    def list_url(self) -> str:
        """The whole list, in the same period."""
        return url_for("campaigns.index", **self.only_period())

    def only_period(self) -> dict[str, Any]:
        """The period as URL parameters, for another page about the same days."""
        return Asked(period=self.period, since=self.since, until=self.until)._said()

    def _said(self) -> dict[str, Any]:
        """What differs from the defaults; dates only where they count."""
        skip = () if self.period == CUSTOM else ("since", "until")
        named = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: value for name, (value, default) in named.items() if value != default and name not in skip}


def _one_of(choices: tuple[Any, ...], given: str | None, otherwise: Any) -> Any:
    return given if given in choices else otherwise


def _id(given: str) -> str:
    with suppress(ValueError):
        return str(uuid.UUID(given))
    return ""


def _date(given: str) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(given)
    return None
