"""What there is to say about a file before it is saved: how it is read, what it would change, what is in the way.

The steps of an import: imports.py. How files are read: ads/imports.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from webapp.accounts import Scope
from webapp.ads.imports import keeping, orders
from webapp.ads.imports.ad_days import AdFile
from webapp.ads.imports.choices import Choices
from webapp.ads.imports.keeping import Target
from webapp.ads.imports.review import Review, review
from webapp.ads.imports.shop_orders import OrderFile
from webapp.ads.imports.uploads import Kept
from webapp.ads.money import Money
from webapp.ads.windows import today_in
from webapp.analytics import shop
from webapp.analytics.shop import DemoShop, Shop
from webapp.errors import UserError
from webapp.pages import web


@dataclass(frozen=True)
class Outlook:
    """Everything there is to say about a file before it is saved. `blocked` is what has to be done elsewhere first."""

    kept: Kept
    review: Review
    targets: Sequence[Target]
    compared: keeping.Compared | orders.Compared | None = None
    blocked: UserError | None = None
    live: Sequence[str] = ()
    shop: Shop | None = None

    @property
    def ready(self) -> bool:
        return self.review.ready and self.blocked is None


def outlook_of(scope: Scope, kept: Kept) -> Outlook:
    """The file as it would be saved, compared with what is there."""
    outlook = reviewed(scope, kept)
    return _compared(scope, outlook) if outlook.review.ready else outlook


def reviewed(scope: Scope, kept: Kept) -> Outlook:
    """Reading a large file takes its time, so no transaction is open meanwhile."""
    with web.database().begin() as db:
        found = keeping.targets(scope, db, kept.sheet.kind)
        there = shop.find(scope, db)
    kept = replace(kept, choices=_settled(kept, found, there))
    looked = review(kept.sheet, kept.choices, today=today(kept.choices))
    return Outlook(kept, looked, found, blocked=_blocked(kept, looked, found, there), shop=there)


def _compared(scope: Scope, outlook: Outlook) -> Outlook:
    kept, looked = outlook.kept, outlook.review
    with web.database().begin() as db:
        match looked.found:
            case AdFile() as file:
                account_id = uuid.UUID(kept.choices.account) if kept.choices.account else None
                live = keeping.also_live(scope, db, kept.sheet.kind, file)
                return replace(outlook, compared=keeping.compare(scope, db, account_id, file), live=live)
            case OrderFile() as file:
                return replace(outlook, compared=orders.compare(scope, db, file, looked.currency.value))
            case None:
                return outlook


def _settled(kept: Kept, found: Sequence[Target], there: Shop | None) -> Choices:
    """The time zone is that of where the figures go, if that is there already. An account that went is a new one."""
    if kept.sheet.kind == "shopify":
        return replace(kept.choices, timezone=there.timezone) if there else kept.choices
    target = next((each for each in found if str(each.id) == kept.choices.account), None)
    return replace(kept.choices, timezone=target.timezone) if target else replace(kept.choices, account="")


def _blocked(kept: Kept, looked: Review, found: Sequence[Target], there: Shop | None) -> UserError | None:
    currency = looked.currency.value
    if kept.sheet.kind == "shopify":
        if there and there.is_demo:
            return DemoShop()
        if there and currency and there.currency != currency:
            hint = f"The shop counts in {there.currency}, the file in {currency}. Change the shop's currency first."
            return UserError("Another currency than the shop's", hint, link=shop.PAGE)
        return None
    target = next((each for each in found if str(each.id) == kept.choices.account), None)
    if target and currency and target.currency != currency:
        hint = f"{target.name} counts in {target.currency}, the file in {currency}. Choose a new account."
        return UserError("Another currency than the account's", hint)
    return None


def totals(looked: Review) -> list[tuple[str, str]]:
    """What would be saved, added up: a label and the number in words."""
    currency = looked.currency.value
    match looked.found:
        case AdFile(days=days) if days and currency:
            money = [("Spend", sum(d.spend_micros for d in days)), ("Revenue", sum(d.revenue_micros for d in days))]
            counts = [("Impressions", sum(d.impressions for d in days)), ("Clicks", sum(d.clicks for d in days))]
            whole = float(sum(d.orders for d in days))
            return [
                ("Campaigns", f"{len(looked.found.campaigns):,}"),
                *((label, str(Money.from_micros(micros, currency))) for label, micros in money),
                ("Orders", f"{whole:,.0f}" if whole == int(whole) else f"{whole:,.2f}"),
                *((label, f"{number:,}") for label, number in counts),
            ]
        case OrderFile(orders=found) if found and currency:
            gross, refunds = sum(o.gross_micros for o in found), sum(o.refund_micros for o in found)
            return [
                ("Orders", f"{len(found):,}"),
                ("Gross", str(Money.from_micros(gross, currency))),
                ("Refunded", str(Money.from_micros(refunds, currency))),
                ("Customers", f"{len({o.customer for o in found if o.customer}):,}"),
            ]
        case _:
            return []


def left_out(looked: Review) -> list[tuple[str, int, str]]:
    """Why lines are left out, how many, and which are the first."""
    found = looked.found.left_out if looked.found else {}
    return [
        (reason, len(lines), ", ".join(map(str, lines[:5])) + (" …" if len(lines) > 5 else ""))
        for reason, lines in found.items()
    ]


def today(choices: Choices) -> date:
    """Where the figures are from."""
    return today_in(choices.timezone or "UTC", datetime.now(UTC))
