"""get_account_insights: whole ad accounts. It changes nothing; its numbers come from ads/reports.py.

What is in several currencies comes row by row, or as a series of each, never as one sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from webapp.ads import reports
from webapp.ads.figures import PLATFORMS, Account, CurrencyTotal, Report
from webapp.ads.foreign import fence
from webapp.ads.totals import totals
from webapp.ads.windows import Period
from webapp.llm.blocks import Json
from webapp.llm.request import ToolSpec
from webapp.tools import Tool, ToolContext, ToolError, arguments, series, targets, telling
from webapp.tools.results import Column, Result, to_text

ACCOUNT_INSIGHTS = ToolSpec(
    "get_account_insights",
    "Whole ad accounts in a window, all their campaigns together: what was spent, earned, and the comparison with the "
    "window before. One row for each account and the totals of each currency, or a series. Start here for questions "
    "about spend or ROAS as a whole.",
    {
        "type": "object",
        "properties": {
            "account_id": targets.ACCOUNT,
            "platform": {"type": "string", "enum": list(PLATFORMS), "description": "Only accounts of this platform."},
            **targets.PERIOD,
            "granularity": {
                "type": "string",
                "enum": ["total", "day", "week", "month"],
                "default": "total",
                "description": "day, week, month: a series for each currency in place of a row for each account.",
            },
        },
        "required": [],
        "additionalProperties": False,
    },
)


def get_account_insights(context: ToolContext, call_id: str, given: Json) -> str:
    asked = arguments.checked(ACCOUNT_INSIGHTS.schema, given)
    accounts, sums = _accounts(context, asked, targets.period(asked))
    heads = [account for account, _ in accounts]
    view = _by_account(accounts, sums) if asked["granularity"] == "total" else _by_time(sums, asked["granularity"])
    beside = telling.about(heads)
    return to_text(
        Result(
            title="Ad accounts",
            **{**view, "caveats": (*view.get("caveats", ()), *telling.caveats(heads))},
            **telling.currency_totals(sums),
            **beside,
            link=telling.link("/campaigns", beside, status="all", platform=asked.get("platform", "")),
        )
    )


def _accounts(
    context: ToolContext, asked: Mapping[str, Any], period: Period
) -> tuple[list[tuple[Account, Report]], tuple[CurrencyTotal, ...]]:
    with context.database.look() as db:
        found = reports.overview(context.scope, db, period)
    wanted = targets.account_id([account for account, _ in found.accounts], asked.get("account_id"))
    platform = asked.get("platform")
    kept = [
        (account, report)
        for account, report in found.accounts
        if wanted in (None, account.id) and platform in (None, account.platform, account.network)
    ]
    if not kept:
        raise ToolError(f"No connected ad account is of platform {platform}.")
    return kept, totals(kept)


ACCOUNT_COLUMNS = (
    Column("account", "Account", "name"),
    Column("account_id", "Id", "id"),
    Column("platform", "Platform"),
    Column("currency", "Currency"),
    *telling.FIGURES,
    Column("spend_change", "Spend change", "percent"),
    Column("roas_before", "ROAS before", "ratio"),
    Column("roas_compared", "ROAS compared", "ratio"),
)


def _by_account(accounts: Sequence[tuple[Account, Report]], sums: Sequence[CurrencyTotal]) -> dict[str, Any]:
    """A row for each account; below them, where there are several currencies, the total of each."""
    rows = [
        {
            "account": fence(account.name),
            "account_id": account.ref,
            "platform": telling.platform(account),
            "currency": account.currency,
            **_with_change(report),
        }
        for account, report in accounts
    ]
    if len(sums) > 1:
        rows += [
            {"account": f"Total in {it.currency}", "currency": it.currency, **_with_change(it.report)} for it in sums
        ]
    chart = {"kind": "bar", "x": "account", "y": ["spend", "revenue"]} if len(sums) == 1 else None
    return {"columns": ACCOUNT_COLUMNS, "rows": rows, "chart": chart}


def _with_change(report: Report) -> dict[str, Any]:
    compared = telling.comparison(report.compared)
    if not compared:
        return telling.figures(report.figures)
    return {
        **telling.figures(report.figures),
        "spend_change": compared["change"].get("spend"),
        "roas_before": compared["previous"]["roas"],
        "roas_compared": compared["compared"]["roas"],
    }


def _by_time(sums: Sequence[CurrencyTotal], asked: str) -> dict[str, Any]:
    """A series for each currency."""
    granularity = series.fitting(asked, max(len(it.report.days) for it in sums), len(sums))
    rows = [{**row, "currency": it.currency} for it in sums for row in series.series(it.report.days, granularity)]
    return {
        "columns": (*series.COLUMNS[granularity], Column("currency", "Currency")),
        "rows": rows,
        "chart": series.LINE,  # the page draws one for each currency
        "caveats": (*series.coarser(asked, granularity), *telling.totals_said(sums)),
    }


INSIGHTS = Tool(ACCOUNT_INSIGHTS, get_account_insights)
