"""What an export of orders adds to the shop: compared first, then written.

An order is one row, however often it is imported: by its number. What the collector saw of it (who came how, on which
device) is taken over from the collector's row, which then goes; so an order that was seen and imported counts once.
Who orders for the first time is decided over all imported orders, each time.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from webapp import audit
from webapp.accounts import Right, Scope
from webapp.accounts.members import hold
from webapp.ads.imports.shop_orders import OrderFile, ShopOrder
from webapp.analytics import shop
from webapp.db import Session
from webapp.db.models import Store, StoreOrder
from webapp.errors import UserError

ROWS = 1000  # of one statement
FROM_FILE = (
    "other_id", "ordered_at", "day", "currency", "gross_micros", "refund_micros", "customer", "country"
)  # fmt: skip
FROM_COLLECTOR = ("visitor_id", "channel", "campaign_id", "device", "landing_page")


@dataclass(frozen=True)
class Compared:
    """Orders: what the file has beside what is there. `removed` were imported before and do not count any more."""

    new: int
    changed: int
    unchanged: int
    removed: int


def compare(scope: Scope, db: Session, file: OrderFile, currency: str) -> Compared:
    """What keep() would write."""
    _, counts = _differing(scope, db, file, currency)
    gone = sum(_there(scope, db, chunk) for chunk in _chunks(sorted(file.gone)))
    return Compared(counts["new"], counts["changed"], counts["unchanged"], gone)


def keep(scope: Scope, db: Session, file: OrderFile, currency: str, timezone: str) -> Compared:
    """Write the file's orders. The first file sets up the shop. Raises the UserErrors of hold(), DemoShop, and one for
    orders in another currency than the shop's."""
    scope = hold(scope, db, Right.MANAGE_ADS)
    shop.refuse_demo(scope, db)
    _open(scope, db, currency, timezone)
    db.execute(update(Store).where(Store.workspace_id == scope.workspace_id).values(version=Store.version + 1))
    differing, counts = _differing(scope, db, file, currency)
    for chunk in _chunks(differing):
        _write(scope, db, chunk, currency)
    removed = sum(_remove(scope, db, chunk) for chunk in _chunks(sorted(file.gone)))
    _take_over(scope, db, file.orders)
    _tell_first_from_returning(scope, db)
    audit.record(scope, db, "shop.orders_imported", "", new=counts["new"], changed=counts["changed"], removed=removed)
    return Compared(counts["new"], counts["changed"], counts["unchanged"], removed)


def _open(scope: Scope, db: Session, currency: str, timezone: str) -> None:
    there = shop.find(scope, db)
    if there is None:
        shop.save(scope, db, name="", currency=currency, timezone=timezone, basis="net")
    elif there.currency != currency:
        hint = f"The shop counts in {there.currency}, the file in {currency}. Change the shop's currency first."
        raise UserError("Another currency", hint, link=shop.PAGE, status=422)


def _differing(scope: Scope, db: Session, file: OrderFile, currency: str) -> tuple[list[ShopOrder], Counter[str]]:
    """The orders that have to be written, and how many are new, changed, unchanged."""
    counts: Counter[str] = Counter()
    differing = []
    for chunk in _chunks(file.orders):
        stored = _stored(scope, db, [order.number for order in chunk])
        for order in chunk:
            old = stored.get(order.number)
            state = "new" if old is None else "unchanged" if old == _values(order, currency) else "changed"
            counts[state] += 1
            differing += [order] if state != "unchanged" else []
    return differing, counts


def _stored(scope: Scope, db: Session, numbers: Sequence[str]) -> dict[str, dict[str, Any]]:
    columns = [getattr(StoreOrder, name) for name in FROM_FILE]
    rows = db.execute(select(StoreOrder.external_id, *columns).where(*_numbered(scope, numbers)))
    return {number: dict(zip(FROM_FILE, values, strict=True)) for number, *values in rows}


def _values(order: ShopOrder, currency: str) -> dict[str, Any]:
    return {
        "other_id": order.id,
        "ordered_at": order.at,
        "day": order.day,
        "currency": currency,
        "gross_micros": order.gross_micros,
        "refund_micros": order.refund_micros,
        "customer": order.customer,
        "country": order.country,
    }


def _write(scope: Scope, db: Session, orders: Sequence[ShopOrder], currency: str) -> None:
    here = {"workspace_id": scope.workspace_id, "source": "shopify"}
    rows = [{"id": uuid.uuid4(), **here, "external_id": it.number, **_values(it, currency)} for it in orders]
    new = insert(StoreOrder).values(rows)
    taken = {name: new.excluded[name] for name in FROM_FILE}
    db.execute(new.on_conflict_do_update(index_elements=["workspace_id", "source", "external_id"], set_=taken))


def _there(scope: Scope, db: Session, numbers: Sequence[str]) -> int:
    return db.scalar(select(func.count()).select_from(StoreOrder).where(*_numbered(scope, numbers))) or 0


def _remove(scope: Scope, db: Session, numbers: Sequence[str]) -> int:
    gone = db.execute(delete(StoreOrder).where(*_numbered(scope, numbers)).returning(StoreOrder.id))
    return len(gone.all())


def _take_over(scope: Scope, db: Session, orders: Sequence[ShopOrder]) -> None:
    """What the collector saw goes to the imported order, and its own row goes."""
    by_key = {key: order.number for order in orders for key in (order.number.lstrip("#"), order.id) if key}
    seen = StoreOrder.workspace_id == scope.workspace_id, StoreOrder.source == "collect"
    for row in db.scalars(select(StoreOrder).where(*seen)).all():
        number = by_key.get(row.external_id)
        if number is None:
            continue
        values: Mapping[str, Any] = {name: getattr(row, name) for name in FROM_COLLECTOR}
        db.execute(update(StoreOrder).where(*_numbered(scope, [number])).values(values))
        db.delete(row)
    db.flush()


def _tell_first_from_returning(scope: Scope, db: Session) -> None:
    nth = func.row_number().over(
        partition_by=StoreOrder.customer, order_by=(StoreOrder.ordered_at, StoreOrder.external_id)
    )
    known = StoreOrder.workspace_id == scope.workspace_id, StoreOrder.source == "shopify", StoreOrder.customer != ""
    counted = select(StoreOrder.id, (nth == 1).label("first")).where(*known).subquery()
    changed = update(StoreOrder).where(StoreOrder.id == counted.c.id)
    changed = changed.where(StoreOrder.is_first.is_distinct_from(counted.c.first)).values(is_first=counted.c.first)
    db.execute(changed.execution_options(synchronize_session=False))


def _numbered(scope: Scope, numbers: Sequence[str]) -> tuple[Any, ...]:
    ours = StoreOrder.workspace_id == scope.workspace_id, StoreOrder.source == "shopify"
    return *ours, StoreOrder.external_id.in_(numbers)


def _chunks(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (rows[start : start + ROWS] for start in range(0, len(rows), ROWS))
