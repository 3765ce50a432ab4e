"""Acme's ad account as a platform of its own: campaigns in a dict, faults, and a memory of every write.

It stands where Meta or Google would, on the far side of AdPlatform. `Acme` is the workspace around it: alice owns it,
bob is a member, vera a viewer; charlie is a stranger.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import update

from tests import campaigns
from tests.campaigns import EUR, TODAY
from webapp.accounts import Role, Scope, enter, people
from webapp.ads import changes, guards
from webapp.ads.changes import Click, Origin, Wanted
from webapp.ads.guards import Rails
from webapp.ads.plans import PlanView
from webapp.ads.platform import CampaignState, Change, DailyInsight, PlatformError, Trouble
from webapp.db import Database
from webapp.db.models import AdAccount, Campaign, ChatSession, ChatTurn, WorkspaceMember
from webapp.errors import not_found
from webapp.vault.keyring import Keyring, RootKey

RING = Keyring(uuid.UUID(int=1), RootKey(bytes(range(32))))


@dataclass
class Elsewhere:
    """The ad platform. `writes` are those that were done; `asked` every call in order."""

    campaigns_: dict[str, CampaignState]
    writable: bool = True
    writes: list[tuple[str, str, str | int]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    before: dict[str, Callable[[], None]] = field(default_factory=dict)  # run at the start of a method
    after: dict[str, Callable[[], None]] = field(default_factory=dict)  # run when its work is done
    lock: threading.Lock = field(default_factory=threading.Lock)

    def campaigns(self) -> Sequence[CampaignState]:
        return list(self.campaigns_.values())

    def insights(self, since: date, until: date) -> Iterator[DailyInsight]:
        return iter(())

    def read(self, external_id: str) -> CampaignState:
        self._begin("read")
        if external_id not in self.campaigns_:
            raise PlatformError(Trouble.NOT_FOUND, "There is no such campaign.")
        found = self.campaigns_[external_id]
        self._end("read")
        return found

    def validate(self, change: Change) -> None:
        self._begin("validate")
        self._end("validate")

    def update(self, change: Change) -> str:
        self._begin("update")
        name = {"status": "status", "daily_budget": "budget_micros", "name": "name"}[change.field]
        with self.lock:
            self.writes.append((change.external_id, change.field, change.value))
            state = self.campaigns_[change.external_id]
            self.campaigns_[change.external_id] = replace(state, **{name: change.value})
        self._end("update")
        return f"req-{len(self.writes)}"

    def _begin(self, name: str) -> None:
        self.asked.append(name)
        self.before.get(name, _nothing)()

    def _end(self, name: str) -> None:
        self.after.get(name, _nothing)()


def _nothing() -> None:
    pass


def raising(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


@dataclass
class Doors:
    """Platforms of the accounts that are ours to open."""

    open_to: dict[uuid.UUID, tuple[uuid.UUID, Elsewhere]]  # account -> workspace, platform
    writes: bool = True

    def open(self, scope: Scope, account_id: uuid.UUID) -> Elsewhere:
        workspace_id, platform = self.open_to.get(account_id, (None, None))
        if platform is None or workspace_id != scope.workspace_id:
            raise not_found()
        return platform


@dataclass
class Acme:
    database: Database
    alice: Scope
    bob: Scope
    vera: Scope
    charlie: Scope
    account_id: uuid.UUID
    elsewhere: Elsewhere
    doors: Doors
    ids: dict[str, uuid.UUID]  # of campaigns, by name
    session_id: uuid.UUID = field(default_factory=uuid.uuid4)  # alice's browser

    def rails(self, **values: Any) -> None:
        with self.database.begin() as db:
            guards.set_rails(self.alice, db, Rails(**{"mode": "on", **values}))

    def turn(self) -> uuid.UUID:
        """A new turn of alice's, in a chat of its own."""
        whose = {"workspace_id": self.alice.workspace_id, "user_id": self.alice.user_id}
        session, turn = ChatSession(id=uuid.uuid4(), **whose), uuid.uuid4()
        with self.database.begin() as db:
            db.add(session)
            db.flush()
            db.add(ChatTurn(id=turn, session_id=session.id, position=0, request_id=uuid.uuid4(), **ASKING, **whose))
        return turn

    def wants(self, name: str, field: Any = "status", value: str | int = "paused", **more: Any) -> Wanted:
        currency = "EUR" if field == "daily_budget" else ""
        return Wanted(self.ids[name], field, value, **{"currency": currency, **more})

    def propose(self, *wanted: Wanted, turn: uuid.UUID | None = None, **origin: Any) -> PlanView:
        given = {
            "tool_use_id": uuid.uuid4().hex,
            "model": "Claude",
            "tool": "update_campaign",
            "arguments": {},
            **origin,
        }
        by = Origin(turn_id=turn or self.turn(), **given)
        return changes.propose(self.alice, self.database, self.doors, wanted, by)

    def click(self, plan: PlanView, **but: Any) -> Click:
        token = changes.token(RING, plan, self.session_id)
        given = {"plan_hash": plan.plan_hash, "ticked": frozenset(item.id for item in plan.items), "token": token}
        return Click(**{**given, "session_id": self.session_id, "typed": plan.step_up, **but})

    def approve(self, plan: PlanView, scope: Scope | None = None, **but: Any) -> None:
        with self.database.begin() as db:
            changes.approve(scope or self.alice, db, RING, plan.id, self.click(plan, **but))

    def reject(self, plan: PlanView, note: str = "") -> None:
        with self.database.begin() as db:
            changes.reject(self.alice, db, plan.id, plan.plan_hash, note)

    def carry_out(self, plan: PlanView) -> PlanView:
        return changes.carry_out(self.database, self.doors, plan.id, "a process")

    def approved(self, *wanted: Wanted) -> PlanView:
        plan = self.propose(*wanted)
        self.approve(plan)
        return self.now(plan)

    def done(self, *wanted: Wanted) -> PlanView:
        return self.carry_out(self.approved(*wanted))

    def now(self, plan: PlanView) -> PlanView:
        with self.database.begin() as db:
            return changes.plan(self.alice, db, plan.id)

    def edit(self, row: type, id: Any, **values: Any) -> None:
        """Somebody with a database client."""
        with self.database.begin() as db:
            db.execute(update(row).where(row.id == id).values(**values))  # type: ignore[attr-defined]

    def of(self, name: str) -> CampaignState:
        return next(state for state in self.elsewhere.campaigns_.values() if state.name == name)

    def set(self, campaign: str, /, **values: Any) -> None:
        """Somebody changes a campaign at the platform."""
        state = self.of(campaign)
        self.elsewhere.campaigns_[state.external_id] = replace(state, **values)

    def everybody_rests(self) -> None:
        """The cooldown of earlier changes is over."""
        self.rails(cooldown_hours=0)


ASKING = {
    "provider": "anthropic",
    "model": "claude",
    "state": "waiting",
    "owner": "",
    "lease_until": datetime(2026, 11, 24, tzinfo=UTC),
}
NAMES = ("Brand", "Summer", "Winter", "Generic")


def acme(database: Database) -> Acme:
    """Four active campaigns with 100 EUR a day each, which they spend; the guard rails allow changes."""
    alice, charlie = (campaigns.newcomer(database, name) for name in ("Alice", "Charlie"))
    bob, vera = (join(database, alice, name, role) for name, role in (("Bob", "member"), ("Vera", "viewer")))
    account_id = campaigns.account(database, alice)
    budget = {"budget_micros": 100 * EUR, "budget_period": "daily", "budget_level": "campaign", "learning": "learned"}
    ids = {name: campaigns.campaign(database, alice, account_id, name, objective="sales", **budget) for name in NAMES}
    for id in ids.values():
        for ago in range(1, 8):
            campaigns.day(database, id, ago, 100, 250)
    with database.begin() as db:
        external = {name: db.get_one(Campaign, id).external_id for name, id in ids.items()}
    states = [
        CampaignState(external[name], name, "active", objective="sales", started_on=TODAY - timedelta(30), **budget)
        for name in NAMES
    ]
    elsewhere = Elsewhere({state.external_id: state for state in states})
    doors = Doors({account_id: (alice.workspace_id, elsewhere)})
    made = Acme(database, alice, bob, vera, charlie, account_id, elsewhere, doors, ids)
    made.rails()
    return made


def join(database: Database, to: Scope, name: str, role: Role) -> Scope:
    with database.begin() as db:
        user_id = people.sign_up(db, name=name, email=f"{name.lower()}@example.com", password_hash="none")
        assert user_id is not None
        db.add(WorkspaceMember(workspace_id=to.workspace_id, user_id=user_id, role=role))
        db.flush()
        return enter(db, user_id, to.workspace_id)


def read_only(database: Database, account_id: uuid.UUID) -> None:
    with database.begin() as db:
        db.execute(update(AdAccount).where(AdAccount.id == account_id).values(writable=False))
