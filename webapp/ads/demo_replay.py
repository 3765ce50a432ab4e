"""Lets time pass in a workspace's demo: plays its world again from the first day, and stores what of it is new.

An account's `details` keep what its data are a function of: "anchor", the day before the demo was made; "writes", what
was changed since (purse, field, value, day); "shop", whether orders and visits are kept; "visits_since", from which day
on visits are. New are the days since, and of the days before them the newest, whose orders and refunds were still
coming in. Older days are never touched.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, select, update

from webapp.accounts import Scope
from webapp.ads.demo import ACCOUNTS, MATURING_DAYS, SHOP_CURRENCY, SHOP_TIMEZONE
from webapp.ads.demo_days import AdDay, AdWorld, Write
from webapp.ads.demo_shop import REFUND_DAYS, Order, Shop, Visit
from webapp.db import Session
from webapp.db.models import AdAccount, AdDaily, Campaign, Store, StoreOrder

AD_COLUMNS = (
    "campaign_id", "day", "adset_id", "ad_id", "workspace_id", "account_id", "adset_name", "ad_name",
    "spend_micros", "impressions", "clicks", "orders", "revenue_micros",
)  # fmt: skip
ORDER_COLUMNS = (
    "id", "workspace_id", "source", "external_id", "ordered_at", "day", "currency", "gross_micros", "refund_micros",
    "customer", "is_first", "visitor_id", "channel", "campaign_id", "country", "device", "landing_page",
)  # fmt: skip
VISIT_COLUMNS = (
    "id", "workspace_id", "source", "session_key", "visitor_id", "started_at", "day", "channel", "campaign_id",
    "country", "device", "landing_page", "is_new", "viewed", "carted", "checkout", "purchased",
)  # fmt: skip
DAY = timedelta(1)
Row = tuple[Any, ...]
Clock = Callable[[str], date]  # the date in a timezone


def kept(scope: Scope, db: Session) -> list[AdAccount]:
    """The demo's accounts in the workspace, also disconnected ones, the newest of each; locked: time passes once."""
    rows = db.scalars(
        select(AdAccount)
        .where(AdAccount.workspace_id == scope.workspace_id, AdAccount.platform == "demo")
        .where(AdAccount.details.has_key("anchor"))
        .order_by(AdAccount.created_at, AdAccount.external_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return list({row.external_id: row for row in rows}.values())


def catch_up(scope: Scope, db: Session, clock: Clock) -> None:
    """Bring the connected demo accounts and their shop to the day before the clock's, each in its timezone. It costs a
    query if they are there, and a second of work if they are not."""
    accounts = [row for row in kept(scope, db) if row.status == "active"]
    if all(row.data_through and row.data_through >= clock(row.timezone) - DAY for row in accounts):
        return
    replay = _Replay(scope, db, accounts, clock)
    for day, ads in replay.world.days(replay.until):
        replay.take(day, ads)
        time.sleep(0)  # the others of this process get their turn
    replay.store()


class _Replay:
    """The demo's world played once more, and the rows of it that have to be stored."""

    def __init__(self, scope: Scope, db: Session, accounts: Sequence[AdAccount], clock: Clock) -> None:
        by_external_id = {row.external_id: row for row in accounts}
        self._scope = scope
        self._db = db
        self._accounts: Mapping[str, AdAccount] = {
            it.key: by_external_id[it.external_id] for it in ACCOUNTS if it.external_id in by_external_id
        }
        self._until = {key: clock(row.timezone) - DAY for key, row in self._accounts.items()}
        self._campaigns = _campaigns(db, accounts)
        self._shop = Shop()
        self._shop_until = clock(SHOP_TIMEZONE) - DAY
        self._with_shop = any(row.details["shop"] for row in accounts)
        self._visits_since = date.fromisoformat(min(row.details["visits_since"] for row in accounts))
        self._shop_through = _shop_through(scope, db)
        self._ads: list[Row] = []
        self._orders: list[Row] = []
        self.until = max(self._until.values())
        anchor = date.fromisoformat(min(row.details["anchor"] for row in accounts))
        self.world = AdWorld(anchor, [write for row in accounts for write in _writes(row)])

    def take(self, day: date, ads: Sequence[AdDay]) -> None:
        self._ads += [self._ad_row(ad) for ad in ads if self._is_open(ad)]
        if not self._with_shop or day > self._shop_until:
            return
        is_new = self._shop_through is None or day > self._shop_through
        orders, visits = self._shop.day(day, ads, with_visits=is_new and day >= self._visits_since)
        if day >= self._orders_since:
            self._orders += [self._order_row(order) for order in orders]
        if visits:
            _copy(self._db, "visits", VISIT_COLUMNS, self._visit_rows(day, visits))

    def store(self) -> None:
        for key, row in self._accounts.items():
            self._db.execute(delete(AdDaily).where(AdDaily.account_id == row.id, AdDaily.day >= _open_from(row)))
            row.data_through, row.synced_at, row.version = self._until[key], datetime.now(UTC), row.version + 1
        for id, (learning, events) in self.world.learning(self.until).items():
            if id in self._campaigns:
                self._campaigns[id].learning, self._campaigns[id].learning_events = learning, events
        self._db.flush()
        _copy(self._db, "ad_daily", AD_COLUMNS, self._ads)
        if self._with_shop:
            self._store_orders()

    def _store_orders(self) -> None:
        ours = StoreOrder.workspace_id == self._scope.workspace_id, StoreOrder.source == "demo"
        self._db.execute(delete(StoreOrder).where(*ours, StoreOrder.day >= self._orders_since))
        _copy(self._db, "store_orders", ORDER_COLUMNS, self._orders)
        store = update(Store).where(Store.workspace_id == self._scope.workspace_id)
        self._db.execute(store.values(version=Store.version + 1))

    @property
    def _orders_since(self) -> date:
        """From here on orders are new, or may have been refunded meanwhile."""
        return self._shop_through - timedelta(REFUND_DAYS[1]) if self._shop_through else self.world.first

    def _is_open(self, ad: AdDay) -> bool:
        account = self._accounts.get(ad.campaign.account)
        return account is not None and _open_from(account) <= ad.day <= self._until[ad.campaign.account]

    # --- rows -------------------------------------------------------------------------------------------------

    def _ad_row(self, ad: AdDay) -> Row:
        orders, revenue = ad.claimed(self._until[ad.campaign.account], self.world.anchor)
        campaign = self._campaigns[ad.campaign.id]
        return (
            campaign.id, ad.day, ad.ad.adset_id, ad.ad.ad_id, self._scope.workspace_id, campaign.account_id,
            ad.ad.adset_name, ad.ad.ad_name, ad.spend_micros, ad.impressions, ad.clicks, orders, revenue,
        )  # fmt: skip

    def _order_row(self, order: Order) -> Row:
        at = _midnight(order.day) + timedelta(seconds=order.second)
        return (
            uuid.uuid4(), self._scope.workspace_id, "demo", f"#{order.number}", at, order.day, SHOP_CURRENCY,
            order.gross_micros, order.refunded(self._shop_until), order.customer, order.is_first, order.visitor,
            order.channel, self._campaign_id(order.campaign), order.country, order.device, order.page,
        )  # fmt: skip

    def _visit_rows(self, day: date, visits: Iterable[Visit]) -> Iterator[Row]:
        midnight = _midnight(day)
        for key, visitor, second, channel, campaign, *where_and_how in visits:
            at = midnight + timedelta(seconds=second)
            yield (
                uuid.uuid4(), self._scope.workspace_id, "demo", key, visitor, at, day, channel,
                self._campaign_id(campaign), *where_and_how,
            )  # fmt: skip

    def _campaign_id(self, external_id: str) -> uuid.UUID | None:
        """None for a way that is no ad, and for an account that is disconnected."""
        campaign = self._campaigns.get(external_id)
        return campaign.id if campaign else None


def _campaigns(db: Session, accounts: Sequence[AdAccount]) -> dict[str, Campaign]:
    """By the platform's id."""
    rows = db.scalars(select(Campaign).where(Campaign.account_id.in_([row.id for row in accounts])))
    return {row.external_id: row for row in rows}


def _shop_through(scope: Scope, db: Session) -> date | None:
    """The newest day with orders of the demo."""
    ours = StoreOrder.workspace_id == scope.workspace_id, StoreOrder.source == "demo"
    return db.scalar(select(func.max(StoreOrder.day)).where(*ours))


def _writes(account: AdAccount) -> list[Write]:
    return [
        Write(purse, field, value, date.fromisoformat(day)) for purse, field, value, day in account.details["writes"]
    ]


def _open_from(account: AdAccount) -> date:
    """The first day whose figures are not there, or not final."""
    return account.data_through - timedelta(MATURING_DAYS - 1) if account.data_through else date.min


def _midnight(day: date) -> datetime:
    """When a day begins in the shop's timezone; in UTC, for adding seconds to."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(SHOP_TIMEZONE)).astimezone(UTC)


def _copy(db: Session, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """PostgreSQL's COPY, several times as fast as inserts. The names are ours."""
    connection: Any = db.connection().connection.driver_connection
    with connection.cursor().copy(f"copy {table} ({', '.join(columns)}) from stdin") as copy:
        for row in rows:
            copy.write_row(row)
