"""What visitors of a shop did, as its own pages tell us (static/collect.js): visits with their steps, and purchases.

The key in an event is public: it stands in the shop's pages. What keeps strangers out is the Origin that a browser puts
on each request and no page can change; it must be one that the workspace listed. A program that is no browser can
forge it, so an event proves nothing: it counts visits, and an imported order always wins over one that was sent.

Kept of a visitor: a random number that their browser made, the channel, the first path, the kind of device. Not kept:
address, user agent, anything typed. The country would need a database of addresses: it stays empty. Whatever is wrong
with an event, it is dropped silently; `stores.collected` says what came last and why it did not count.
What is written here is of today, which no report shows yet: `stores.version` stays.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from webapp.ads.money import MICROS
from webapp.ads.windows import today_in
from webapp.analytics.touch import Touch, touch
from webapp.db import Session
from webapp.db.models import AdAccount, Campaign, Store, StoreOrder, Visit, Workspace

STEPS = {
    "pageview": "",
    "view_item": "viewed",
    "add_to_cart": "carted",
    "checkout": "checkout",
    "purchase": "purchased",
}
ID = re.compile(r"[A-Za-z0-9-]{8,40}")
SESSION = re.compile(r"[A-Za-z0-9]{1,20}")
KEY = re.compile(r"[0-9a-f]{32}")
UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # in PostgreSQL: NUL, and half a surrogate pair
BOTS = re.compile(r"bot|crawl|spider|slurp|headless|preview|lighthouse|monitor|python|curl|wget", re.IGNORECASE)
MOST_VALUE = Decimal(10**8)
TOLD_EVERY = timedelta(seconds=2)  # at most: `collected` is for people who watch it
REFUSED_EVERY = timedelta(minutes=1)  # so that strangers cannot write over what the shop itself said


@dataclass(frozen=True)
class Event:
    """A well-formed event. `order` has no "#" in front; `micros` is None for a purchase that names no value."""

    key: str
    name: str
    visitor: str
    session: str
    page: str
    query: str
    referrer: str
    order: str = ""
    micros: int | None = None
    currency: str = ""


@dataclass(frozen=True)
class _Shop:
    workspace_id: uuid.UUID
    currency: str
    timezone: str
    origins: tuple[str, ...]
    heard_at: datetime | None


def read(body: bytes) -> Event | None:
    """The event in a request's body; None for anything else."""
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict):
        return None
    text = {name: value for name, value in raw.items() if isinstance(value, str) and not UNSTORABLE.search(value)}
    event = Event(
        key=text.get("k", ""),
        name=text.get("e", ""),
        visitor=text.get("v", ""),
        session=text.get("s", ""),
        page=text.get("p", "").partition("?")[0][:200],
        query=text.get("q", "")[:1000],
        referrer=text.get("r", "")[:500],
        order=_order_number(raw.get("o")),
        micros=_micros(raw.get("a")),
        currency=text.get("c", "").upper()[:3],
    )
    return event if _is_whole(event) else None


def device(user_agent: str) -> str:
    """mobile, tablet or desktop, by the browser's family; empty for a program."""
    if not user_agent or BOTS.search(user_agent):
        return ""
    if "iPad" in user_agent or "Tablet" in user_agent or ("Android" in user_agent and "Mobile" not in user_agent):
        return "tablet"
    return "mobile" if "Mobi" in user_agent or "iPhone" in user_agent else "desktop"


def receive(db: Session, event: Event, *, origin: str, user_agent: str) -> bool:
    """Count the event. True if its origin is one that the shop listed, whether or not it counts."""
    shop = _shop(db, event.key)
    if shop is None:
        return False
    if origin not in shop.origins:
        _told(db, shop, event, origin, "This site is not listed.", REFUSED_EVERY)
        return False
    kind = device(user_agent)
    if not kind:
        return True
    visit = _visited(db, shop, event, kind)
    _told(db, shop, event, origin, _bought(db, shop, event, visit), TOLD_EVERY)
    return True


def _is_whole(event: Event) -> bool:
    return (
        bool(KEY.fullmatch(event.key))
        and event.name in STEPS
        and bool(ID.fullmatch(event.visitor))
        and bool(SESSION.fullmatch(event.session))
    )


def _order_number(value: object) -> str:
    """A number, too, is an order's number; Shopify's own ids come as addresses."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    text = UNSTORABLE.sub("", str(value)).strip().removeprefix("gid://shopify/Order/").lstrip("#")
    return text[:80]


def _micros(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    if not amount.is_finite() or not 0 <= amount <= MOST_VALUE:
        return None
    return int((amount * MICROS).to_integral_value())


# --- rows -------------------------------------------------------------------------------------------------------


def _shop(db: Session, key: str) -> _Shop | None:
    query = (
        select(Store.workspace_id, Store.currency, Store.timezone, Store.origins, Store.collected_at)
        .join(Workspace, Workspace.id == Store.workspace_id)
        .where(Store.collect_key == key, Workspace.deleted_at.is_(None))
    )
    row = db.execute(query).one_or_none()
    return _Shop(row[0], row[1], row[2], tuple(row[3]), row[4]) if row else None


def _visited(db: Session, shop: _Shop, event: Event, kind: str) -> Visit:
    """The visit that the event belongs to, one step further. Its first event says how they came."""
    key = f"{event.visitor}.{event.session}"[:64]
    ours = Visit.workspace_id == shop.workspace_id, Visit.source == "collect", Visit.session_key == key
    if db.scalar(select(Visit.id).where(*ours)) is None:
        _begin(db, shop, event, kind, key)
    visit = db.scalars(select(Visit).where(*ours).with_for_update()).one()
    if step := STEPS[event.name]:
        setattr(visit, step, True)
    return visit


def _begin(db: Session, shop: _Shop, event: Event, kind: str, key: str) -> None:
    """Two events of one visit may come at once: one of them begins it."""
    came = touch(event.query, event.referrer, [urlsplit(origin).hostname or "" for origin in shop.origins])
    campaign_id, network = _campaign(db, shop.workspace_id, came)
    before = select(Visit.id).where(Visit.workspace_id == shop.workspace_id, Visit.visitor_id == event.visitor)
    values: Mapping[str, Any] = {
        "id": uuid.uuid4(),
        "workspace_id": shop.workspace_id,
        "source": "collect",
        "session_key": key,
        "visitor_id": event.visitor,
        "started_at": func.now(),
        "day": _today(shop),
        "channel": network or came.channel,
        "campaign_id": campaign_id,
        "device": kind,
        "landing_page": event.page,
        "is_new": ~before.exists(),
    }
    db.execute(insert(Visit).values(values).on_conflict_do_nothing())


def _campaign(db: Session, workspace_id: uuid.UUID, came: Touch) -> tuple[uuid.UUID | None, str]:
    """The campaign that the address names, by its id, else by a name that only one has; and where it runs."""
    named = [each for each in (came.campaign_id, came.campaign) if each]
    if not named:
        return None, ""
    network = func.coalesce(func.nullif(AdAccount.network, ""), AdAccount.platform)
    rows = db.execute(
        select(Campaign.id, Campaign.external_id, Campaign.name, network)
        .join(AdAccount, AdAccount.id == Campaign.account_id)
        .where(Campaign.workspace_id == workspace_id, AdAccount.status == "active")
        .where(or_(Campaign.external_id.in_(named), func.lower(Campaign.name) == came.campaign.lower()))
        .limit(10)
    ).all()
    by_id = [row for row in rows if row.external_id in named]
    fit = by_id[:1] or (rows if len(rows) == 1 else [])
    return (fit[0].id, fit[0][3]) if fit else (None, "")


def _bought(db: Session, shop: _Shop, event: Event, visit: Visit) -> str:
    """Keep a purchase that no import has told of; why it does not count, if so. Orders come after the store's row
    (store.py says why)."""
    if event.name != "purchase":
        return ""
    if not event.order or event.micros is None:
        return "A purchase needs an order number and a value."
    if event.currency != shop.currency:
        return f"The purchase was in {event.currency or 'no currency'}, the shop counts in {shop.currency}."
    seen = {
        "visitor_id": visit.visitor_id,
        "channel": visit.channel,
        "campaign_id": visit.campaign_id,
        "device": visit.device,
        "landing_page": visit.landing_page,
    }
    db.execute(select(Store.workspace_id).where(Store.workspace_id == shop.workspace_id).with_for_update())
    if not _joins_an_import(db, shop, event, seen):
        here = {"workspace_id": shop.workspace_id, "source": "collect", "external_id": event.order}
        new = {"id": uuid.uuid4(), **here, "ordered_at": func.now(), "day": _today(shop), "currency": shop.currency}
        order = insert(StoreOrder).values(**new, gross_micros=event.micros, **seen)
        db.execute(order.on_conflict_do_nothing())
    return ""


def _joins_an_import(db: Session, shop: _Shop, event: Event, seen: Mapping[str, Any]) -> bool:
    """True if the order was imported; then it learns how its buyer came, once."""
    numbers = StoreOrder.external_id.in_([event.order, f"#{event.order}"])
    same = or_(numbers, StoreOrder.other_id == event.order)
    ours = StoreOrder.workspace_id == shop.workspace_id, StoreOrder.source == "shopify", same
    found = db.execute(select(StoreOrder.id, StoreOrder.visitor_id).where(*ours).limit(1)).one_or_none()
    if found is None:
        return False
    if not found.visitor_id:
        db.execute(update(StoreOrder).where(StoreOrder.id == found.id).values(**seen))
    return True


def _told(db: Session, shop: _Shop, event: Event, origin: str, left_out: str, every: timedelta) -> None:
    if shop.heard_at and datetime.now(UTC) - shop.heard_at < every:
        return
    heard = {"event": event.name, "page": event.page, "origin": origin[:200], "left_out": left_out}
    row = update(Store).where(Store.workspace_id == shop.workspace_id)
    db.execute(row.values(collected_at=func.now(), collected=heard).execution_options(synchronize_session=False))


def _today(shop: _Shop) -> date:
    return today_in(shop.timezone, datetime.now(UTC))
