"""How Meta's Graph API spells campaigns, days and changes. Pure: rows in, our words out; and the other way round.

What its answers are like (recorded bodies show it): a field without a value is left out, also when it was asked for; a
budget that is not set may come as "0"; an unset start is 1969-12-31; ids, budgets and counts are strings; `spend` is in
units, budgets in minor units by Meta's own table (money.py). Without Advantage campaign budget, campaigns hold no
budget and their ad sets do.

The same purchase stands in `actions` under up to eight types (omni_purchase, purchase, fb_pixel_purchase, ...), so they
are never added up: the first of PURCHASES that is there counts, for orders and revenue alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from webapp.ads.money import MICROS, Money
from webapp.ads.platform import (
    AccountInfo,
    AdSetState,
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

ACCOUNT_FIELDS = "account_id,name,account_status,currency,timezone_name"
CAMPAIGN_FIELDS = (
    "id,account_id,name,status,effective_status,objective,bid_strategy,daily_budget,lifetime_budget,start_time,"
    "updated_time,issues_info,smart_promotion_type"
)
ADSET_FIELDS = "id,campaign_id,name,effective_status,daily_budget,lifetime_budget,learning_stage_info"
INSIGHT_FIELDS = "date_start,campaign_id,spend,impressions,inline_link_clicks,actions,action_values"

LISTED = ("ACTIVE", "PAUSED", "IN_PROCESS", "WITH_ISSUES", "ARCHIVED")  # of campaigns; without it archived ones lack
COUNTED = (*LISTED, "DELETED")  # what a deleted campaign spent was spent

PURCHASES = ("omni_purchase", "purchase", "offsite_conversion.fb_pixel_purchase")

STATUSES: dict[str, Status] = {"ACTIVE": "active", "PAUSED": "paused", "ARCHIVED": "archived", "DELETED": "deleted"}
OBJECTIVES: dict[str, Objective] = {
    "OUTCOME_SALES": "sales",
    "OUTCOME_LEADS": "leads",
    "OUTCOME_TRAFFIC": "traffic",
    "OUTCOME_ENGAGEMENT": "engagement",
    "OUTCOME_AWARENESS": "awareness",
    "OUTCOME_APP_PROMOTION": "app",
    "CONVERSIONS": "sales",  # from here on: campaigns made before 2023
    "PRODUCT_CATALOG_SALES": "sales",
    "STORE_VISITS": "sales",
    "LEAD_GENERATION": "leads",
    "LINK_CLICKS": "traffic",
    "POST_ENGAGEMENT": "engagement",
    "PAGE_LIKES": "engagement",
    "EVENT_RESPONSES": "engagement",
    "MESSAGES": "engagement",
    "VIDEO_VIEWS": "awareness",
    "BRAND_AWARENESS": "awareness",
    "REACH": "awareness",
    "LOCAL_AWARENESS": "awareness",
    "APP_INSTALLS": "app",
}
LEARNING: dict[str, Learning] = {"LEARNING": "learning", "SUCCESS": "learned", "FAIL": "limited"}
CLOSED = {2: "Meta has disabled this account.", 100: "This account is being closed.", 101: "This account is closed."}

# Since 19 May 2026 no version of the API changes them (Marketing API v25.0, out-of-cycle changes).
FROZEN = {"AUTOMATED_SHOPPING_ADS": "Advantage+ shopping", "SMART_APP_PROMOTION": "Advantage+ app"}
FROZEN_SAYS = "This is an old {kind} campaign. Meta no longer lets other software change those: use Ads Manager."


# --- reading ----------------------------------------------------------------------------------------------------


@contextmanager
def reading() -> Iterator[None]:
    """Around all that is read: rows in another shape than Meta's become a PlatformError."""
    try:
        yield
    except (KeyError, ValueError, TypeError, ArithmeticError, AttributeError) as error:
        said = f"Meta's answer has a shape that we do not know ({type(error).__name__})."
        raise PlatformError(Trouble.UNREACHABLE, said, code="unreadable") from None


def read_account(row: Row) -> AccountInfo:
    why_not = CLOSED.get(row.get("account_status", 1), "")
    return AccountInfo(
        external_id=str(row["account_id"]),
        name=str(row.get("name") or row["account_id"]),
        currency=str(row["currency"]),
        timezone=str(row.get("timezone_name", "")),
        usable=not why_not,
        why_not=why_not,
    )


def read_campaign(row: Row, adset_rows: Sequence[Row], currency: str) -> CampaignState:
    """`adset_rows` are those of this campaign. Rows may hold more or less than was asked for."""
    adsets = tuple(read_adset(each, currency) for each in adset_rows)
    daily, lifetime = _budget(row, "daily_budget", currency), _budget(row, "lifetime_budget", currency)
    own = daily or lifetime
    learning, events = _learning(adset_rows)
    return CampaignState(
        external_id=str(row["id"]),
        name=str(row.get("name", "")),
        status=STATUSES[row.get("status") or row.get("configured_status") or row["effective_status"]],
        effective_status=str(row.get("effective_status", "")),
        issues=_issues(row),
        objective=OBJECTIVES.get(row.get("objective", ""), "unknown"),
        bid_strategy=str(row.get("bid_strategy", "")),
        budget_micros=own,
        budget_period="daily" if daily else "lifetime" if lifetime else "",
        budget_level="campaign" if own else "adset" if any(a.budget_micros for a in adsets) else "none",
        adsets=adsets,
        learning=learning,
        learning_events=events,
        started_on=_day(row.get("start_time")),
        changed_at=_moment(row.get("updated_time")),
    )


def read_adset(row: Row, currency: str) -> AdSetState:
    return AdSetState(
        external_id=str(row["id"]),
        name=str(row.get("name", "")),
        status=str(row.get("effective_status", "")),
        budget_micros=_budget(row, "daily_budget", currency) or _budget(row, "lifetime_budget", currency),
        learning=LEARNING.get((row.get("learning_stage_info") or {}).get("status", ""), "unknown"),
    )


def read_insight(row: Row, currency: str) -> DailyInsight:
    orders, revenue = purchases(row)
    return DailyInsight(
        campaign_id=str(row["campaign_id"]),
        day=date.fromisoformat(row["date_start"]),
        spend_micros=Money(Decimal(row.get("spend", "0")), currency).micros,
        impressions=int(row.get("impressions", 0)),
        clicks=int(row.get("inline_link_clicks", 0)),
        orders=float(orders),
        revenue_micros=Money(revenue, currency).micros,
    )


def purchases(row: Row) -> tuple[Decimal, Decimal]:
    """How many, and worth how much in units, each purchase counted once."""
    counts, values = _by_type(row.get("actions")), _by_type(row.get("action_values"))
    chosen = next((each for each in PURCHASES if each in counts), None)
    chosen = chosen or next((each for each in PURCHASES if each in values), "")
    return counts.get(chosen, Decimal(0)), values.get(chosen, Decimal(0))


def _by_type(actions: Iterable[Row] | None) -> dict[str, Decimal]:
    return {str(each["action_type"]): Decimal(str(each.get("value", 0))) for each in actions or ()}


def _budget(row: Row, name: str, currency: str) -> int | None:
    """Micros; None for one that is absent or "0"."""
    return Money.from_meta(row.get(name) or 0, currency).micros or None


def _learning(adset_rows: Sequence[Row]) -> tuple[Learning, int | None]:
    """A campaign learns as long as one of its running ad sets does; events are those of the one that has fewest."""
    running = [row for row in adset_rows if row.get("effective_status") == "ACTIVE"] or adset_rows
    stages = [row.get("learning_stage_info") or {} for row in running]
    found = {LEARNING.get(stage.get("status", ""), "unknown") for stage in stages}
    events = [int(s["conversions"]) for s in stages if s.get("status") == "LEARNING" and "conversions" in s]
    order: tuple[Learning, ...] = ("learning", "unknown", "limited", "learned")
    return next((each for each in order if each in found), "unknown"), min(events, default=None)


def _issues(row: Row) -> tuple[str, ...]:
    told = [each.get("error_summary") or each.get("error_message") for each in row.get("issues_info") or ()]
    frozen = FROZEN.get(row.get("smart_promotion_type", ""))
    return tuple(map(str, filter(None, told))) + ((FROZEN_SAYS.format(kind=frozen),) if frozen else ())


def _day(text: str | None) -> date | None:
    """A day at the account: times carry its offset. None for "never", which Meta writes as the start of 1970."""
    found = datetime.fromisoformat(text).date() if text else None
    return found if found and found.year > 1970 else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


# --- writing ----------------------------------------------------------------------------------------------------


def written(change: Change, currency: str) -> dict[str, str]:
    """The fields of a POST that makes the change. Raises PlatformError (REFUSED) for what must not be tried."""
    match change.field:
        case "status":
            return {"status": _status(change.value)}
        case "name":
            return {"name": str(change.value)}
        case "daily_budget":
            _check_budget(change.state)
            return {"daily_budget": _minor(int(change.value), currency)}


def _status(value: str | int) -> str:
    if value not in ("active", "paused"):
        raise PlatformError(Trouble.REFUSED, "Campaigns are switched on and paused here, never archived or deleted.")
    return str(value).upper()


def _check_budget(state: CampaignState) -> None:
    if state.budget_level == "adset":
        where = ", ".join(f"“{adset.name}”" for adset in state.adsets if adset.budget_micros)
        count = sum(1 for adset in state.adsets if adset.budget_micros)
        sets = "ad set" if count == 1 else f"{count} ad sets"
        raise PlatformError(Trouble.REFUSED, f"The budget sits on the {sets} {where}, not on the campaign.")
    if state.budget_period == "lifetime":
        raise PlatformError(
            Trouble.REFUSED, "The campaign has a lifetime budget. Meta does not turn it into a daily one."
        )
    if state.budget_level != "campaign":
        raise PlatformError(Trouble.REFUSED, "It is not known where the budget of this campaign sits.")


def _minor(micros: int, currency: str) -> str:
    if micros < MICROS / 100:
        raise PlatformError(Trouble.REFUSED, "A budget must be more than nothing.")
    try:
        return str(Money.from_micros(micros, currency).meta)
    except ValueError:
        raise PlatformError(Trouble.REFUSED, f"Meta's budgets in {currency} cannot be that fine.") from None


def explained(error: PlatformError, state: CampaignState) -> PlatformError:
    """A refusal, with the reason that Meta's own sentence hides: the campaign is one of the frozen kinds."""
    frozen = [issue for issue in state.issues if issue in _FROZEN_SENTENCES]
    if error.trouble is not Trouble.REFUSED or not frozen:
        return error
    told = f"{frozen[0]} Meta said: {error.message}"
    return PlatformError(error.trouble, told, code=error.code, request_id=error.request_id)


_FROZEN_SENTENCES = {FROZEN_SAYS.format(kind=kind) for kind in FROZEN.values()}
