"""The books after a bad day on real processes: turns of every kind at once, some stopped, some failing, some on workers
that are killed. Whatever happened, receipts, chats, the usage page and its file say the same, and nothing is held."""

from __future__ import annotations

import csv
import io
import signal
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import cycle

import pytest
from sqlalchemy import func, select, update

from tests.approving import BRAND, form_of, open_demo, pause, plans
from tests.serving import Person, Server, ended, look, wait_for
from webapp.chat import transcript
from webapp.chat.events import TurnState
from webapp.chat.transcript import TurnView
from webapp.db import Database
from webapp.db.models import BudgetHold, ChatTurn
from webapp.usage import budgets
from webapp.usage.receipts import Spent, total

MODEL = "anthropic:claude-sonnet-5-5"
TOOLS = "Look twice. [[sim tool=list_campaigns {}]] [[sim tool=list_campaigns {}]] [[sim tokens=15]]"
DAY = {  # what is asked -> how it ends
    "Good morning [[sim tokens=20]]": TurnState.DONE,
    TOOLS: TurnState.DONE,
    "Refused [[sim error=403]]": TurnState.FAILED,
    "Once more [[sim error-once=overloaded tokens=10]]": TurnState.DONE,
    "It fails later [[sim tokens=60 fail-after=15]]": TurnState.FAILED,
    "The line breaks [[sim tokens=60 drop-after=15]]": TurnState.FAILED,
    "Cut short [[sim tokens=60 truncate-after=15]]": TurnState.FAILED,
    "It fails in its second round [[sim round=0 tool=list_campaigns {}]] [[sim round=1 tokens=40 fail-after=10]]": (
        TurnState.FAILED
    ),
    "Stop at once [[sim tokens=4000 delay=20]]": TurnState.STOPPED,
    "Stop later [[sim tokens=4000 delay=20]]": TurnState.STOPPED,
}
CRASHES = (
    "Killed while it talks [[sim tokens=4000 delay=20]]",
    "Killed in its second round [[sim round=0 tool=list_campaigns {}]] [[sim round=1 tokens=4000 delay=20]]",
    "Killed before the first word [[sim first=60000]]",
)


@pytest.fixture
def alice(alice: Person, database: Database) -> Person:
    """With a budget, so that every call is held before it is made."""
    open_demo(alice.scope, database)
    with database.begin() as db:
        big = 50_000_000
        budgets.set_limit(alice.scope, db, applies_to="workspace", period="day", unit="tokens", amount=big)
    return alice


def live_through(server: Server, database: Database, alice: Person, text: str) -> TurnView:
    turn_id = alice.ask(server, text, model=MODEL)
    if "Stop" in text:
        if "later" in text:
            wait_for(lambda: look(database, alice, turn_id).blocks, 10, "some words")
        assert alice.post(server, f"/chat/turns/{turn_id}/stop").status_code == 204
    return ended(database, alice, turn_id)


def approve(server: Server, database: Database, alice: Person) -> TurnView:
    turn_id = alice.ask(server, pause(BRAND), model=MODEL)
    wait_for(lambda: look(database, alice, turn_id).state is TurnState.WAITING, 20, "the turn to wait")
    waits = look(database, alice, turn_id)
    assert len(waits.entries) == 1, "what waits is booked"
    (plan,) = plans(database, alice.scope)
    form = form_of(alice.get(server, f"/chat/{waits.session_id}").text, plan)
    alice.session.post(f"{server.base}/changes/{plan.id}/approve", data=form, timeout=20).raise_for_status()
    return ended(database, alice, turn_id)


def crash(server: Server, database: Database, alice: Person) -> list[TurnView]:
    asked = [alice.ask(server, text, model=MODEL) for text in CRASHES]
    wait_for(lambda: look(database, alice, asked[0]).blocks, 15, "some words")
    wait_for(lambda: speaks_after_a_tool(look(database, alice, asked[1])), 15, "its second round")
    assert holds(database, alice) == len(asked)
    for worker in server.workers():
        worker.send_signal(signal.SIGKILL)
    with database.begin() as db:  # their leases run out: ten seconds pass
        db.execute(update(ChatTurn).where(ChatTurn.id.in_(asked)).values(lease_until=func.now()))
    return [ended(database, alice, each) for each in asked]


def speaks_after_a_tool(view: TurnView) -> bool:
    kinds = [block.kind for block in view.blocks]
    return "tool_use" in kinds and kinds[-1] != "tool_use"


def holds(database: Database, person: Person) -> int:
    with database.look() as db:
        here = BudgetHold.workspace_id == person.scope.workspace_id
        return db.scalar(select(func.count()).select_from(BudgetHold).where(here)) or 0


def test_every_book_says_the_same(server: Server, other_server: Server, database: Database, alice: Person) -> None:
    """On two hosts, of which the other one finds what the first leaves behind."""
    with ThreadPoolExecutor(len(DAY) + 1) as pool:
        approved = pool.submit(approve, server, database, alice)
        hosts = cycle((server, other_server))
        lived = list(pool.map(lambda text, host: live_through(host, database, alice, text), DAY, hosts))
    assert [view.state for view in lived] == list(DAY.values())
    crashed = crash(server, database, alice)
    assert {view.state for view in crashed} == {TurnState.INTERRUPTED}
    views = [*lived, approved.result(), *crashed]
    assert [len(view.entries) for view in views] == [1, 3, 0, 1, 1, 1, 1, 2, len(lived[8].entries), 1, 2, 1, 2, 1]
    assert all(entry.estimated for view in crashed for entry in view.entries[-1:])
    assert holds(database, alice) == 0
    books_agree(other_server, database, alice, views)


def books_agree(server: Server, database: Database, alice: Person, views: list[TurnView]) -> None:
    receipts = sum((total(view.entries) for view in views), Spent())
    with database.look() as db:
        chats = [transcript.session(alice.scope, db, view.session_id).spent for view in views]
    assert sum(chats, Spent()) == receipts
    sheet = lines(alice.get(server, "/settings/usage.csv?period=7d").text)
    assert len(sheet) == receipts.calls == len({(line["answer"], line["call"]) for line in sheet})
    columns = ("input_fresh", "cache_read", "cache_write", "cache_write_1h", "output")
    assert sum(int(line[name]) for line in sheet for name in columns) == receipts.tokens
    assert sum(Decimal(line["cost_usd"]) for line in sheet) == Decimal(receipts.micros) / 1_000_000
    page = alice.get(server, "/settings/usage?period=7d").text
    assert f"<strong>{receipts.tokens:,}</strong>" in page
    assert f"Tokens in {receipts.calls:,} calls" in page


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
