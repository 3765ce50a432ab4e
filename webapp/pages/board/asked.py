"""What the URL of /dashboard/analytics asks for: period, comparison, platform, and what each panel was told to show.

The words are those of the pipes (analytics/catalogue.py), so that a link from a pipe's answer shows the same:
`compare`, `platform`, `dimension`, `model` ... What is named wrongly is left at its default; only dates that make no
period are told to the person, with what was typed kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

from flask import url_for

from webapp.ads.windows import LONGEST, Preset, Window, window
from webapp.analytics.catalogue import PIPE_ALLOWLIST, SERIES

PERIODS: dict[str, tuple[str, Preset]] = {
    "7d": ("7 days", "last_7d"),
    "14d": ("14 days", "last_14d"),
    "30d": ("30 days", "last_30d"),
    "90d": ("90 days", "last_90d"),
    "month": ("This month", "this_month"),
    "last_month": ("Last month", "last_month"),
}
CUSTOM = "custom"
USUAL = "30d"
BY_WEEK = 92  # days; a longer course is drawn by weeks unless days are asked for
MOST_METRICS = 4  # in one chart

# The fields that belong to a panel, by its pipe: each panel carries them for the page's form.
OWN: dict[str, tuple[str, ...]] = {
    "metric_timeseries": ("metrics", "granularity"),
    "segment_breakdown": ("dimension",),
    "campaign_performance": ("level", "sort"),
    "conversion_funnel": ("channel", "device"),
    "channel_attribution": ("model", "lookback"),
    "cohort_ltv": ("show",),
    "metric_anomalies": ("metric",),
}
LOOKBACKS = ("7", "14", "30")
SHOWS = ("cumulative_ltv", "repeat_rate", "revenue_per_customer")


def _choices(pipe: str, name: str) -> tuple[str, ...]:
    found = PIPE_ALLOWLIST[pipe].parameter(name)
    return found.choices if found else ()


CHOICES: dict[str, tuple[str, ...]] = {
    "period": (*PERIODS, CUSTOM),
    "compare": _choices("kpi_summary", "compare"),
    "platform": _choices("kpi_summary", "platform"),
    "granularity": _choices("metric_timeseries", "granularity"),
    "dimension": _choices("segment_breakdown", "dimension"),
    "level": _choices("campaign_performance", "level"),
    "sort": _choices("campaign_performance", "sort"),
    "channel": _choices("conversion_funnel", "channel"),
    "device": _choices("conversion_funnel", "device"),
    "model": _choices("channel_attribution", "model"),
    "lookback": LOOKBACKS,
    "show": SHOWS,
    "metric": _choices("metric_anomalies", "metric"),
    "whole": ("1",),
}


@dataclass(frozen=True)
class Asked:
    """As it was typed, but for what is not one of the choices. An empty word is the panel's own default."""

    period: str = USUAL
    since: str = ""
    until: str = ""
    compare: str = "prev"
    platform: str = ""
    metrics: str = "revenue,spend"
    granularity: str = ""
    dimension: str = "channel"
    level: str = "campaign"
    sort: str = "spend"
    channel: str = ""
    device: str = ""
    model: str = "last"
    lookback: str = "30"
    show: str = "cumulative_ltv"
    metric: str = ""
    whole: str = ""  # every panel in the page itself, for a browser without script

    @staticmethod
    def of(args: Mapping[str, str]) -> Asked:
        """From the query of a URL."""
        chosen = {name: args[name] for name, choices in CHOICES.items() if args.get(name) in choices}
        typed = {name: args.get(name, "").strip()[:20] for name in ("since", "until")}
        metrics = _metrics(args.get("metrics", ""))
        return Asked(**chosen, **typed, **({"metrics": ",".join(metrics)} if metrics else {}))

    # --- the period ---------------------------------------------------------------------------------------------

    def days(self, today: date) -> Window:
        """The whole days of the period, as of `today`; those of the usual one while it has none."""
        found = self._window(today)
        return found if found and found.days > 0 else window(PERIODS[USUAL][1], today)

    def problem(self, today: date) -> str:
        """Why the period has no days: empty if it has."""
        found = self._window(today)
        if found is None:
            return self._wrong()
        return "" if found.days > 0 else "This period has no whole day yet: today is not over."

    def _window(self, today: date) -> Window | None:
        if self.period != CUSTOM:
            return window(PERIODS[self.period][1], today)
        if self._wrong():
            return None
        return window(Window(date.fromisoformat(self.since), date.fromisoformat(self.until)), today)

    def _wrong(self) -> str:
        first, last = _date(self.since), _date(self.until)
        if first is None or last is None:
            return "Give both days, like 2026-11-01."
        if last < first:
            return "The last day is before the first one."
        return f"That is more than {LONGEST} days. Take fewer." if (last - first).days >= LONGEST else ""

    # --- panels -------------------------------------------------------------------------------------------------

    @property
    def drawn(self) -> tuple[str, ...]:
        """The metrics of the course."""
        return tuple(self.metrics.split(","))

    def bucket(self, days: Window) -> str:
        """How long a point of the course is."""
        return self.granularity or ("day" if days.days <= BY_WEEK else "week")

    def own(self, pipe: str) -> dict[str, Any]:
        """What this panel was told to show, where that is not its default."""
        return {name: value for name, value in self._said().items() if name in OWN.get(pipe, ())}

    # --- URLs ---------------------------------------------------------------------------------------------------

    def url(self, panel: str = "", **changes: str) -> str:
        """The page with these differences, at this panel."""
        return url_for(
            "analytics.index", _anchor=f"panel-{panel}" if panel else None, **replace(self, **changes)._said()
        )

    def panel_url(self, pipe: str, **more: Any) -> str:
        """The panel alone."""
        return url_for("analytics.panel", pipe=pipe, **self._said(), **more)

    def campaign_days(self, days: Window) -> dict[str, Any]:
        """The period as /campaigns has it in its URLs."""
        return {"period": CUSTOM, "since": str(days.since), "until": str(days.until)}

    def _said(self) -> dict[str, Any]:
        """What differs from the defaults; dates only where they count."""
        skip = () if self.period == CUSTOM else ("since", "until")
        named = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: value for name, (value, default) in named.items() if value != default and name not in skip}


def _metrics(given: str) -> tuple[str, ...]:
    """Names with commas between, without those that nobody knows."""
    return tuple(name for name in dict.fromkeys(given.split(",")) if name in SERIES)[:MOST_METRICS]


def _date(given: str) -> date | None:
    with suppress(ValueError):
        return date.fromisoformat(given)
    return None


def plain(given: Any) -> str:
    """A choice in words: landing_page is Landing page."""
    return str(given).replace("_", " ").capitalize()
