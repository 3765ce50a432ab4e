"""What is measured of campaigns, in words: spend, revenue, ROAS, CPA, CTR and orders with their changes; budgets.

The numbers are made in ads/figures.py, as ratios of sums. A change compares only days whose conversions are in, with as
many days one window earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from webapp.ads.figures import DEFINITIONS, AdSet, Campaign, Compared, Day, Figures, Report
from webapp.ads.money import MICROS
from webapp.pages import charts, figures
from webapp.pages.charts import Spark
from webapp.pages.figures import Delta, Figure, Unit

Value = Callable[[Figures], float | None]


@dataclass(frozen=True)
class Measure:
    """`good` says which way is good news. `value` is in units of the currency for money. `matures`: its newest days
    still change, because conversions are dated back to the click."""

    key: str
    label: str
    unit: Unit
    value: Value
    good: Literal["up", "down", ""] = "up"
    means: str = ""
    why: str = ""  # it is not defined
    matures: bool = True


def _units(micros: int | None) -> float | None:
    return None if micros is None else micros / MICROS


MEASURES = (
    Measure("spend", "Spend", "money", lambda of: of.spend_micros / MICROS, good="", matures=False),
    Measure(
        "revenue", "Revenue", "money", lambda of: of.revenue_micros / MICROS, means="As the ad platform attributes it"
    ),
    Measure("roas", "ROAS", "ratio", lambda of: of.roas, means=DEFINITIONS["roas"], why="No spend, so no ROAS"),
    Measure(
        "cpa", "CPA", "money", lambda of: _units(of.cpa_micros), "down", DEFINITIONS["cpa"], "No orders, so no CPA"
    ),
    Measure(
        "ctr", "CTR", "percent", lambda of: of.ctr, "up", DEFINITIONS["ctr"], "No impressions, so no CTR", matures=False
    ),
    Measure("orders", "Orders", "count", lambda of: of.orders, means="Conversions that the ad platform counts"),
)
BY_KEY = {measure.key: measure for measure in MEASURES}


@dataclass(frozen=True)
class Measured:
    measure: Measure
    figure: Figure
    delta: Delta | None = None  # None: there is nothing to compare


def measured(report: Report, currency: str) -> tuple[Measured, ...]:
    """Each measure of a window, with its change."""
    return tuple(
        Measured(measure, _figure(measure, report.figures, currency), change(measure, report.compared, currency))
        for measure in MEASURES
    )


def plain(of: Figures | None, currency: str) -> tuple[Figure, ...]:
    """The same of something that is not compared; None where the platform gave no figures."""
    if of is None:
        return tuple(Figure(figures.DASH, "The platform gave no figures at this level") for _ in MEASURES)
    return tuple(_figure(measure, of, currency) for measure in MEASURES)


def change(measure: Measure, compared: Compared | None, currency: str) -> Delta | None:
    if compared is None:
        return None
    now, before = measure.value(compared.now), measure.value(compared.before)
    return figures.delta(now, before, measure.unit, currency, good=measure.good)


def _figure(measure: Measure, of: Figures, currency: str) -> Figure:
    return figures.number(measure.value(of), measure.unit, currency, why=measure.why)


def course(measure: Measure, days: Sequence[Day], through: date | None) -> list[float | None]:
    """A value a day. A day that has not been read yet (after `through`) is a gap, not a zero."""
    return [None if through and day.day > through else measure.value(day.figures) for day in days]


def trend(row: Campaign, measure: Measure) -> Spark:
    """A measure's course over the window's days."""
    days = row.report.days
    values = course(measure, days, row.account.data_through)
    maturing = sum(day.maturing for day in days) if measure.matures else 0
    return charts.spark(measure.label, values, measure.unit, currency=row.account.currency, maturing=maturing)


# --- budgets ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Budget:
    """`where`: a day or in all, and where it sits if not on the campaign."""

    figure: Figure
    where: str = ""


def budget(row: Campaign) -> Budget:
    currency = row.account.currency
    per = {"daily": "a day", "lifetime": "in all"}.get(row.budget_period, "")
    known = None if row.budget_micros is None else figures.money(row.budget_micros, currency)
    match row.budget_level:
        case "adset":
            sets = f"on {_counted(row.adset_count, 'ad set')}" if row.adset_count else "on its ad sets"
            return Budget(
                known or _no_budget("Each ad set has a budget of its own"), _joined(per if known else "", sets)
            )
        case "shared":
            with_whom = f"shared with {len(row.shared_with)}" if row.shared_with else "shared"
            return Budget(known or _no_budget("It is not known how much"), _joined(per if known else "", with_whom))
        case "none":
            return Budget(_no_budget("It has no budget of its own"))
        case _:
            return Budget(known, per) if known else Budget(_no_budget("The platform did not say"))


def _joined(*words: str) -> str:
    return ", ".join(word for word in words if word)


def adset_budget(row: AdSet, currency: str) -> Figure:
    if row.budget_micros is None:
        return _no_budget("It has no budget of its own")
    return Figure(f"{figures.money(row.budget_micros, currency)} a day")


def _no_budget(why: str) -> Figure:
    return Figure(figures.DASH, why)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


# --- states -----------------------------------------------------------------------------------------------------

STATUS_TONES = {"active": "ok", "paused": "quiet", "archived": "quiet", "deleted": "quiet"}
SAME = {"active": ("enabled", "eligible"), "archived": ("removed",)}  # a platform's own word for a status
LEARNING_ENDS = 50  # conversions in a week, at Meta


@dataclass(frozen=True)
class Learning:
    label: str
    tone: str
    means: str


def why(row: Campaign) -> str:
    """What the platform says beyond the status; empty where that is only another word for it."""
    return "" if row.why in SAME.get(row.status, ()) else row.why


def learning(state: str, events: int | None = None) -> Learning | None:
    """Where the platform's learning phase stands; None once it is over, or where there is none."""
    if state == "learning":
        so_far = f" {events} of about {LEARNING_ENDS} conversions so far." if events is not None else ""
        return Learning("Learning", "info", "Results still swing. A change starts learning anew." + so_far)
    if state == "limited":
        return Learning("Learning limited", "warn", "Too few conversions to leave the learning phase.")
    return None
