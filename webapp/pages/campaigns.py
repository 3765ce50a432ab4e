"""/campaigns: the table of all campaigns, and a page for each one with its course, its ad sets and its changes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.accounts import Right, Scope
from webapp.ads import accounts, changes, reports
from webapp.ads.accounts import AccountRow
from webapp.ads.faults import NAMES
from webapp.ads.figures import Campaign, Day, Report
from webapp.ads.plans import ItemView, PlanView
from webapp.pages import ad_accounts, campaign_urls, charts, figures, freshness, measures, web
from webapp.pages.campaign_urls import Asked
from webapp.pages.charts import Series, TimeChart
from webapp.pages.measures import BY_KEY

bp = Blueprint("campaigns", __name__)

STATUSES = (
    ("live", "Active and paused"),
    ("active", "Active"),
    ("paused", "Paused"),
    ("archived", "Archived"),
    ("deleted", "Deleted"),
    ("all", "Any status"),
)
QUESTION = "How is this campaign doing, and what should I change?"
MANAGERS = {
    "meta": "https://adsmanager.facebook.com/adsmanager/manage/campaigns?act={account}&selected_campaign_ids={campaign}",
    "google": "https://ads.google.com/aw/campaigns",
}


@bp.get("/campaigns")
@web.within(Right.READ)
def index(scope: Scope) -> ResponseReturnValue:
    """The whole page, or for htmx only the table, with the URL that shows the same."""
    asked = Asked.of(request.args)
    if not web.is_htmx():
        ad_accounts.read_stale(scope)
    with web.database().look() as db:
        connected = accounts.listed(scope, db)
        listing = reports.campaigns(scope, db, asked.query())
    shown = {
        "asked": asked,
        "listing": listing,
        "connected": connected,
        "days": freshness.hull(account.window for account in listing.accounts),
        "notes": freshness.notes(listing.accounts, [sum.report.compared for sum in listing.totals]),
        **_choices(connected),
        **_words(connected),
    }
    status = 422 if asked.problem else 200
    if web.is_htmx() and "HX-History-Restore-Request" not in request.headers:
        table = make_response(render_template("campaigns/_table.html", **shown), status)
        table.headers["HX-Push-Url"] = asked.url()
        return table
    return render_template("campaigns/index.html", **shown), status


@bp.get("/campaigns/freshness")
@web.within(Right.READ)
def fresh(scope: Scope) -> ResponseReturnValue:
    """The strip that watches a running sync."""
    with web.database().look() as db:
        connected = accounts.listed(scope, db)
    return render_template("campaigns/_freshness.html", watched=True, **_words(connected))


@bp.get("/campaigns/<uuid:campaign_id>")
@web.within(Right.READ)
def show(scope: Scope, campaign_id: uuid.UUID) -> ResponseReturnValue:
    asked = Asked.of(request.args)
    with web.database().look() as db:
        detail = reports.campaign(scope, db, campaign_id, asked.days)
        row = detail.campaign
        earlier = reports.campaign(scope, db, campaign_id, row.account.window.earlier()).campaign.report
        account = accounts.find(scope, db, row.account.id)
        plans = changes.of_campaign(scope, db, campaign_id)
    page = make_response(
        render_template(
            "campaigns/campaign.html",
            asked=asked,
            row=row,
            detail=detail,
            days=row.account.window,
            notes=freshness.notes([row.account], [row.report.compared]),
            drawn=_charts(row, earlier),
            done=_changes_of(campaign_id, plans),
            manager=_manager(account, row),
            **_words([account]),
        ),
        422 if asked.problem else 200,
    )
    page.headers["HX-Push-Url"] = asked.of_campaign(campaign_id)
    return page


def _words(connected: Sequence[AccountRow]) -> dict[str, Any]:
    """What the templates of campaigns say things with."""
    return {
        "outlook": freshness.outlook(connected),
        "figures": figures,
        "measures": measures,
        "periods": campaign_urls.PERIODS,
        "page_size": campaign_urls.PAGE,
        "platform_names": NAMES,
        "accounts_page": accounts.PAGE.url,
        "ask_url": _ask_url,
    }


def _choices(connected: Sequence[AccountRow]) -> dict[str, Any]:
    """What the filters offer: values with their words."""
    platforms = dict.fromkeys(account.platform for account in connected)
    return {
        "statuses": STATUSES,
        "platforms": [("", "All platforms"), *((platform, NAMES[platform]) for platform in platforms)],
        "owners": [("", "All accounts"), *((str(account.id), account.name) for account in connected)],
    }


def _ask_url(campaign_id: uuid.UUID, place: str = "chat.index") -> str:
    """The chat, or the drawer, with the campaign as its context and a question prepared."""
    return url_for(place, context=f"campaign:{campaign_id}", draft=QUESTION)


# --- one campaign -----------------------------------------------------------------------------------------------


def _charts(row: Campaign, earlier: Report) -> tuple[TimeChart, ...]:
    """Spend beside revenue; ROAS and orders beside the period before."""
    course = _Course(row, row.report.days, earlier.days)
    return (
        course.line("course", "Spend and revenue", course.of("spend"), course.of("revenue")),
        course.line("roas", "ROAS", course.beside_before("roas")),
        course.line("orders", "Orders", course.beside_before("orders")),
    )


@dataclass(frozen=True)
class _Course:
    """A campaign's days as series, with as many days before them."""

    row: Campaign
    days: tuple[Day, ...]
    before: tuple[Day, ...]

    def line(self, id: str, title: str, *series: Series) -> TimeChart:
        unit = BY_KEY[series[0].name.lower()].unit
        account, dates = self.row.account, [day.day for day in self.days]
        draw = charts.columns if unit == "count" else charts.line
        return draw(
            id,
            title,
            dates,
            series,
            unit,
            currency=account.currency,
            maturing_from=account.maturing_from,
            previous_name=f"Previous {len(dates)} days",
        )

    def of(self, key: str) -> Series:
        measure = BY_KEY[key]
        return Series(measure.label, measures.course(measure, self.days, self.row.account.data_through))

    def beside_before(self, key: str) -> Series:
        measure = BY_KEY[key]
        return replace(self.of(key), previous=measures.course(measure, self.before, None))


@dataclass(frozen=True)
class Done:
    """What a plan does or did to this campaign. `who`: whoever let it, else whoever asked for it."""

    item: ItemView
    plan: PlanView
    what: str
    who: str
    before: str
    after: str
    state: str
    tone: str


ITEM_STATES = {
    "done": ("Done", "ok"),
    "failed": ("Failed", "bad"),
    "drifted": ("Changed elsewhere", "warn"),
    "unknown": ("Outcome unknown", "warn"),
    "skipped": ("Skipped", "quiet"),
    "unticked": ("Left out", "quiet"),
    "claimed": ("Running", "info"),
}
PLAN_STATES = {
    "pending": ("Waiting for approval", "info"),
    "approved": ("Running", "info"),
    "rejected": ("Rejected", "quiet"),
    "expired": ("Expired", "quiet"),
    "cancelled": ("Cancelled", "quiet"),
    "preview": ("Preview only", "quiet"),
    "finished": ("Not done", "quiet"),
}
FIELDS = {"status": "Status", "daily_budget": "Daily budget", "name": "Name"}


def _changes_of(campaign_id: uuid.UUID, plans: Sequence[PlanView]) -> list[Done]:
    """The newest first."""
    return [_done(plan, item) for plan in plans for item in plan.items if item.campaign_id == campaign_id]


def _done(plan: PlanView, item: ItemView) -> Done:
    state, tone = ITEM_STATES.get(item.status) or PLAN_STATES[plan.status]
    who = plan.decided_by or plan.proposed_by
    by = f"{who}, asked for by {plan.model}" if plan.model else who
    return Done(item, plan, FIELDS[item.field], by, _value(item, item.before), _value(item, item.after), state, tone)


def _value(item: ItemView, value: str | int | None) -> str:
    if item.field == "daily_budget" and isinstance(value, int):
        return f"{figures.money(value, item.currency)} a day"
    return figures.DASH if value is None else str(value)


def _manager(account: AccountRow, row: Campaign) -> str:
    """Where the platform shows the campaign itself; empty for a demo or a file."""
    return MANAGERS.get(row.account.platform, "").format(account=account.external_id, campaign=row.external_id)
