"""A turn that waits for a person, on real processes: its readers, the click, the outcome, and workers that die."""

from __future__ import annotations

import signal
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from sqlalchemy import func, update

from tests.approving import BRAND, VIDEO, form_of, open_demo, pause, plans, status_of
from tests.serving import Person, Server, asked, ended, final_turn, look, turn_on, wait_for
from webapp.ads.plans import PlanView
from webapp.chat.events import TurnState
from webapp.db import Database
from webapp.db.models import ChangePlan

QUEUED, RUNNING = TurnState.QUEUED, TurnState.RUNNING


@pytest.fixture
def alice(alice: Person, database: Database) -> Person:
    open_demo(alice.scope, database)
    return alice


def waiting(database: Database, person: Person, turn_id: uuid.UUID, seconds: float = 20) -> PlanView:
    """Its first plan, once the turn waits."""
    wait_for(lambda: look(database, person, turn_id).state not in (QUEUED, RUNNING), seconds, "the turn to wait")
    view = look(database, person, turn_id)
    assert view.state is TurnState.WAITING, (view.trouble, view.blocks)
    return plans(database, person.scope)[0]


def page_of(server: Server, database: Database, person: Person, turn_id: uuid.UUID) -> str:
    return person.get(server, f"/chat/{look(database, person, turn_id).session_id}").text


def press(person: Person, server: Server, plan: PlanView, form: dict[str, Any], what: str) -> requests.Response:
    url = f"{server.base}/changes/{plan.id}/{what}"
    return person.session.post(url, data=form, headers={"HX-Request": "true"}, timeout=20)


def test_a_turn_waits_without_a_worker_and_goes_on_elsewhere_for_readers_on_both(
    server: Server, other_server: Server, database: Database, alice: Person, provider: str, key: str
) -> None:
    before = asked(provider, key)
    turn_id = alice.ask(server, pause(BRAND))
    with ThreadPoolExecutor(2) as pool:
        here, there = (pool.submit(alice.stream, where, turn_id, seconds=40) for where in (server, other_server))
        plan = waiting(database, alice, turn_id)
        page = page_of(other_server, database, alice, turn_id)
        assert status_of(database, alice.scope, BRAND) == "active"
        assert asked(provider, key) == before + 1
        second = alice.post(
            server, "/chat/send", text="yes, do it", session_id=str(look(database, alice, turn_id).session_id)
        )
        assert second.status_code == 409
        assert "A change waits for a decision" in second.text
        approved = press(alice, other_server, plan, form_of(page, plan), "approve")
        assert approved.status_code == 200
        view = ended(database, alice, turn_id)
        streams = here.result(20), there.result(20)
    assert view.state is TurnState.DONE
    assert status_of(database, alice.scope, BRAND) == "paused"
    assert asked(provider, key) == before + 2
    final = turn_on(page_of(server, database, alice, turn_id), turn_id)
    assert {final_turn(each) for each in streams} == {final}
    for each in streams:
        assert "Maxxer asks you to approve a change." in each
        assert f'action="/changes/{plan.id}/approve"' in each
    assert "carried out" in final
    (result,) = (block.result for block in view.blocks if block.kind == "tool_use")
    assert result is not None
    assert '"status":"done"' in result.content


def test_what_a_dead_worker_left_of_an_approval_is_finished_once(
    server: Server, database: Database, alice: Person, provider: str, key: str
) -> None:
    """Killed while it waits, right after the click, and again with every click that follows."""
    before = asked(provider, key)
    turn_id = alice.ask(server, pause(BRAND, VIDEO))
    first = waiting(database, alice, turn_id)
    _kill(server)
    wait_for(lambda: _answers(alice, server), 15, "a new worker")
    second = plans(database, alice.scope)[1]
    page = page_of(server, database, alice, turn_id)
    for plan in (first, second):
        assert press(alice, server, plan, form_of(page, plan), "approve").status_code == 200
        _kill(server)
        wait_for(lambda: _answers(alice, server), 15, "a new worker")
    with database.begin() as db:  # the dead workers' leases run out: three minutes pass
        db.execute(update(ChangePlan).where(ChangePlan.status == "approved").values(lease_until=func.now()))
    wait_for(lambda: all(p.settled for p in plans(database, alice.scope)), 20, "the plans to be settled")
    view = ended(database, alice, turn_id)
    assert [item.status for p in plans(database, alice.scope) for item in p.items] == ["done", "done"]
    assert {status_of(database, alice.scope, name) for name in (BRAND, VIDEO)} == {"paused"}
    assert view.state is TurnState.DONE
    assert asked(provider, key) <= before + 2
    assert turn_on(page_of(server, database, alice, turn_id), turn_id).count('data-state="finished"') == 2


def _kill(server: Server) -> None:
    for worker in server.workers():
        worker.send_signal(signal.SIGKILL)


def _answers(person: Person, server: Server) -> bool:
    try:
        return person.get(server, "/chat").ok
    except requests.RequestException:
        return False
