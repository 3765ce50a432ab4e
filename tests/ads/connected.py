"""Alice's workspace with Meta behind it: a Graph on loopback (fakes/graph.py), and the Opener that leads to it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from tests.ads.fakes import graph
from tests.ads.fakes.graph import Graph
from tests.ads.fakes.server import serving
from webapp.accounts import Scope, people, workspaces
from webapp.ads import accounts, sync
from webapp.ads.opener import Opener
from webapp.config import Settings
from webapp.db import Database
from webapp.db.models import AdAccount, AdDaily, Campaign
from webapp.secret import Secret
from webapp.vault.keyring import start_keyring

ZONE = "Europe/Berlin"


def ad_account(id: str, name: str, **more: Any) -> dict[str, Any]:
    """As Meta lists it."""
    usual = {"account_status": 1, "currency": "EUR", "timezone_name": ZONE, "min_daily_budget": 100}
    return {"id": f"act_{id}", "account_id": id, "name": name, **usual, **more}


def day(campaign_id: str, days_ago: int, spend: str) -> dict[str, Any]:
    return graph.day(campaign_id, (yesterday() - timedelta(days=days_ago - 1)).isoformat(), spend)


def yesterday() -> date:
    """Of the account. Tests that run at midnight in Berlin may see another."""
    return sync._today(ZONE) - timedelta(days=1)


def someone(database: Database, name: str, workspace: str) -> Scope:
    with database.begin() as db:
        user_id = people.sign_up(db, name=name, email=f"{name.lower()}@example.com", password_hash="-")
        assert user_id is not None
        return workspaces.create(db, user_id, workspace)


@dataclass
class Acme:
    """Alice owns it. `meta` is what her token leads to."""

    database: Database
    alice: Scope
    meta: Graph
    opener: Opener

    def connect(self, *names: str, read_only: bool = False) -> list[uuid.UUID]:
        """Alice's token, tested and kept; all that it sees, or the accounts named."""
        seen = self.opener.test_meta(Secret(self.meta.token), read_only=read_only)
        chosen = [info for info in seen.usable if not names or info.name in names]
        with self.database.begin() as db:
            return accounts.keep(self.alice, db, self.opener.keyring, seen.grant, chosen)

    def row(self, account_id: uuid.UUID) -> AdAccount:
        with self.database.begin() as db:
            return db.scalars(select(AdAccount).where(AdAccount.id == account_id)).one()

    def set(self, account_id: uuid.UUID, **values: Any) -> None:
        with self.database.begin() as db:
            db.execute(update(AdAccount).where(AdAccount.id == account_id).values(**values))

    def sync(self, account_id: uuid.UUID) -> bool:
        return sync.run(self.database, self.opener, self.alice, account_id)

    def campaigns(self) -> dict[str, Campaign]:
        with self.database.begin() as db:
            return {row.external_id: row for row in db.scalars(select(Campaign))}

    def spend(self) -> Mapping[tuple[str, int], int]:
        """Units by campaign and days ago."""
        with self.database.begin() as db:
            rows = db.execute(
                select(Campaign.external_id, AdDaily.day, AdDaily.spend_micros).join(
                    Campaign, Campaign.id == AdDaily.campaign_id
                )
            )
            return {(id, (yesterday() - on).days + 1): micros // 1_000_000 for id, on, micros in rows}

    def windows(self) -> list[tuple[int, int]]:
        """The days ago that insights were asked for, in order and once each."""
        asked = [each.query["time_range"] for each in self.meta.asked("/insights")]
        found = [tuple((yesterday() - date.fromisoformat(d)).days + 1 for d in _ends(span)) for span in asked]
        return list(dict.fromkeys(found))  # type: ignore[arg-type]


def _ends(span: str) -> tuple[str, str]:
    parts = span.split('"')
    return parts[3], parts[7]


@contextmanager
def acme(database: Database, settings: Settings) -> Iterator[Acme]:
    there = Graph(accounts=[ad_account("100200300", "Acme Shop")])
    with serving(there) as url:
        settings = replace(settings, meta_graph_url=url)
        opener = Opener(database, start_keyring(database, settings), settings)
        yield Acme(database, someone(database, "Alice", "Acme"), there, opener)


def ago(**how_long: float) -> datetime:
    return datetime.now(UTC) - timedelta(**how_long)
