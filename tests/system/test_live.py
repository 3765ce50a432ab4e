"""The laws of live turns, on real processes: reload, resume, one end, once asked, stop, revoke, replace, drain."""

from __future__ import annotations

import json
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import requests
from sqlalchemy import func, select

from tests.serving import (
    Person,
    Server,
    asked,
    connect,
    final_turn,
    has_ended,
    look,
    served,
    someone,
    stats,
    turn_in,
    turn_on,
    wait_for,
)
from webapp.chat import transcript
from webapp.chat.events import TurnState
from webapp.config import Settings
from webapp.db import Database
from webapp.db.models import ChatTurn, TurnEventRow, WorkspaceMember
from webapp.vault import byok
from webapp.vault.keyring import start_keyring

LONG = "Tell me everything. [[sim tokens=400 delay=10 thinking=20]]"
ENDLESS = "Go on and on. [[sim tokens=4000 delay=20]]"


def has_text(database: Database, person: Person, turn_id: uuid.UUID) -> bool:
    return any(b.kind == "text" and len(b.text) > 20 for b in look(database, person, turn_id).blocks)


def active(provider: str) -> int:
    return int(stats(provider)["streams"]["active"])


def test_the_stream_ends_with_what_a_reload_shows(server: Server, database: Database, alice: Person) -> None:
    turn_id = alice.ask(server, LONG)
    streamed = alice.stream(server, turn_id)
    page = alice.get(server, f"/chat/{look(database, alice, turn_id).session_id}").text
    assert final_turn(streamed) == turn_on(page, turn_id)
    assert 'data-state="done"' in final_turn(streamed)


def test_a_finished_turns_stream_is_its_final_frame_alone(server: Server, alice: Person) -> None:
    turn_id = alice.ask(server, "Hello [[sim tokens=5]]")
    first = final_turn(alice.stream(server, turn_id))
    again = alice.stream(server, turn_id)
    assert final_turn(again) == first
    assert again.count("data: ") == again.replace("data: ", "", 1).count("data: ") + 1
    assert "hx-sse:connect" not in again


def test_readers_who_come_and_go_all_end_alike_and_the_provider_is_asked_once(
    server: Server, other_server: Server, database: Database, alice: Person, provider: str, key: str
) -> None:
    before = asked(provider, key)
    turn_id = alice.ask(server, LONG)

    def read(number: int) -> str:
        time.sleep(number * 0.35)
        where = server if number % 2 else other_server
        if number % 3 == 0:  # a reader who leaves in the middle and comes back
            with alice.session.get(f"{where.base}/chat/turns/{turn_id}/stream", stream=True, timeout=20) as reply:
                next(reply.iter_content(200), b"")
        return final_turn(alice.stream(where, turn_id))

    with ThreadPoolExecutor(10) as pool:
        finals = set(pool.map(read, range(10)))
    page = alice.get(other_server, f"/chat/{look(database, alice, turn_id).session_id}").text
    assert finals == {turn_on(page, turn_id)}
    assert asked(provider, key) == before + 1


def test_sending_twice_asks_once(server: Server, database: Database, alice: Person, provider: str, key: str) -> None:
    before = asked(provider, key)
    request_id = str(uuid.uuid4())
    with ThreadPoolExecutor(20) as pool:
        form = {"text": "Once [[sim tokens=5]]", "request_id": request_id}
        sent = list(pool.map(lambda _: alice.post(server, "/chat/send", **form), range(20)))
    assert {r.status_code for r in sent} <= {200, 204}
    fresh = [r for r in sent if r.status_code == 200]
    assert len(fresh) == 1
    turn_id = turn_in(fresh[0].text)
    assert all(
        str(look(database, alice, turn_id).session_id) in r.headers["HX-Redirect"] for r in sent if r is not fresh[0]
    )
    alice.stream(server, turn_id)
    with database.begin() as db:
        mine = ChatTurn.workspace_id == alice.scope.workspace_id
        assert db.scalar(select(func.count()).select_from(ChatTurn).where(mine)) == 1
        assert len(transcript.sessions(alice.scope, db)) == 1
    assert asked(provider, key) == before + 1


def test_a_second_question_waits_for_the_first(server: Server, database: Database, alice: Person) -> None:
    turn_id = alice.ask(server, ENDLESS)
    session_id = str(look(database, alice, turn_id).session_id)
    second = alice.post(server, "/chat/send", text="And?", session_id=session_id, request_id=str(uuid.uuid4()))
    assert second.status_code == 409
    assert "still answering" in second.text
    alice.post(server, f"/chat/turns/{turn_id}/stop")


def test_stop_keeps_the_partial_answer_and_closes_the_provider(
    server: Server, other_server: Server, database: Database, alice: Person, provider: str
) -> None:
    """Pressed on another host than the one that runs the turn."""
    turn_id = alice.ask(server, ENDLESS)
    wait_for(lambda: has_text(database, alice, turn_id), 10, "some text")
    assert alice.post(other_server, f"/chat/turns/{turn_id}/stop").status_code == 204
    took = wait_for(lambda: has_ended(database, alice, turn_id), 5, "the turn to end")
    assert took < 1.5
    wait_for(lambda: active(provider) == 0, 2, "the provider's connection to close")
    view = look(database, alice, turn_id)
    assert view.state is TurnState.STOPPED
    assert len(view.blocks[-1].text) > 20
    assert "Continue" in alice.get(server, f"/chat/{view.session_id}").text


def test_a_stopped_answer_can_be_continued(server: Server, database: Database, alice: Person) -> None:
    turn_id = alice.ask(server, ENDLESS)
    wait_for(lambda: has_text(database, alice, turn_id), 10, "some text")
    alice.post(server, f"/chat/turns/{turn_id}/stop")
    wait_for(lambda: has_ended(database, alice, turn_id), 5, "the turn to end")
    session_id = str(look(database, alice, turn_id).session_id)
    again = alice.ask(server, "Continue exactly where you stopped. [[sim tokens=5]]", session_id=session_id)
    assert 'data-state="done"' in alice.stream(server, again)


def test_disconnect_on_one_host_cuts_the_answer_on_another(
    server: Server, other_server: Server, database: Database, alice: Person, provider: str, key: str
) -> None:
    turn_id = alice.ask(server, ENDLESS)
    wait_for(lambda: has_text(database, alice, turn_id), 10, "some text")
    alice.post(other_server, "/settings/providers/anthropic/disconnect")
    took = wait_for(lambda: has_ended(database, alice, turn_id), 5, "the turn to be cut")
    assert took < 1.0
    wait_for(lambda: active(provider) == 0, 2, "the provider's connection to close")
    calls = asked(provider, key)
    view = look(database, alice, turn_id)
    assert view.state is TurnState.FAILED
    assert view.blocks[-1].text
    page = alice.get(server, f"/chat/{view.session_id}").text
    assert "The key was disconnected" in page
    refused = alice.post(server, "/chat/send", text="And now?", request_id=str(uuid.uuid4()))
    assert refused.status_code == 409
    assert "No provider is connected" in refused.text
    assert asked(provider, key) == calls


def test_replacing_the_key_lets_the_running_answer_finish_on_the_old_one(
    server: Server, database: Database, settings: Settings, alice: Person, provider: str, key: str
) -> None:
    turn_id = alice.ask(server, LONG)
    wait_for(lambda: has_text(database, alice, turn_id), 10, "some text")
    new_key = f"sk-ant-api03-ok-{uuid.uuid4().hex}"
    connect(database, start_keyring(database, settings), alice.scope, provider, new_key)
    time.sleep(3.5)  # longer than a lease renewal, which looks for revoked keys
    assert 'data-state="done"' in alice.stream(server, turn_id)
    before = asked(provider, key)
    session_id = str(look(database, alice, turn_id).session_id)
    alice.stream(server, alice.ask(server, "And on the new one? [[sim tokens=5]]", session_id=session_id))
    assert asked(provider, key) == before
    assert asked(provider, new_key) > 0


def test_a_killed_workers_turn_is_interrupted_and_kept(server: Server, database: Database, alice: Person) -> None:
    turn_id = alice.ask(server, ENDLESS)
    wait_for(lambda: has_text(database, alice, turn_id), 10, "some text")
    for worker in server.workers():
        worker.send_signal(signal.SIGKILL)
    took = wait_for(lambda: has_ended(database, alice, turn_id), 20, "the turn to be interrupted")
    assert took <= 15
    view = look(database, alice, turn_id)
    assert view.state is TurnState.INTERRUPTED
    assert len(view.blocks[-1].text) > 20
    wait_for(lambda: alice.get(server, "/chat").ok, 10, "a new worker")
    session_id = str(view.session_id)
    again = alice.ask(server, "Continue exactly where you stopped. [[sim tokens=5]]", session_id=session_id)
    assert 'data-state="done"' in alice.stream(server, again)


def test_a_reload_lets_running_turns_finish_and_hands_their_readers_over(
    settings: Settings, database: Database, alice: Person, provider: str, key: str
) -> None:
    before = asked(provider, key)
    with served(settings, provider=provider, grace=40) as server:
        turn_id = alice.ask(server, "Slowly. [[sim tokens=250 delay=20]]")
        old = {w.pid for w in server.workers()}
        with ThreadPoolExecutor(1) as pool:
            reader = pool.submit(alice.stream, server, turn_id)
            wait_for(lambda: has_text(database, alice, turn_id), 10, "some text")
            server.signal(signal.SIGHUP)
            said = reader.result(20)
        assert "<article" not in said  # let go, without an end
        wait_for(lambda: {w.pid for w in server.workers()} - old, 10, "a new worker")
        heard: list[str] = []  # the old worker may still take a connection, only to end it: a browser asks again

        def finished() -> bool:
            heard.append(alice.stream(server, turn_id))
            return "<article" in heard[-1]

        wait_for(finished, 25, "the final frame")
    assert 'data-state="done"' in final_turn(heard[-1])
    assert asked(provider, key) == before + 1


def test_a_stop_of_the_server_marks_what_it_cannot_finish(
    database: Database, settings: Settings, alice: Person, provider: str
) -> None:
    with served(settings, provider=provider, grace=7) as server:
        turn_id = alice.ask(server, ENDLESS)
        wait_for(lambda: has_text(database, alice, turn_id), 10, "some text")
        server.signal(signal.SIGTERM)
        server.process.wait(15)
    view = look(database, alice, turn_id)
    assert view.state is TurnState.INTERRUPTED
    assert len(view.blocks[-1].text) > 20


def test_a_removed_member_stops_seeing_the_answer_and_the_provider_stops_writing_it(
    server: Server, database: Database, alice: Person, provider: str
) -> None:
    turn_id = alice.ask(server, ENDLESS)
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(alice.stream, server, turn_id)
        wait_for(lambda: has_text(database, alice, turn_id), 10, "some text")
        with database.begin() as db:
            db.query(WorkspaceMember).filter_by(user_id=alice.scope.user_id).delete()
        said = reader.result(20)
    assert said.rstrip().endswith(f'<hx-partial hx-target="#turn-{turn_id}-live" hx-swap="delete"></hx-partial>')
    with database.begin() as db:
        assert db.get_one(ChatTurn, turn_id).state == TurnState.STOPPED
    wait_for(lambda: active(provider) == 0, 2, "the provider's connection to close")


def test_a_strangers_stream_says_nothing(server: Server, database: Database, settings: Settings, alice: Person) -> None:
    charlie = someone(database, settings, "Charlie")
    turn_id = alice.ask(server, "Secret plans [[sim tokens=30 delay=20]]")
    foreign, unknown = charlie.stream(server, turn_id), charlie.stream(server, other := uuid.uuid4())
    assert foreign.replace(str(turn_id), str(other)) == unknown
    assert "plans" not in foreign
    nobody = requests.get(f"{server.base}/chat/turns/{turn_id}/stream", timeout=5)
    assert nobody.status_code == 200
    assert nobody.text == foreign


def test_a_key_that_is_revoked_at_the_provider_raises_the_banner_until_it_is_replaced(
    server: Server, database: Database, settings: Settings, alice: Person, provider: str, key: str
) -> None:
    requests.post(f"{provider}/__control/revoke", json={"key": key}, timeout=5)
    turn_id = alice.ask(server, "Still there?")
    said = final_turn(alice.stream(server, turn_id))
    assert 'data-state="failed"' in said
    assert "Anthropic refused the key" in said
    assert "/settings/providers" in said
    for page in ("/chat", "/settings/providers", "/settings/members", "/settings/account"):
        assert ">Reconnect</a>" in alice.get(server, page).text, page
    connect(database, start_keyring(database, settings), alice.scope, provider, f"sk-ant-api03-ok-{uuid.uuid4().hex}")
    assert ">Reconnect</a>" not in alice.get(server, "/chat").text
    session_id = str(look(database, alice, turn_id).session_id)
    assert 'data-state="done"' in alice.stream(server, alice.ask(server, "Hi [[sim tokens=5]]", session_id=session_id))


def test_an_overload_is_tried_again_and_shown(server: Server, alice: Person, provider: str, key: str) -> None:
    before = asked(provider, key)
    turn_id = alice.ask(server, "Hello [[sim error-once=529 tokens=5]]")
    said = alice.stream(server, turn_id)
    assert "Anthropic is overloaded. Trying again in" in said
    assert 'data-state="done"' in final_turn(said)
    assert asked(provider, key) == before + 2


def test_an_error_in_mid_answer_keeps_what_came_and_says_what_happened(server: Server, alice: Person) -> None:
    turn_id = alice.ask(server, "Hello [[sim tokens=100 fail-after=40 error=overloaded_error]]")
    said = final_turn(alice.stream(server, turn_id))
    assert 'data-state="failed"' in said
    assert "Anthropic is overloaded" in said
    assert 'class="b"' in said
    assert "Try again" in said


def test_a_truncated_stream_is_not_taken_for_an_answer(server: Server, alice: Person) -> None:
    said = final_turn(alice.stream(server, alice.ask(server, "Hello [[sim tokens=100 truncate-after=40]]")))
    assert 'data-state="failed"' in said
    assert "The answer was cut off" in said


def test_blocks_go_back_to_the_provider_as_they_came(
    server: Server, alice: Person, provider: str, database: Database
) -> None:
    """The simulator verifies the signatures of the reasoning that is sent back, and refuses a changed one."""
    turn_id = alice.ask(server, "Think first [[sim thinking=30 tokens=20]]")
    assert 'data-state="done"' in alice.stream(server, turn_id)
    session_id = str(look(database, alice, turn_id).session_id)
    second = alice.ask(server, "And now? [[sim tokens=5]]", session_id=session_id)
    assert 'data-state="done"' in alice.stream(server, second)
    sent = stats(provider)["last_request"]
    assert '"signature"' in json.dumps(sent)
    assert not look(database, alice, second).notices


def test_the_log_of_a_turn_is_numbered_without_gaps(server: Server, database: Database, alice: Person) -> None:
    turn_id = alice.ask(server, LONG)
    alice.stream(server, turn_id)
    with database.begin() as db:
        rows = select(TurnEventRow.seq).where(TurnEventRow.turn_id == turn_id).order_by(TurnEventRow.seq)
        numbers = list(db.scalars(rows))
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) < 150  # merged by tick: far fewer rows than tokens


def test_deleting_a_chat_stops_what_runs_in_it(
    server: Server, database: Database, alice: Person, provider: str
) -> None:
    turn_id = alice.ask(server, ENDLESS)
    session_id = look(database, alice, turn_id).session_id
    alice.post(server, f"/chat/{session_id}/delete", htmx=False)
    wait_for(lambda: active(provider) == 0, 3, "the provider's connection to close")
    assert alice.get(server, f"/chat/{session_id}").status_code == 404


def test_a_key_disconnected_twice_changes_nothing_more(server: Server, database: Database, alice: Person) -> None:
    for _ in range(2):
        assert alice.post(server, "/settings/providers/anthropic/disconnect", htmx=False).status_code == 303
    with database.begin() as db:
        assert byok.cards(alice.scope, db) == []
