"""PANELS: what /dashboard/analytics is made of, one record a panel, each named after the pipe that it asks first.

A panel is a partial of its own in every state: waiting (it is fetched when the page is there), shown, refused with the
reason, or without what it needs. What it shows is a value of tiles.py, course.py, breakdowns.py or story.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from webapp.analytics.answers import PipeRefused
from webapp.analytics.columns import Source, meaning
from webapp.db import UNAVAILABLE
from webapp.pages import figures
from webapp.pages.board import breakdowns, course, story, tiles
from webapp.pages.board.sight import Sight

LATE = timedelta(days=2)  # without an order; longer than that hardly happens to a shop that sells
State = Literal["waiting", "shown", "refused", "missing"]


@dataclass(frozen=True)
class Panel:
    """`needs`: one of these must be there. `question` is prepared for Maxxer, about the page's days."""

    pipe: str
    title: str
    needs: frozenset[Source]
    question: str
    draw: Callable[[Sight], Any]
    wide: bool = True


ANY: frozenset[Source] = frozenset({"ads", "orders", "visits"})

PANELS: Mapping[str, Panel] = {
    each.pipe: each
    for each in (
        Panel("kpi_summary", "Key figures", ANY, "What changed most in our key figures {days}, and why?", tiles.hero),
        Panel("metric_timeseries", "Over time", ANY, "How did {metrics} develop {days}, and what drove it?",
              course.course),
        Panel("segment_breakdown", "Breakdown", frozenset({"orders", "visits"}),
              "Which {dimension} did best and which worst {days}?", breakdowns.segments),
        Panel("channel_attribution", "Attribution", frozenset({"orders"}),
              "How far apart are the platforms' claims and our own orders {days}, by channel?", breakdowns.attribution),
        Panel("campaign_performance", "Campaigns", frozenset({"ads"}),
              "Which campaigns should get more budget and which less, going by {days}?", breakdowns.campaigns),
        Panel("conversion_funnel", "Funnel", frozenset({"visits"}),
              "Where do we lose most visitors on the way to a purchase {days}?", story.funnel, wide=False),
        Panel("metric_anomalies", "Out of the ordinary", ANY, "Which days stood out {days}, and what caused it?",
              story.anomalies, wide=False),
        Panel("cohort_ltv", "Cohorts", frozenset({"orders"}),
              "How much is a customer worth after six months, and are newer cohorts better?", story.cohorts),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """A panel in one of its states: `view` is what its record draws, `title` and `hint` why there is nothing."""

    panel: Panel
    state: State
    question: str
    view: Any = None
    title: str = ""
    hint: str = ""
    status: int = 200


def waiting(panel: Panel, of: Sight) -> Shown:
    if not panel.needs & of.standing.sources:
        return Shown(panel, "missing", "")
    return Shown(panel, "waiting", question(panel, of))


def shown(panel: Panel, of: Sight) -> Shown:
    """Asked and drawn. Whatever the pipe refuses, or the database does not answer, is a state of the panel alone."""
    if not panel.needs & of.standing.sources:
        return Shown(panel, "missing", "")
    asks = question(panel, of)
    try:
        return Shown(panel, "shown", asks, panel.draw(of))
    except PipeRefused as refused:
        return Shown(panel, "refused", asks, None, refused.title, refused.hint, refused.status)
    except UNAVAILABLE:
        return Shown(panel, "refused", asks, None, "The database did not answer", "The rest may be there.", 503)


def late(panel: Panel, of: Sight) -> Shown:
    """For a page that has to be whole and has no time left."""
    return Shown(panel, "refused", question(panel, of), None, "This page took too long to make",
                 "What came before is kept for five minutes, so that a second try gets further.", 200)  # fmt: skip


# --- what is not here -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gap:
    """A source that the workspace does not have, and what it would bring."""

    source: Source
    title: str
    brings: str


GAPS = (
    Gap("ads", "No ad account is connected",
        "It brings spend, the platforms' own claims and campaigns; with orders MER and CAC, too."),
    Gap("orders", "No orders of a shop are here", "They bring revenue, attribution, customers and their worth."),
    Gap("visits", "No sessions of a shop are here", "They bring the funnel, conversion rates and devices."),
)  # fmt: skip


def gaps(of: Sight) -> tuple[Gap, ...]:
    return tuple(each for each in GAPS if each.source not in of.standing.sources)


def behind(of: Sight) -> str:
    """Where the shop's orders end before the period does; empty where they do not."""
    orders = of.standing.orders
    if orders is None or orders.until + LATE >= of.days.until:
        return ""
    return f"The newest order is of {figures.day(orders.until, year=True)}. Later days look as if nothing was sold."


def called(field: str, value: str) -> str:
    """A choice of a panel in words."""
    return meaning(value).label if field == "metric" else breakdowns.name_of(value)


def question(panel: Panel, of: Sight) -> str:
    """What Maxxer can be asked about it, with the days spelled out."""
    dimension = of.asked.dimension.replace("_", " ").replace("new vs returning", "visitors, new or returning,")
    days = f"from {figures.day(of.days.since, year=True)} to {figures.day(of.days.until, year=True)}"
    metrics = course.in_words(of.asked.metrics)
    asks = panel.question.format(days=days, dimension=dimension, metrics=metrics)
    return asks if of.asked.platform == "" else f"{asks} Only {breakdowns.name_of(of.asked.platform)}."
