"""Counters per bucket and window in PostgreSQL, so that a limit holds across worker processes and hosts."""

from __future__ import annotations

import hashlib
import ipaddress
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from webapp.db import Session
from webapp.db.models import Throttle
from webapp.errors import UserError

LONGEST_WINDOW = timedelta(days=1)
SWEEP = 1000  # rows at most in one sweep


def throttle(db: Session, bucket: str, limit: int, per: int) -> None:
    """Count one attempt. Over `limit` in a window of `per` seconds it raises a 429 UserError that says the wait.

    Use a transaction of its own: what it guards may fail and roll back, the attempt still counts.
    """
    epoch = func.extract("epoch", func.now())
    window = func.to_timestamp(func.floor(epoch / per) * per)
    attempt = insert(Throttle).values(bucket=_short(bucket), window_start=window, count=1)
    attempt = attempt.on_conflict_do_update(
        index_elements=[Throttle.bucket, Throttle.window_start], set_={"count": Throttle.count + 1}
    )
    count, start, now = db.execute(attempt.returning(Throttle.count, Throttle.window_start, func.now())).one()
    if count == 1:
        _sweep(db)
    if count > limit:
        raise _too_many(start + timedelta(seconds=per) - now)


def network(ip: str) -> str:
    """Whom an address stands for: itself, or for IPv6 its /64, which one customer has to himself."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ""
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))


def _too_many(wait: timedelta) -> UserError:
    seconds = max(1, round(wait.total_seconds()))
    minutes = -(-seconds // 60)
    said = f"{seconds} seconds" if seconds < 60 else "a minute" if minutes == 1 else f"{minutes} minutes"
    return UserError(
        "Too many attempts", f"To keep accounts safe we have paused this. Try again in {said}.", status=429
    )


def _short(bucket: str) -> str:
    if len(bucket) <= 160:
        return bucket
    return bucket[:90] + "…" + hashlib.sha256(bucket.encode()).hexdigest()


def _sweep(db: Session) -> None:
    """Delete windows that ended long ago: a few at each new window, so that the table stays small by itself."""
    key = tuple_(Throttle.bucket, Throttle.window_start)
    ended = Throttle.window_start < datetime.now(UTC) - LONGEST_WINDOW
    old = select(Throttle.bucket, Throttle.window_start).where(ended).limit(SWEEP).with_for_update(skip_locked=True)
    db.execute(delete(Throttle).where(key.in_(old)))
