"""Tables of the board: channels and other segments, campaigns, and who is credited with the shop's orders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flask import url_for

from webapp.analytics.answers import PipeResult, Row
from webapp.analytics.columns import meaning
from webapp.pages import figures
from webapp.pages.board import sight
from webapp.pages.board.asked import plain
from webapp.pages.board.sight import About, Sight
from webapp.pages.figures import Delta, Figure

NAMES = {"meta": "Meta", "google": "Google", "new": "New visitors", "returning": "Returning", "no ad": "No ad"}
BARS = frozenset({"share", "spend", "attributed_revenue", "platform_revenue"})  # columns whose size is drawn, too
CLAIMS = ("platform_revenue", "attributed_revenue")
SORTS = {"spend": "spend", "platform_revenue": "revenue", "platform_orders": "orders", "roas": "roas", "cpa": "cpa"}


@dataclass(frozen=True)
class Head:
    """A column. `sort`: what the pipe calls the order by it; empty where it has none."""

    key: str
    label: str
    means: str = ""
    sort: str = ""


@dataclass(frozen=True)
class Cell:
    """`bar`: percent of the column's largest, of series `series`."""

    figure: Figure
    delta: Delta | None = None
    bar: float | None = None
    series: int = 0


@dataclass(frozen=True)
class Line:
    name: str
    cells: tuple[Cell, ...]
    url: str = ""
    under: str = ""
    badge: str = ""


@dataclass(frozen=True)
class Breakdown:
    """`first`: what its rows are. A total for each currency."""

    first: str
    heads: tuple[Head, ...]
    lines: tuple[Line, ...]
    totals: tuple[Line, ...]
    about: About
    says: str = ""


def _breakdown(
    of: Sight, found: PipeResult, first: str, keys: Sequence[str], lines: Sequence[Line], **more: Any
) -> Breakdown:
    heads = tuple(
        Head(key, meaning(key).label, sight.means(found, key), more.get("sorts", {}).get(key, "")) for key in keys
    )
    return Breakdown(
        first, heads, tuple(lines), tuple(_totals(found, keys)), sight.about(of, found, keys=keys), more.get("says", "")
    )


def _totals(found: PipeResult, keys: Sequence[str]) -> Iterator[Line]:
    """Of all rows, also those that are not shown. What has no total stays empty."""
    for currency, sums in found.totals.items():
        cells = (Cell(sight.figure(sums, key, currency) if key in sums else Figure("")) for key in keys)
        yield Line(f"Total in {currency}" if currency else "Total", tuple(cells))


def _cells(found: PipeResult, row: Row, keys: Sequence[str], tops: dict[tuple[str, str], float]) -> tuple[Cell, ...]:
    currency = sight.currency_of(row, found)
    return tuple(
        Cell(
            sight.figure(row, key, currency),
            sight.change(row, key, currency),
            _bar(sight.value(row, key), tops.get((key, currency), 0)),
            1 if key == "platform_revenue" else 0,
        )
        for key in keys
    )


def _bar(value: float | None, top: float) -> float | None:
    return None if value is None or value <= 0 or top <= 0 else round(100 * value / top, 1)


def _tops(found: PipeResult, *alike: Sequence[str]) -> dict[tuple[str, str], float]:
    """The largest of each column that is drawn, by currency; columns that are compared by eye share one."""
    tops: dict[tuple[str, str], float] = {}
    for keys in alike:
        for row in found.rows:
            currency = sight.currency_of(row, found)
            largest = max((sight.value(row, key) or 0 for key in keys), default=0)
            for key in keys:
                tops[key, currency] = max(largest, tops.get((key, currency), 0))
    return tops


def name_of(word: Any) -> str:
    """A segment or channel: Meta, Organic, DE, /products/shoe."""
    text = str(word)
    return NAMES.get(text) or (text if text.isupper() or text.startswith("/") else plain(text))


# --- the three --------------------------------------------------------------------------------------------------


def segments(of: Sight) -> Breakdown:
    found = of.ask("segment_breakdown", dimension=of.asked.dimension)
    keys = ("revenue", "share", "orders", "aov", "sessions", "cvr")
    tops = _tops(found, ["share"])
    lines = [Line(name_of(row["segment"]), _cells(found, row, keys, tops), under=_apart(of, found, row))
             for row in found.rows]  # fmt: skip
    return _breakdown(of, found, plain(of.asked.dimension), keys, lines)


def campaigns(of: Sight) -> Breakdown:
    found = of.ask("campaign_performance", level=of.asked.level, sort=of.asked.sort)
    keys = ("spend", "platform_revenue", "roas", "platform_orders", "cpa", "ctr")
    lines = [_campaign(of, found, row, keys, _tops(found, ["spend"])) for row in found.rows]
    first = {"campaign": "Campaign", "adset": "Ad set", "ad": "Ad"}[of.asked.level]
    return _breakdown(of, found, first, keys, lines, sorts=SORTS)


def _campaign(of: Sight, found: PipeResult, row: Row, keys: Sequence[str], tops: Any) -> Line:
    within = [str(row["campaign"])] if of.asked.level != "campaign" else []
    return Line(
        str(row["name"] or row["id"] or "Without a name"),
        _cells(found, row, keys, tops),
        url_for("campaigns.show", campaign_id=str(row["campaign_id"]), **of.asked.campaign_days(of.days)),
        " · ".join([*within, name_of(row["platform"]), *filter(None, [_apart(of, found, row)])]),
        "" if row["status"] == "active" else plain(row["status"]),
    )


def attribution(of: Sight) -> Breakdown:
    found = of.ask("channel_attribution", model=of.asked.model, lookback=int(of.asked.lookback))
    keys = ("attributed_revenue", "platform_revenue", "gap", "attributed_orders", "spend", "attributed_roas", "roas")
    tops = _tops(found, ["attributed_revenue", "platform_revenue"])
    lines = [Line(name_of(row["channel"]), _cells(found, row, keys, tops), under=_apart(of, found, row))
             for row in found.rows]  # fmt: skip
    return _breakdown(of, found, "Channel", keys, lines, says=" ".join(_claims(of, found)))


def _claims(of: Sight, found: PipeResult) -> Iterator[str]:
    """What the ad platforms claim beside what the model credits them with, or beside all that the shop sold."""
    for currency in dict.fromkeys(sight.currency_of(row, found) for row in found.rows):
        rows = [row for row in found.rows if sight.currency_of(row, found) == currency and row.get("gap") is not None]
        claimed, credited = (sum(sight.value(row, key) or 0 for row in rows) for key in CLAIMS)
        sold = sight.value(found.totals.get(currency, {}), "revenue")
        if not claimed:
            continue
        yield f"Ad platforms claim {_money(claimed, currency)}."
        if of.asked.model == "platform":
            yield f"The shop sold {_money(sold, currency)} in all." if sold else ""
        elif credited:
            over = claimed / credited - 1
            more = f"{abs(over):.0%} {'more' if over >= 0 else 'less'}"
            yield f"This model credits them with {_money(credited, currency)}: they claim {more}."


def _money(value: float, currency: str) -> str:
    return figures.spell(value, "money", currency, short=True)


def _apart(of: Sight, found: PipeResult, row: Row) -> str:
    """The currency of a row, where it is not the shop's."""
    currency = sight.currency_of(row, found)
    return "" if currency == of.standing.currency else currency
