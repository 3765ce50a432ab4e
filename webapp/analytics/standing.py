"""What a workspace's numbers are counted in, and how far its data goes: read before each question, two statements.

No row in `stores`: the currency and the days of the first ad account, else UTC. Only connected accounts count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import func, select

from webapp.accounts import Scope
from webapp.ads.windows import today_in
from webapp.analytics.columns import Source
from webapp.db import Session
from webapp.db.models import AdAccount, Store, StoreOrder, Visit


@dataclass(frozen=True)
class Account:
    """`name` is untrusted text. `network` is where its ads run: meta, google, or how we got it."""

    name: str
    network: str
    currency: str
    timezone: str
    data_through: date | None
    maturing_from: date


@dataclass(frozen=True)
class Known:
    """The first and the last day of something."""

    since: date
    until: date


@dataclass(frozen=True)
class Standing:
    """`version` changes with every write of the data that a pipe reads."""

    currency: str
    timezone: str
    basis: str  # net or gross
    today: date
    accounts: tuple[Account, ...]
    orders: Known | None
    visits: Known | None
    version: str

    @property
    def sources(self) -> frozenset[Source]:
        """What there is at all."""
        found: set[Source] = {"ads"} if self.accounts else set()
        found |= {"orders"} if self.orders else set()
        found |= {"visits"} if self.visits else set()
        return frozenset(found)

    def maturing_from(self, since: date) -> date | None:
        """The first day that may still grow, over all accounts with figures from `since` on."""
        days = [each.maturing_from for each in self.accounts if each.data_through and each.data_through >= since]
        return min(days, default=None)

    @property
    def data_through(self) -> date | None:
        """The newest day with figures of the ads; of the orders, if there are no ads."""
        days = [each.data_through for each in self.accounts if each.data_through]
        return max(days, default=self.orders.until if self.orders else None)


def read(scope: Scope, db: Session, now: datetime | None = None) -> Standing:
    """As of `now`, which is what "today" means in the shop's timezone."""
    now = now or datetime.now(UTC)
    accounts = db.scalars(
        select(AdAccount)
        .where(AdAccount.workspace_id == scope.workspace_id, AdAccount.status == "active")
        .order_by(AdAccount.created_at, AdAccount.id)
    ).all()
    store, first_order, last_order, first_visit, last_visit = _shop(scope, db)
    first = store or next(iter(accounts), None)
    timezone = first.timezone if first else "UTC"
    versions = [f"{each.id}:{each.version}" for each in accounts]
    return Standing(
        currency=first.currency if first else "",
        timezone=timezone,
        basis=store.revenue_basis if store else "net",
        today=today_in(timezone, now),
        accounts=tuple(_account(each, now) for each in accounts),
        orders=Known(first_order, last_order) if first_order and last_order else None,
        visits=Known(first_visit, last_visit) if first_visit and last_visit else None,
        version=" ".join([str(store.version if store else 0), *versions]),
    )


def _account(row: AdAccount, now: datetime) -> Account:
    """What was read long ago grew no further with us: its newest days count from the reading."""
    today = today_in(row.timezone, now)
    read_on = min(today, today_in(row.timezone, row.synced_at)) if row.synced_at else today
    return Account(
        name=row.name,
        network=row.network or row.platform,
        currency=row.currency,
        timezone=row.timezone,
        data_through=row.data_through,
        maturing_from=read_on - timedelta(row.maturing_days),
    )


def _shop(scope: Scope, db: Session) -> tuple[Store | None, date | None, date | None, date | None, date | None]:
    """The store's row, and the first and last day of its orders and visits: four looks at the ends of an index."""
    order_days = select(StoreOrder.day).where(StoreOrder.workspace_id == scope.workspace_id)
    visit_days = select(Visit.day).where(Visit.workspace_id == scope.workspace_id)
    ends = [
        select(end(days.subquery().c.day)).scalar_subquery()
        for days in (order_days, visit_days)
        for end in (func.min, func.max)
    ]
    row = db.execute(select(*ends)).one()
    return db.get(Store, scope.workspace_id), row[0], row[1], row[2], row[3]
