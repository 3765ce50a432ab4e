"""Figures told to a model: rows of a result, and what must stand beside a number (window, currency, maturity, caveats).

Money is rounded to two places here and nowhere earlier; ratios were made from sums in ads/figures.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from webapp.ads.figures import DEFINITIONS, Account, Campaign, Compared, CurrencyTotal, Figures
from webapp.ads.foreign import fence
from webapp.ads.money import MICROS
from webapp.tools.results import Column

FIGURES = (
    Column("spend", "Spend", "money"),
    Column("revenue", "Revenue", "money"),
    Column("roas", "ROAS", "ratio"),
    Column("orders", "Orders", "count"),
    Column("cpa", "CPA", "money"),
    Column("impressions", "Impressions", "count"),
    Column("clicks", "Clicks", "count"),
    Column("ctr", "CTR", "percent"),
    Column("cpc", "CPC", "money"),
    Column("cpm", "CPM", "money"),
)
ATTRIBUTION = {
    "meta": "Meta: the ad account's attribution setting (by default 7-day click and 1-day view)",
    "google": "Google Ads: the account's conversion settings",
    "import": "file: as the exporting platform attributed it",
    "demo": "demo data: as the simulated platform attributes it",
}


def figures(of: Figures) -> dict[str, Any]:
    """By the keys of FIGURES; None is not defined."""
    return {
        "spend": units(of.spend_micros),
        "revenue": units(of.revenue_micros),
        "roas": None if of.roas is None else round(of.roas, 2),
        "orders": round(of.orders, 2),
        "cpa": units(of.cpa_micros),
        "impressions": of.impressions,
        "clicks": of.clicks,
        "ctr": None if of.ctr is None else round(of.ctr, 5),
        "cpc": units(of.cpc_micros),
        "cpm": units(of.cpm_micros),
    }


def units(micros: int | None) -> float | None:
    return None if micros is None else round(micros / MICROS, 2)


def comparison(of: Compared | None) -> dict[str, Any]:
    """The result's `compared`, `previous` and `change`; nothing where no day is mature."""
    if of is None:
        return {}
    return {
        "compared": {"since": str(of.window.since), "until": str(of.window.until), **figures(of.now)},
        "previous": {"since": str(of.earlier.since), "until": str(of.earlier.until), **figures(of.before)},
        "change": _change(figures(of.before), figures(of.now)),
    }


def _change(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, float]:
    return {key: round(now[key] / was - 1, 3) for key, was in before.items() if was and now[key] is not None}


def campaign(of: Campaign) -> dict[str, Any]:
    """A row about a campaign, without what its platform left empty."""
    row = {
        "campaign_id": of.ref,
        "name": fence(of.name),
        "platform": platform(of.account),
        "account": fence(of.account.name),
        "status": of.status,
        "why": fence(of.why) if of.why else "",
        "objective": of.objective,
        "budget": units(of.budget_micros),
        "budget_per": {"daily": "day", "lifetime": "lifetime"}.get(of.budget_period, ""),
        "budget_level": budget_level(of),
        "bid_strategy": of.bid_strategy,
        "learning": of.learning,
        "age_days": of.age_days,
        "currency": of.account.currency,
        **figures(of.report.figures),
    }
    return {key: value for key, value in row.items() if value != ""}


def budget_level(of: Campaign) -> str:
    """Where the budget sits, in words that say what setting it would mean."""
    if of.budget_level == "adset":
        return f"its {of.adset_count} ad sets"
    if of.budget_level == "shared":
        return f"shared with {len(of.shared_with)} more campaigns"
    return of.budget_level


def platform(account: Account) -> str:
    """Where its ads run, and where our figures come from if that is something else: "meta (demo)"."""
    if account.network in ("", account.platform):
        return account.platform
    return f"{account.network} ({account.platform})"


def about(accounts: Sequence[Account]) -> dict[str, Any]:
    """What stands beside every number of these accounts, as fields of a Result."""
    windows = {account.window for account in accounts}
    through = [account.data_through for account in accounts if account.data_through]
    growing = [it.maturing_from for it in accounts if it.maturing_from <= it.window.until]
    return {
        "since": str(min(it.since for it in windows)),
        "until": str(max(it.until for it in windows)),
        "timezone": ", ".join(sorted({account.timezone for account in accounts})),
        "currency": next(iter({it.currency for it in accounts})) if len({it.currency for it in accounts}) == 1 else "",
        "attribution": "; ".join(ATTRIBUTION[it] for it in sorted({account.platform for account in accounts})),
        "data_through": str(min(through)) if through else "",
        "maturing_from": str(min(growing)) if growing else "",
        "definitions": DEFINITIONS,
    }


def link(path: str, beside: Mapping[str, Any], **more: str) -> str:
    """A page of ours that shows the same days, and the same choice of campaigns."""
    window = {"period": "custom", "since": beside["since"], "until": beside["until"]}
    return f"{path}?{urlencode({**window, **{key: value for key, value in more.items() if value}})}"


def caveats(accounts: Sequence[Account]) -> tuple[str, ...]:
    """What somebody must know before trusting the numbers."""
    return (*_of_the_whole(accounts), *(said for account in accounts for said in _of_one(account)))


def _of_the_whole(accounts: Sequence[Account]) -> Iterable[str]:
    currencies = sorted({account.currency for account in accounts})
    if len(currencies) > 1:
        yield f"Amounts are in {' and '.join(currencies)}, row by row. They are not added up and must not be."
    if len({account.window for account in accounts}) > 1:
        yield "The accounts see different days: each in its own timezone, a file up to its newest day."
    if any(account.maturing_from <= account.window.until for account in accounts):
        yield "The newest days still grow: orders are dated back to the click. Comparisons leave these days out."


def _of_one(account: Account) -> Iterable[str]:
    name = fence(account.name)
    if account.window.days < 1:
        yield f"{name}: the window has no whole day yet."
    if account.data_through is None:
        yield f"{name}: no figures have been read yet."
    elif account.data_through < account.window.until:
        yield f"{name}: figures end on {account.data_through}; later days of the window are missing, not zero."
    if account.fault:
        yield f"{name} needs attention under Settings, Ad accounts: {fence(account.fault)}"


def currency_totals(totals: Sequence[CurrencyTotal]) -> dict[str, Any]:
    """Totals and comparison where there is one currency; nothing where there are several."""
    if len(totals) != 1:
        return {}
    report = totals[0].report
    return {"totals": figures(report.figures), **comparison(report.compared)}


def totals_said(totals: Sequence[CurrencyTotal]) -> tuple[str, ...]:
    """The totals of each of several currencies, as sentences: they have no row of their own."""
    if len(totals) < 2:
        return ()
    return tuple(_total_said(it.currency, figures(it.report.figures)) for it in totals)


def _total_said(currency: str, of: Mapping[str, Any]) -> str:
    roas = "not defined" if of["roas"] is None else f"{of['roas']:.2f}"
    orders = f"{of['orders']:,.1f}".removesuffix(".0")  # platforms share an order out between ads
    earned = f"revenue {of['revenue']:,.2f}, ROAS {roas}, {orders} orders"
    return f"Total in {currency}: spend {of['spend']:,.2f}, {earned}."
