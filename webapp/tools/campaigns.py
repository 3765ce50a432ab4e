"""list_campaigns and get_campaign_insights. They change nothing; their numbers come from ads/reports.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webapp.ads import reports
from webapp.ads.figures import PLATFORMS, SORT_KEYS, STATUS_FILTERS, AdSet, CampaignDetail, Query
from webapp.ads.foreign import fence
from webapp.llm.blocks import Json
from webapp.llm.request import ToolSpec
from webapp.tools import Tool, ToolContext, ToolError, arguments, series, targets, telling
from webapp.tools.results import Column, Result, to_text

LIST_CAMPAIGNS = ToolSpec(
    "list_campaigns",
    "List campaigns with their figures in a window: status and why, budget and where it sits, learning, age, spend, "
    "revenue, ROAS, CPA, CTR. Use it to find a campaign_id, to rank, and to compare campaigns. Totals cover all that "
    "fit, also those on later pages.",
    {
        "type": "object",
        "properties": {
            "platform": {"type": "string", "enum": list(PLATFORMS), "description": "Only campaigns of this platform."},
            "status": {
                "type": "string",
                "enum": list(STATUS_FILTERS),
                "default": "live",
                "description": "live is active and paused.",
            },
            "account_id": targets.ACCOUNT,
            "query": {"type": "string", "maxLength": 200, "description": "Part of a name, or an id."},
            **targets.PERIOD,
            "sort": {"type": "string", "enum": list(SORT_KEYS), "default": "spend", "description": "Order by this."},
            "order": {
                "type": "string",
                "enum": ["desc", "asc"],
                "default": "desc",
                "description": "asc puts the lowest first. What is not defined comes last either way.",
            },
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": 100,
                "default": 25,
                "description": "Rows of this page.",
            },
            "offset": {
                "type": "integer",
                "minimum": 0,
                "maximum": 100_000,
                "default": 0,
                "description": "Rows to skip: for the next page.",
            },
        },
        "required": [],
        "additionalProperties": False,
    },
)
CAMPAIGN_INSIGHTS = ToolSpec(
    "get_campaign_insights",
    "One campaign in a window: totals, the series by day, week or month, its ad sets, and the comparison with the "
    "window before. The comparison leaves out days that still grow, on both sides.",
    {
        "type": "object",
        "properties": {
            "campaign_id": targets.CAMPAIGN,
            **targets.PERIOD,
            "granularity": {
                "type": "string",
                "enum": ["day", "week", "month", "total"],
                "default": "day",
                "description": "total gives its ad sets in place of a series.",
            },
        },
        "required": ["campaign_id"],
        "additionalProperties": False,
    },
)
CAMPAIGN_COLUMNS = (
    Column("name", "Campaign", "name"),
    Column("campaign_id", "Id", "id"),
    Column("platform", "Platform"),
    Column("account", "Account", "name"),
    Column("status", "Status", "status"),
    Column("why", "Why", "name"),
    Column("objective", "Objective"),
    Column("budget", "Budget", "money"),
    Column("budget_per", "per"),
    Column("budget_level", "Budget sits on"),
    Column("bid_strategy", "Bidding"),
    Column("learning", "Learning"),
    Column("age_days", "Age", "days"),
    Column("currency", "Currency"),
    *telling.FIGURES,
)


# --- list_campaigns ---------------------------------------------------------------------------------------------


def list_campaigns(context: ToolContext, call_id: str, given: Json) -> str:
    asked = arguments.checked(LIST_CAMPAIGNS.schema, given)
    query = _query(context, asked)
    with context.database.look() as db:
        found = reports.campaigns(context.scope, db, query)
    if not found.accounts:
        raise ToolError(f"No connected ad account is of platform {asked['platform']}.")
    beside = telling.about(found.accounts)
    return to_text(
        Result(
            title="Campaigns",
            columns=CAMPAIGN_COLUMNS,
            rows=[telling.campaign(row) for row in found.rows],
            rows_total=found.total,
            **telling.currency_totals(found.totals),
            **beside,
            caveats=(
                *_paging(query, found.total),
                *telling.totals_said(found.totals),
                *telling.caveats(found.accounts),
            ),
            chart={"kind": "bar", "x": "name", "y": ["spend", "revenue"]},
            link=telling.link("/campaigns", beside, **_filters(query)),
        )
    )


def _query(context: ToolContext, asked: dict[str, Any]) -> Query:
    period = targets.period(asked)
    with context.database.look() as db:
        account_id = targets.account_id(reports.accounts(context.scope, db), asked.get("account_id"))
    return Query(
        period=period,
        status=asked["status"],
        platform=asked.get("platform", ""),
        account_id=account_id,
        text=asked.get("query", ""),
        sort=asked["sort"],
        descending=asked["order"] == "desc",
        limit=asked["limit"],
        offset=asked["offset"],
    )


def _filters(query: Query) -> dict[str, str]:
    """As the campaigns page names them."""
    account = str(query.account_id or "")
    return {"q": query.text, "status": query.status, "platform": query.platform, "account": account, "sort": query.sort}


def _paging(query: Query, fitting: int) -> tuple[str, ...]:
    if query.offset >= fitting > 0:
        return (f"Only {fitting} campaigns fit; offset {query.offset} is past the last.",)
    after = query.offset + query.limit
    return (f"Rows {query.offset + 1} to {after} of {fitting}. The next: offset={after}.",) if after < fitting else ()


# --- get_campaign_insights --------------------------------------------------------------------------------------


def get_campaign_insights(context: ToolContext, call_id: str, given: Json) -> str:
    asked = arguments.checked(CAMPAIGN_INSIGHTS.schema, given)
    named = targets.campaign(context, asked["campaign_id"])
    period = targets.period(asked)
    with context.database.look() as db:
        found = reports.campaign(context.scope, db, named.id, period)
    report, account = found.campaign.report, found.campaign.account
    beside = telling.about([account])
    view, more = _rows(found, asked["granularity"])
    return to_text(
        Result(
            title=f"Campaign {fence(found.campaign.name)}",
            **view,
            totals=telling.figures(report.figures),
            **telling.comparison(report.compared),
            **beside,
            caveats=(_standing(telling.campaign(found.campaign)), *more, *telling.caveats([account])),
            link=telling.link(f"/campaigns/{named.id}", beside),
        )
    )


def _rows(found: CampaignDetail, asked: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Columns, rows and chart: the ad sets, or the days; and a caveat."""
    if asked == "total":
        return {"columns": ADSET_COLUMNS, "rows": [_adset(it) for it in found.adsets]}, ()
    days = found.campaign.report.days
    granularity = series.fitting(asked, len(days))
    rows = series.series(days, granularity)
    view = {"columns": series.COLUMNS[granularity], "rows": rows, "chart": series.LINE}
    return view, series.coarser(asked, granularity)


def _standing(row: Mapping[str, Any]) -> str:
    """How the campaign stands now, in a sentence: the rows are its days."""
    budget = f"{row['budget']:.2f} {row['currency']} per {row.get('budget_per', 'day')}" if row["budget"] else "none"
    said = {
        "campaign_id": row["campaign_id"],
        "status": f"{row['status']} ({row['why']})" if "why" in row else row["status"],
        "budget": f"{budget}, on {row['budget_level']}",
        "learning": row["learning"],
        "objective": row["objective"],
        "age": f"{row['age_days']} days" if row["age_days"] is not None else "not known",
    }
    return "Now: " + "; ".join(f"{key} {value}" for key, value in said.items()) + "."


ADSET_COLUMNS = (
    Column("adset", "Ad set", "name"),
    Column("adset_id", "Id", "name"),
    Column("status", "Status", "status"),
    Column("learning", "Learning"),
    *telling.FIGURES,
)


def _adset(of: AdSet) -> dict[str, Any]:
    row = {"adset": fence(of.name), "adset_id": fence(of.id), "status": of.status, "learning": of.learning}
    return row if of.figures is None else {**row, **telling.figures(of.figures)}


LIST = Tool(LIST_CAMPAIGNS, list_campaigns)
INSIGHTS = Tool(CAMPAIGN_INSIGHTS, get_campaign_insights)
