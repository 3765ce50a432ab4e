"""The shop of a workspace: what its numbers are counted in, who may send events for it, and the demo's shop removed.

Demo orders and real ones never stand side by side: before anything real is saved, the demo's shop has to go.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy import Date, cast, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute

from webapp import audit
from webapp.accounts import Right, Scope
from webapp.accounts.members import hold
from webapp.db import Session
from webapp.db.models import AdAccount, Store, StoreOrder, Visit
from webapp.errors import Link, UserError

PAGE = Link("Shop settings", "/settings/ad-accounts/shop")
TIMEZONES = frozenset(available_timezones())
BASES = ("net", "gross")
ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:\d{1,5})?")
MOST_ORIGINS = 10


@dataclass(frozen=True)
class Shop:
    """`basis`: "net" (total less refunds) or "gross". `heard` is the newest event of the collector: event, page,
    origin, and `left_out`, why it does not count, if so. `collect_key` is public."""

    name: str
    currency: str
    timezone: str
    basis: str
    collect_key: str
    origins: tuple[str, ...]
    heard_at: datetime | None
    heard: Mapping[str, Any]
    is_demo: bool


@dataclass(frozen=True)
class Counted:
    """What a shop has: orders that were imported, orders that only the collector saw, visits; and the newest days."""

    imported: int
    collected: int
    visits: int
    orders_until: date | None
    visits_until: date | None


class DemoShop(UserError):
    """The workspace's shop is the demo's."""

    def __init__(self) -> None:
        hint = "Made-up orders and visits are never mixed with real ones. Remove the demo's shop first; its ads stay."
        super().__init__("This workspace has the demo's shop", hint, link=PAGE, status=409)


def find(scope: Scope, db: Session) -> Shop | None:
    row = db.get(Store, scope.workspace_id)
    if row is None:
        return None
    return Shop(
        row.name,
        row.currency,
        row.timezone,
        row.revenue_basis,
        row.collect_key,
        tuple(row.origins),
        row.collected_at,
        row.collected or {},
        has_demo(scope, db),
    )


def count(scope: Scope, db: Session) -> Counted:
    """Real ones only."""
    orders = select(
        func.count().filter(StoreOrder.source == "shopify"),
        func.count().filter(StoreOrder.source == "collect"),
        func.max(StoreOrder.day),
    ).where(StoreOrder.workspace_id == scope.workspace_id, StoreOrder.source != "demo")
    visits = select(func.count(), func.max(Visit.day)).where(
        Visit.workspace_id == scope.workspace_id, Visit.source != "demo"
    )
    imported, collected, orders_until = db.execute(orders).one()
    seen, visits_until = db.execute(visits).one()
    return Counted(imported, collected, seen, orders_until, visits_until)


def has_demo(scope: Scope, db: Session) -> bool:
    """True while orders or visits are made up."""
    orders = select(StoreOrder.id).where(StoreOrder.workspace_id == scope.workspace_id, StoreOrder.source == "demo")
    visits = select(Visit.id).where(Visit.workspace_id == scope.workspace_id, Visit.source == "demo")
    return bool(db.scalar(select(orders.exists() | visits.exists())))


def save(scope: Scope, db: Session, *, name: str, currency: str, timezone: str, basis: str) -> None:
    """Set up the shop, or change it. With another time zone, every order and visit gets its day anew. Raises a
    UserError for a currency or zone that nobody knows, for the demo's shop, and for a currency that orders are not in.
    """
    scope = hold(scope, db, Right.MANAGE_ADS)
    refuse_demo(scope, db)
    _check(scope, db, currency, timezone)
    values = {"name": name[:120], "currency": currency, "timezone": timezone, "revenue_basis": basis}
    new = insert(Store).values(workspace_id=scope.workspace_id, collect_key=secrets.token_hex(16), **values)
    changed = {**values, "version": Store.version + 1}
    _give_days(scope, db, timezone, Visit, Visit.started_at)
    db.execute(new.on_conflict_do_update(index_elements=[Store.workspace_id], set_=changed))
    _give_days(scope, db, timezone, StoreOrder, StoreOrder.ordered_at)
    audit.record(scope, db, "shop.saved", name, currency=currency, timezone=timezone, basis=basis)


def allow(scope: Scope, db: Session, origins: Sequence[str]) -> None:
    """The sites that may send events: "https://shop.example". Raises a UserError for what is none, and for no shop."""
    scope = hold(scope, db, Right.MANAGE_ADS)
    refuse_demo(scope, db)
    wrong = [origin for origin in origins if not ORIGIN.fullmatch(origin)]
    if wrong:
        hint = f"{wrong[0][:80]} is not a site's address. Write it like https://shop.example, without a path."
        raise UserError("No site", hint, status=422)
    if len(origins) > MOST_ORIGINS:
        raise UserError("Too many sites", f"At most {MOST_ORIGINS} may send events.", status=422)
    _change(scope, db, origins=list(origins))
    audit.record(scope, db, "shop.sites_set", ", ".join(origins))


def new_key(scope: Scope, db: Session) -> None:
    """From now on the old snippet is deaf."""
    scope = hold(scope, db, Right.MANAGE_ADS)
    _change(scope, db, collect_key=secrets.token_hex(16))
    audit.record(scope, db, "shop.key_changed")


def refuse_demo(scope: Scope, db: Session) -> None:
    """Raises DemoShop."""
    if has_demo(scope, db):
        raise DemoShop


def remove_demo(scope: Scope, db: Session) -> None:
    """Take the made-up orders and visits out, for good: the demo's ad accounts stay and make no new ones. What was set
    for the demo's shop is forgotten but for currency and time zone, which the next one starts from."""
    scope = hold(scope, db, Right.MANAGE_ADS)
    demo = AdAccount.workspace_id == scope.workspace_id, AdAccount.platform == "demo"
    rows = select(AdAccount).where(*demo).order_by(AdAccount.created_at, AdAccount.external_id)
    for row in db.scalars(rows.with_for_update()):
        row.details = {**row.details, "shop": False}
    for table in (Visit, StoreOrder):
        db.execute(delete(table).where(table.workspace_id == scope.workspace_id, table.source == "demo"))
    _change(scope, db, name="", origins=[], collect_key=secrets.token_hex(16), collected=None, collected_at=None)
    audit.record(scope, db, "shop.demo_removed")


def _check(scope: Scope, db: Session, currency: str, timezone: str) -> None:
    if not re.fullmatch("[A-Z]{3}", currency):
        raise UserError("No currency", "Write it with three letters, like EUR.", status=422)
    if timezone not in TIMEZONES:
        raise UserError("No time zone", "Choose one from the list, like Europe/Berlin.", status=422)
    other = select(StoreOrder.currency).where(StoreOrder.workspace_id == scope.workspace_id)
    found = db.scalar(other.where(StoreOrder.currency != currency).limit(1))
    if found:
        hint = f"There are orders in {found}. A shop counts in one currency."
        raise UserError("The orders are in another currency", hint, status=422)


def _change(scope: Scope, db: Session, **values: Any) -> None:
    """Raises a UserError where no shop is set up."""
    changed = update(Store).where(Store.workspace_id == scope.workspace_id).values(version=Store.version + 1, **values)
    if db.execute(changed.returning(Store.workspace_id)).first() is None:
        raise UserError("No shop yet", "Save its currency and time zone first.", link=PAGE, status=422)


def _give_days(
    scope: Scope, db: Session, timezone: str, table: type[StoreOrder | Visit], moment: InstrumentedAttribute[datetime]
) -> None:
    day = cast(func.timezone(timezone, moment), Date)
    ours = table.workspace_id == scope.workspace_id, table.day != day
    db.execute(update(table).where(*ours).values(day=day).execution_options(synchronize_session=False))
