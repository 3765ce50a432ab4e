"""How the Google Ads API spells campaigns, days and changes (v26). Pure: rows in, our words out; and the other way.

Names are camelCase in JSON, int64 are strings, and a metric of zero is left out. Money is micros. A budget is an
object of its own and may be shared: changing it changes every campaign on it, so they are named (`shared_with`).
Google has no objective; where bidding says what a campaign is for, it is read from there. Conversions are those of the
account's primary goals and may be parts of one; they are dated by the click. Fields: the v26 protos.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from webapp.ads.money import MICROS
from webapp.ads.platform import (
    AccountInfo,
    BudgetLevel,
    BudgetPeriod,
    CampaignState,
    Change,
    DailyInsight,
    Learning,
    Objective,
    PlatformError,
    Status,
    Trouble,
)

Row = Mapping[str, Any]

CUSTOMER = (
    "SELECT customer.id, customer.descriptive_name, customer.currency_code, customer.time_zone, customer.manager, "
    "customer.status FROM customer LIMIT 1"
)
CLIENTS = (
    "SELECT customer_client.id, customer_client.descriptive_name, customer_client.currency_code, "
    "customer_client.time_zone, customer_client.manager, customer_client.status FROM customer_client "
    "WHERE customer_client.manager = FALSE"
)
CAMPAIGNS = (
    "SELECT campaign.id, campaign.name, campaign.status, campaign.primary_status, campaign.primary_status_reasons, "
    "campaign.advertising_channel_type, campaign.bidding_strategy_type, campaign.bidding_strategy_system_status, "
    "campaign.start_date_time, campaign_budget.id, campaign_budget.amount_micros, campaign_budget.total_amount_micros, "
    "campaign_budget.period, campaign_budget.explicitly_shared FROM campaign"
)
LISTED = f"{CAMPAIGNS} WHERE campaign.status != 'REMOVED'"
DAYS = (
    "SELECT campaign.id, segments.date, metrics.cost_micros, metrics.impressions, metrics.clicks, metrics.conversions, "
    "metrics.conversions_value FROM campaign WHERE segments.date BETWEEN '{since}' AND '{until}'"
)

STATUSES: dict[str, Status] = {"ENABLED": "active", "PAUSED": "paused", "REMOVED": "deleted"}
WRITTEN = {"active": "ENABLED", "paused": "PAUSED"}
BY_CHANNEL: dict[str, Objective] = {
    "SHOPPING": "sales",
    "HOTEL": "sales",
    "TRAVEL": "sales",
    "MULTI_CHANNEL": "app",
    "LOCAL_SERVICES": "leads",
}
BY_BIDDING: dict[str, Objective] = {
    "TARGET_ROAS": "sales",
    "MAXIMIZE_CONVERSION_VALUE": "sales",
    "TARGET_SPEND": "traffic",
    "TARGET_CPM": "awareness",
    "TARGET_CPV": "awareness",
    "TARGET_IMPRESSION_SHARE": "awareness",
}
WITHOUT_LEARNING = {"MANUAL_CPC", "MANUAL_CPM", "MANUAL_CPV", "FIXED_CPM", "FIXED_SHARE_OF_VOICE", "TARGET_CPM"}
USUAL = {"CAMPAIGN_PAUSED", "CAMPAIGN_REMOVED", "BIDDING_STRATEGY_LEARNING"}  # reasons that are told elsewhere
SHUT = {
    "CANCELED": "This account is cancelled.",
    "CLOSED": "This account is closed.",
    "SUSPENDED": "Google has suspended this account.",
}


@dataclass(frozen=True)
class Mutation:
    """A POST: the path below the customer, and its body."""

    path: str
    body: dict[str, Any]

    def validating(self) -> Mutation:
        return Mutation(self.path, {**self.body, "validateOnly": True})


# --- reading ----------------------------------------------------------------------------------------------------


@contextmanager
def reading() -> Iterator[None]:
    """Around all that is read: rows in another shape than Google's become a PlatformError."""
    try:
        yield
    except (KeyError, ValueError, TypeError, ArithmeticError, AttributeError) as error:
        said = f"Google's answer has a shape that we do not know ({type(error).__name__})."
        raise PlatformError(Trouble.UNREACHABLE, said, code="unreadable") from None


def read_account(customer: Row, through: str = "") -> AccountInfo:
    """A customer, or a customer_client of the manager `through`."""
    why_not = SHUT.get(customer.get("status", ""), "")
    return AccountInfo(
        external_id=str(customer["id"]),
        name=str(customer.get("descriptiveName") or customer["id"]),
        currency=str(customer["currencyCode"]),
        timezone=str(customer["timeZone"]),
        usable=not why_not,
        why_not=why_not,
        through=through,
    )


def read_campaigns(rows: Sequence[Row]) -> list[CampaignState]:
    """`rows` are all that are not removed: who shares a budget is read from them."""
    on_budget: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        on_budget[_budget(row).get("id", "")].append(row)
    return [read_campaign(row, on_budget[_budget(row).get("id", "")]) for row in rows]


def read_campaign(row: Row, on_budget: Sequence[Row] = ()) -> CampaignState:
    """`on_budget` are the campaigns on the same budget, this one too."""
    campaign, budget = row["campaign"], _budget(row)
    bidding = str(campaign.get("biddingStrategyType", ""))
    amount, period, level = _spelled(budget)
    shared = level == "shared"
    return CampaignState(
        external_id=str(campaign["id"]),
        name=str(campaign.get("name", "")),
        status=STATUSES[campaign["status"]],
        effective_status=str(campaign.get("primaryStatus", "")),
        issues=tuple(_words(reason) for reason in campaign.get("primaryStatusReasons", ()) if reason not in USUAL),
        objective=_objective(str(campaign.get("advertisingChannelType", "")), bidding),
        bid_strategy=bidding,
        budget_micros=amount,
        budget_period=period,
        budget_level=level,
        budget_id=str(budget.get("id", "")),
        shared_with=tuple(_names(on_budget, besides=str(campaign["id"]))) if shared else (),
        learning=_learning(bidding, str(campaign.get("biddingStrategySystemStatus", ""))),
        started_on=_day(campaign.get("startDateTime")),
    )


def read_insight(row: Row) -> DailyInsight:
    metrics = row.get("metrics", {})
    return DailyInsight(
        campaign_id=str(row["campaign"]["id"]),
        day=date.fromisoformat(row["segments"]["date"]),
        spend_micros=int(metrics.get("costMicros", 0)),
        impressions=int(metrics.get("impressions", 0)),
        clicks=int(metrics.get("clicks", 0)),
        orders=float(metrics.get("conversions", 0.0)),
        revenue_micros=round(float(metrics.get("conversionsValue", 0.0)) * MICROS),
    )


def _budget(row: Row) -> Row:
    found: Row = row.get("campaignBudget", {})
    return found


def _spelled(budget: Row) -> tuple[int | None, BudgetPeriod, BudgetLevel]:
    """Amount, period and level. Google says DAILY, or CUSTOM_PERIOD for one sum over all days."""
    level: BudgetLevel = "shared" if budget.get("explicitlyShared") else "campaign"
    if budget.get("period") == "CUSTOM_PERIOD":
        return _micros(budget, "totalAmountMicros"), "lifetime", level
    amount = _micros(budget, "amountMicros")
    return (amount, "daily", level) if amount else (None, "", "unknown")


def _micros(budget: Row, name: str) -> int | None:
    return int(budget.get(name, 0)) or None


def _names(rows: Sequence[Row], besides: str) -> list[str]:
    return [str(row["campaign"].get("name", "")) for row in rows if str(row["campaign"]["id"]) != besides]


def _objective(channel: str, bidding: str) -> Objective:
    return BY_CHANNEL.get(channel) or BY_BIDDING.get(bidding) or "unknown"


def _learning(bidding: str, status: str) -> Learning:
    """Google's LIMITED_… are limits of bids and budgets, after learning; Meta's "limited" is another thing."""
    if status.startswith("LEARNING_") or status == "MULTIPLE_LEARNING":
        return "learning"
    learned = status == "ENABLED" or status.startswith("LIMITED_") or status == "MULTIPLE_LIMITED"
    return "learned" if learned or bidding in WITHOUT_LEARNING else "unknown"


def _words(name: str) -> str:
    """HAS_ADS_DISAPPROVED -> Has ads disapproved"""
    return name.replace("_", " ").capitalize()


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text[:10]) if text else None


def digits(external_id: str) -> str:
    """An id without the dashes that Google's pages write. Raises PlatformError for anything else."""
    found = external_id.replace("-", "").strip()
    if not re.fullmatch(r"[0-9]{1,20}", found):
        raise PlatformError(Trouble.NOT_FOUND, "Google's ids are whole numbers; this is none.")
    return found


# --- writing ----------------------------------------------------------------------------------------------------


def written(change: Change, customer: str) -> Mutation:
    """The mutation that makes the change. Raises PlatformError (REFUSED) for what must not be tried."""
    campaign = f"customers/{customer}/campaigns/{digits(change.external_id)}"
    match change.field:
        case "status":
            return _mutation("campaigns", campaign, "status", _status(change.value))
        case "name":
            return _mutation("campaigns", campaign, "name", str(change.value))
        case "daily_budget":
            budget = f"customers/{customer}/campaignBudgets/{_budget_id(change.state)}"
            return _mutation("campaignBudgets", budget, "amountMicros", _amount(change.value))


def _mutation(collection: str, resource: str, field: str, value: str) -> Mutation:
    operation = {"updateMask": field, "update": {"resourceName": resource, field: value}}
    return Mutation(f"{collection}:mutate", {"operations": [operation]})


def _status(value: str | int) -> str:
    if value not in WRITTEN:
        raise PlatformError(Trouble.REFUSED, "Campaigns are switched on and paused here, never removed.")
    return WRITTEN[str(value)]


def _budget_id(state: CampaignState) -> str:
    if state.budget_period == "lifetime":
        raise PlatformError(Trouble.REFUSED, "It has a total budget, which Google does not turn into a daily one.")
    if not state.budget_id or state.budget_level not in ("campaign", "shared"):
        raise PlatformError(Trouble.REFUSED, "It is not known which budget this campaign uses.")
    return digits(state.budget_id)


def _amount(value: str | int) -> str:
    if int(value) <= 0:
        raise PlatformError(Trouble.REFUSED, "A budget must be more than nothing.")
    return str(int(value))
