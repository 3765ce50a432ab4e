"""Settings › Usage: what the workspace's answers used and cost, by day and by what made them; and all of it as a file.

Everything is a sum of the ledger's entries (usage/totals.py), so it agrees with the receipts. Days are UTC, as in the
providers' own figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import Any

from flask import Blueprint, Response, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue

from webapp.accounts import Right, Scope
from webapp.pages import budgets, charts, figures, receipts, sheets, web
from webapp.pages.charts import Series, TimeChart
from webapp.usage import totals
from webapp.usage.prices import MICROS
from webapp.usage.receipts import Entry, Spent
from webapp.usage.totals import By, Days, Row

bp = Blueprint("usage", __name__)

PERIODS = {"1d": ("Today", 1), "7d": ("7 days", 7), "30d": ("30 days", 30), "90d": ("90 days", 90)}
CUSTOM, USUAL = "custom", "30d"
LONGEST = 366  # days
WORTH_DRAWING = MICROS  # below a dollar a chart of money would be of nothing but cents

GROUPS: tuple[tuple[By, str], ...] = (
    ("model", "Model"),
    ("provider", "Provider"),
    ("member", "Member"),
    ("surface", "Place"),
    ("key", "Key"),
)
HEAD = (
    "at",
    "member",
    "where",
    "provider",
    "model",
    "model_served",
    "key",
    "own_key",
    "input_fresh",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "output",
    "thinking_of_output",
    "estimated",
    "cost_usd",
    "saved_by_cache_usd",
    "price_source",
    "priced_at",
    "cache_miss",
    "first_word_ms",
    "duration_ms",
    "answer",
    "call",
    "response_id",
)


# --- the period -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """The period as the URL says it; what it says wrongly is the usual one, but dates that make none are told."""

    period: str = USUAL
    since: str = ""
    until: str = ""

    @staticmethod
    def of(args: Mapping[str, str]) -> Asked:
        period = args.get("period", USUAL)
        known = period in PERIODS or period == CUSTOM
        return Asked(period if known else USUAL, args.get("since", "").strip()[:20], args.get("until", "").strip()[:20])

    def days(self, today: date) -> Days:
        if self.period == CUSTOM and not self.problem:
            return Days(date.fromisoformat(self.since), date.fromisoformat(self.until))
        _, count = PERIODS.get(self.period, PERIODS[USUAL])
        return Days(today - timedelta(count - 1), today)

    @property
    def problem(self) -> str:
        """What is wrong with the two dates, in a sentence; "" if nothing is."""
        if self.period != CUSTOM:
            return ""
        first, last = _date(self.since), _date(self.until)
        if first is None or last is None:
            return "Give both days, like 2026-11-01."
        if last < first:
            return "The last day is before the first one."
        return "" if (last - first).days < LONGEST else f"That is more than {LONGEST} days. Take fewer."

    def url(self, endpoint: str) -> str:
        said: dict[str, Any] = vars(self) if self.period == CUSTOM else {"period": self.period}
        return url_for(endpoint, **({} if self.period == USUAL else said))


def _date(typed: str) -> date | None:
    try:
        return date.fromisoformat(typed)
    except ValueError:
        return None


# --- the page ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """The sums of the period, grouped one way. A row: its name, what stands beside it, its sum."""

    id: str
    label: str
    rows: tuple[tuple[str, str, Spent], ...]


@bp.get("/settings/usage")
@web.within(Right.READ)
def index(scope: Scope) -> ResponseReturnValue:
    asked = Asked.of(request.args)
    shown = _figures(scope, asked.days(datetime.now(UTC).date()))
    page = "usage/_figures.html" if web.is_htmx() else "usage/index.html"
    address = {"HX-Replace-Url": asked.url("usage.index")} if web.is_htmx() else {}
    return Response(
        render_template(page, asked=asked, periods=PERIODS, near=budgets.banner(scope), **shown), headers=address
    )


def _figures(scope: Scope, days: Days) -> dict[str, Any]:
    everybody = totals.may_see_all(scope)
    with web.database().look() as db:
        whole = totals.spent(scope, db, days)
        mine = totals.spent(scope, db, days, mine=True)
        by_day = totals.spent_by_day(scope, db, days, mine=not everybody)
        groups = {by: totals.spent_by(scope, db, days, by) for by, _ in GROUPS}
    return {
        "days": days,
        "everybody": everybody,
        "whole": whole,
        "shown": whole if everybody else mine,
        "charts": _charts(days, by_day),
        "own": sum((row.spent for row in groups["key"] if row.owner), Spent()),
        "tables": [*_tables(groups, everybody), _by_day(by_day)],
        "bills": [p for row in groups["provider"] if (p := web.parts().providers.get(row.name)) and p.usage_url],
    }


def _tables(groups: Mapping[By, Sequence[Row]], everybody: bool) -> Iterator[Table]:
    for by, label in GROUPS:
        if everybody or by != "member":
            rows = ((_name(by, row), receipts.provider_name(row.provider), row.spent) for row in groups[by])
            yield Table(by, label, tuple(rows))


def _by_day(spent: Mapping[date, Spent]) -> Table:
    return Table("day", "Day", tuple((figures.weekday(day), "", spent[day]) for day in sorted(spent, reverse=True)))


def _charts(days: Days, by_day: Mapping[date, Spent]) -> list[TimeChart]:
    """Tokens a day, and money where there is enough of it to be drawn. A day without a call is a zero, not a gap."""
    each = [days.since + timedelta(n) for n in range((days.until - days.since).days + 1)]
    spent = [by_day.get(day, Spent()) for day in each]
    drawn = []
    if sum(day.micros for day in spent) >= WORTH_DRAWING:
        cost = Series("Cost", [day.micros / MICROS for day in spent])
        drawn.append(charts.columns("usage-cost", "Cost a day", each, [cost], "money", currency="USD"))
    if any(day.calls for day in spent):
        parts = [
            Series("Fresh input", [float(day.used.input) for day in spent]),
            Series("Read from cache", [float(day.used.cache_read) for day in spent]),
            Series("Written to cache", [float(day.used.cache_write + day.used.cache_write_1h) for day in spent]),
            Series("Output", [float(day.used.output) for day in spent]),
        ]
        drawn.append(charts.columns("usage-tokens", "Tokens a day", each, parts, "count"))
    return drawn


def _name(by: By, row: Row) -> str:
    """What a person calls it."""
    match by:
        case "provider":
            return receipts.provider_name(row.name)
        case "surface":
            return row.name.capitalize()
        case "key":
            return _key_name(row)
        case _:
            return row.name


def _key_name(row: Row) -> str:
    """What another member calls their own key is that member's affair."""
    if not row.owner:
        return f"“{row.name}”"
    return f"Your own “{row.name}”" if row.name else f"{row.owner}'s own key"


# --- the file ---------------------------------------------------------------------------------------------------


@bp.get("/settings/usage.csv", endpoint="export")
@web.within(Right.READ)
def export(scope: Scope) -> ResponseReturnValue:
    """Every call of the period in a line, the oldest first, as a spreadsheet may open it."""
    days = Asked.of(request.args).days(datetime.now(UTC).date())
    name = f"usage-{days.since}-{days.until}.csv"
    body = sheets.lines(chain([HEAD], (_line(scope, entry) for entry in _entries(scope, days))))
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(stream_with_context(body), mimetype="text/csv", headers=headers)


def _entries(scope: Scope, days: Days) -> Iterator[Entry]:
    last = None
    while True:
        with web.database().look() as db:
            piece = totals.entries(scope, db, days, after=last)
        yield from piece
        if len(piece) < totals.PIECE:
            return
        last = piece[-1]


def _line(scope: Scope, entry: Entry) -> list[str]:
    used, cost = entry.used, entry.cost
    who = [entry.at.isoformat(), entry.user_name, entry.surface, entry.provider, entry.model, entry.model_served]
    others = entry.personal and entry.user_id != scope.user_id
    key = ["" if others else entry.key_label, "yes" if entry.personal else ""]
    counts = [used.input, used.cache_read, used.cache_write, used.cache_write_1h, used.output, used.thinking]
    money = [_units(cost.micros), _units(cost.saved), cost.source, cost.priced_at]
    times = [_or_empty(entry.first_token_ms), _or_empty(entry.duration_ms)]
    answer = [str(entry.turn_id), str(entry.round + 1), entry.response_id]
    texts = [*who, *key, *map(str, counts), "yes" if entry.estimated else ""]
    return [*map(sheets.text, texts), *money, sheets.text(entry.miss), *times, *map(sheets.text, answer)]


def _units(micros: int | None) -> str:
    """Dollars with every micro; empty where nobody knows, since a zero would be added up."""
    if micros is None:
        return ""
    return f"{'-' if micros < 0 else ''}{abs(micros) // MICROS}.{abs(micros) % MICROS:06d}"


def _or_empty(count: int | None) -> str:
    return "" if count is None else str(count)


@bp.record_once
def _furnish(state: Any) -> None:
    state.app.jinja_env.globals.update(
        receipt_of=receipts.receipt_of,
        spent_words=receipts.spent_words,
        token_words=receipts.token_words,
        cache_words=receipts.cache_words,
        percent=receipts.percent,
        cost_words=receipts.cost_words,
        price_words=receipts.price_words,
        dollars=receipts.dollars,
    )
