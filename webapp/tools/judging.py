"""The verdict on every campaign of the accounts that are looked at: pause, keep or undecided, and the small print.

The rule itself is ads/evidence.py. Each account is judged on its own mature days and on its own rate of orders.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from webapp.ads import reports
from webapp.ads.evidence import Basis, Rule, basis, judge
from webapp.ads.figures import Account, Figures, Query, Report
from webapp.ads.foreign import fence
from webapp.ads.plans import Findings, Judged
from webapp.ads.windows import Window
from webapp.tools import ToolContext, ToolError, targets

__all__ = ["Found", "Rule", "judged"]

EVERY = 10_000  # campaigns of one account, at most


@dataclass(frozen=True)
class Found:
    """The verdicts, the ones that matter most first; `writable` are the campaigns whose accounts take changes."""

    verdicts: tuple[Judged, ...]
    writable: frozenset[uuid.UUID]
    accounts: tuple[dict[str, Any], ...]
    caveats: tuple[str, ...]

    def besides(self, rule: Rule) -> Findings:
        """What goes with a plan: those that it leaves alone, and the small print."""
        return Findings(
            kept=tuple(it for it in self.verdicts if it.evidence.verdict == "keep"),
            undecided=tuple(it for it in self.verdicts if it.evidence.verdict == "undecided"),
            report={
                "threshold": rule.threshold,
                "window_days": rule.window_days,
                "confidence": rule.confidence,
                "accounts": list(self.accounts),
            },
        )


ORDER = {"pause": 0, "undecided": 1, "keep": 2}


def judged(context: ToolContext, rule: Rule, platform: str | None, account: str | None) -> Found:
    """Raises ToolError where no connected account is meant."""
    verdicts: list[Judged] = []
    writable: set[uuid.UUID] = set()
    told, caveats = [], []
    for each in _accounts(context, platform, account):
        on, its = _of_account(context, rule, each)
        verdicts += its
        told.append({"account": fence(each.name), "since": str(on.since), "until": str(on.until)})
        caveats += _caveats(each, on)
        if each.writable:
            writable.update(it.campaign_id for it in its)
    verdicts.sort(key=lambda it: (ORDER[it.evidence.verdict], -it.evidence.spend_micros))
    return Found(tuple(verdicts), frozenset(writable), tuple(told), tuple(caveats))


def _accounts(context: ToolContext, platform: str | None, given: str | None) -> Sequence[Account]:
    with context.database.look() as db:
        accounts = reports.accounts(context.scope, db)
    wanted = targets.account_id(accounts, given)
    found = [
        account
        for account in accounts
        if wanted in (None, account.id) and platform in (None, account.platform, account.network)
    ]
    if not found:
        raise ToolError(f"No connected ad account is of platform {platform}.")
    return found


def _of_account(context: ToolContext, rule: Rule, account: Account) -> tuple[Basis, list[Judged]]:
    days = Window(account.mature_until - timedelta(rule.window_days - 1), account.mature_until)
    with context.database.look() as db:
        whole = reports.overview(context.scope, db, days, account_id=account.id)
        query = Query(period=days, account_id=account.id, status="active", limit=EVERY)
        campaigns = reports.campaigns(context.scope, db, query).rows
    on = basis(
        by_day(whole.accounts[0][1]), rule, until=account.mature_until, target_cpa_micros=account.target_cpa_micros
    )
    now = datetime.now(UTC)
    return on, [Judged(it.id, it.name, account.currency, judge(it, by_day(it.report), on, now=now)) for it in campaigns]


def by_day(report: Report) -> Mapping[date, Figures]:
    return {day.day: day.figures for day in report.days}


def _caveats(account: Account, on: Basis) -> list[str]:
    name = fence(account.name)
    said = [f"{name}: judged on {on.since} to {on.until}, its mature days."]
    if on.refusal:
        said.append(f"{name}: {on.refusal}")
    if on.blind:
        blind = ", ".join(map(str, sorted(on.blind)))
        said.append(f"{name}: nothing was tracked on {blind}; left out. Check the pixel.")
    if not account.writable:
        said.append(targets.read_only(account))
    return said
