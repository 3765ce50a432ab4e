"""What the columns of the pipes mean: label, unit, definition, and what a number is made from. One word, one meaning.

A file's endpoint may only name columns of this vocabulary. `x_prev` is x in the compared period and `x_change` their
relative difference; `total_x`, `x_fair` and rows_total are about the whole answer, and never reach a row (answers.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from webapp.analytics.answers import Column, Unit

Source = Literal["ads", "orders", "visits"]
ADS: frozenset[Source] = frozenset({"ads"})
ORDERS: frozenset[Source] = frozenset({"orders"})
VISITS: frozenset[Source] = frozenset({"visits"})
NOTHING: frozenset[Source] = frozenset()


@dataclass(frozen=True)
class Meaning:
    """`made_from`: without one of these in the workspace the number is not defined. `claimed`: as an ad platform
    attributes it, so that the newest days still grow."""

    label: str
    unit: Unit
    definition: str = ""
    made_from: frozenset[Source] = NOTHING
    claimed: bool = False


VOCABULARY: dict[str, Meaning] = {
    # money and counts
    "spend": Meaning("Spend", "money", "what the ad platforms charged", ADS),
    "revenue": Meaning("Revenue", "money", "the shop's orders, {basis}", ORDERS),
    "orders": Meaning("Orders", "count", "the shop's orders, on the day they were placed", ORDERS),
    "new_customers": Meaning("New customers", "count", "first orders of a customer", ORDERS),
    "platform_revenue": Meaning("Platform revenue", "money", "revenue as the ad platforms attribute it", ADS, True),
    "platform_orders": Meaning("Platform orders", "count", "orders as the ad platforms attribute them", ADS, True),
    "impressions": Meaning("Impressions", "count", "", ADS),
    "clicks": Meaning("Clicks", "count", "link clicks where the platform tells them apart", ADS),
    "sessions": Meaning("Sessions", "count", "visits to the shop's site", VISITS),
    # ratios of sums
    "roas": Meaning("ROAS", "ratio", "platform_revenue / spend", ADS, True),
    "mer": Meaning("MER", "ratio", "revenue / spend (the shop's, all channels). Some tools print spend / revenue.",
                   ADS | ORDERS),
    "cpa": Meaning("CPA", "money", "spend / platform_orders", ADS, True),
    "cac": Meaning("CAC", "money", "spend / new_customers", ADS | ORDERS),
    "aov": Meaning("AOV", "money", "revenue / orders", ORDERS),
    "ctr": Meaning("CTR", "percent", "clicks / impressions", ADS),
    "cpc": Meaning("CPC", "money", "spend / clicks", ADS),
    "cpm": Meaning("CPM", "money", "1000 * spend / impressions", ADS),
    "cvr": Meaning("Conversion rate", "percent", "orders / sessions", ORDERS | VISITS),
    "share": Meaning("Share", "percent", "revenue / revenue of all segments", ORDERS),
    # what a row is
    "currency": Meaning("Currency", "text"),
    "bucket": Meaning("From", "date", "first day of the day, week (Monday) or month"),
    "is_maturing": Meaning("Still grows", "flag", "holds days whose platform orders still come in"),
    "segment": Meaning("Segment", "text"),
    "campaign_id": Meaning("Campaign id", "id"),
    "id": Meaning("Id", "text", "of the ad set or ad, as its platform names it; empty for a whole campaign"),
    "name": Meaning("Name", "name"),
    "campaign": Meaning("Campaign", "name"),
    "platform": Meaning("Platform", "text"),
    "status": Meaning("Status", "status"),
    "learning": Meaning("Learning", "status"),
    "evidence": Meaning("Evidence", "count", "platform_orders that the row's ratios rest on", ADS),
    "step": Meaning("Step", "text"),
    "step_rate": Meaning("Of the step before", "percent", "sessions / sessions of the step before", VISITS),
    "overall_rate": Meaning("Of all", "percent", "sessions / all sessions", VISITS),
    # attribution
    "channel": Meaning("Channel", "text"),
    "attributed_orders": Meaning("Credited orders", "count", "the shop's orders, shared out by the model", ORDERS),
    "attributed_revenue": Meaning("Credited revenue", "money", "the shop's revenue, shared out by the model", ORDERS),
    "attributed_roas": Meaning("Credited ROAS", "ratio", "attributed_revenue / spend", ADS | ORDERS),
    "gap": Meaning("Claimed beyond", "money", "platform_revenue - attributed_revenue: platforms count orders twice",
                   ADS | ORDERS, True),
    # cohorts
    "cohort": Meaning("First order in", "date", "month of the first order"),
    "customers": Meaning("Customers", "count", "with their first order in that month", ORDERS),
    "month_n": Meaning("Month", "count", "0 is the month of the first order"),
    "revenue_per_customer": Meaning("In this month", "money", "revenue of the month / customers of the cohort", ORDERS),
    "cumulative_ltv": Meaning("LTV so far", "money", "revenue up to this month / customers of the cohort", ORDERS),
    "repeat_rate": Meaning("Came back", "percent", "customers with a second order by this month / customers", ORDERS),
    # anomalies
    "date": Meaning("Day", "date"),
    "metric": Meaning("Metric", "text"),
    "value": Meaning("Value", "ratio"),
    "expected": Meaning("Expected", "ratio", "median of the same weekday in the eight weeks before"),
    "z": Meaning("z", "ratio", "(value - expected) / (1.4826 MAD, at least 5 % of expected)"),
    "direction": Meaning("Direction", "text"),
    "likely_cause": Meaning("Moved most", "text", "the factor of the metric whose own change pushed it most"),
}  # fmt: skip


def hidden(key: str) -> bool:
    """About the whole answer, not about a row."""
    return key == "rows_total" or key.startswith("total_") or key.endswith(("_fair", "_fair_prev"))


def plain(key: str) -> str:
    """The word of the vocabulary behind a column: roas of total_roas, roas_prev and roas_fair."""
    return key.removeprefix("total_").removesuffix("_prev").removesuffix("_fair").removesuffix("_change")


def meaning(key: str) -> Meaning:
    """Raises KeyError for a word nobody defined."""
    return VOCABULARY[plain(key)]


def column(key: str) -> Column:
    of = meaning(key)
    if key.endswith("_change"):
        return Column(key, f"{of.label}, change", "percent")
    return Column(key, f"{of.label}, before" if key.endswith("_prev") else of.label, of.unit)
