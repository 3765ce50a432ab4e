"""The chat pages without a running turn: what each person sees, and what a form that cannot be sent loses (nothing)."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from typing import Any

import pytest
from flask import Flask

from tests import people
from tests.people import Browser
from webapp.chat import picker, transcript
from webapp.chat.events import Cause, Ended, Trouble, TurnState
from webapp.chat.fold import fold
from webapp.chat.transcript import Asking, SessionRow
from webapp.llm.errors import Fault, Kind
from webapp.llm.models import RemoteModel
from webapp.pages.words import compact, groupby_day, usd
from webapp.secret import Secret
from webapp.vault import byok


@pytest.fixture
def connected(alice: Browser) -> Browser:
    """alice, with an Anthropic key and its list of models."""
    with alice.database.begin() as db:
        key_id = byok.connect(alice.scope, db, alice.parts.keyring, "anthropic", Secret("sk-ant-api03-" + "x" * 40), "")
        models = [RemoteModel("claude-sonnet-5-5", "Claude Sonnet 5.5", "sonnet"), RemoteModel("mystery", "Mystery")]
        picker.keep_list(alice.scope, db, key_id, "anthropic", models)
    return alice


def asked(person: Browser, question: str = "Why is <b>MER</b> low?") -> uuid.UUID:
    """A session with one finished turn that said nothing."""
    with person.database.begin() as db:
        asking = Asking(uuid.uuid4(), question, "anthropic", "claude-sonnet-5-5", "Claude Sonnet 5.5", None, "Acme")
        ref, _ = transcript.open_turn(person.scope, db, None, asking, "w1")
        transcript.finish(db, ref, fold([Ended(TurnState.STOPPED)]))
    return ref.session_id


def test_without_a_key_the_page_says_what_to_do(alice: Browser, bob: Browser) -> None:
    page = alice.get("/chat").text
    assert "Connect a provider to begin" in page
    assert 'href="/settings/providers"' in page
    assert "Ask an owner or admin" in bob.get("/chat").text


def test_a_question_without_a_key_is_refused_and_kept(alice: Browser) -> None:
    answer = alice.send("/chat/send", text="My long question", request_id=str(uuid.uuid4()))
    assert answer.status_code == 409
    assert "No provider is connected" in answer.text
    assert "My long question</textarea>" in answer.text


def test_an_empty_question_is_refused_in_words(connected: Browser) -> None:
    answer = connected.send("/chat/send", text="  ", request_id=str(uuid.uuid4()))
    assert answer.status_code == 422
    assert "Type a message first" in answer.text


def test_the_picker_shows_prices_and_says_when_one_is_unknown(connected: Browser) -> None:
    page = connected.get("/chat").text
    assert "Claude Sonnet 5.5" in page
    assert "price unknown" in page


def test_a_provider_with_hundreds_of_models_hides_no_other(connected: Browser) -> None:
    with connected.database.begin() as db:
        secret = Secret("sk-or-v1-" + "x" * 40)
        key_id = byok.connect(connected.scope, db, connected.parts.keyring, "openrouter", secret, "")
        many = [RemoteModel(f"vendor/model-{n}", f"Model {n}") for n in range(435)]
        picker.keep_list(connected.scope, db, key_id, "openrouter", many)
    page = connected.get("/chat").text
    assert "Claude Sonnet 5.5" in page
    assert "Model 29" in page
    assert "Model 30<" not in page
    assert "405 more" in page
    assert "Model 434" in connected.get("/chat/models?q=434").text


def test_typing_narrows_the_picker(connected: Browser) -> None:
    found = connected.get("/chat/models?q=son+ant", headers={"HX-Request": "true"}).text
    assert "Claude Sonnet 5.5" in found
    assert "Mystery" not in found
    assert "No model found" in connected.get("/chat/models?q=zzz").text


def test_a_choice_is_the_whole_workspaces(connected: Browser, bob: Browser) -> None:
    connected.send("/chat/model", model="anthropic:mystery")
    assert "Model: Mystery" in bob.get("/chat").text


def test_picking_a_model_tells_whether_its_cache_is_warm(connected: Browser) -> None:
    with connected.database.begin() as db:
        key = byok.active(connected.scope, db, "anthropic")
        assert key is not None
        models = [RemoteModel("claude-sonnet-4-5"), RemoteModel("claude-haiku-4-5")]
        picker.keep_list(connected.scope, db, key.id, "anthropic", models)
    said = {}
    for model in ("claude-sonnet-4-5", "claude-haiku-4-5"):
        form = {"workspace": str(connected.workspace_id), "model": f"anthropic:{model}"}
        picked = connected.post("/chat/model", data=form, headers={"HX-Request": "true"}).text
        said[model] = picked.partition('<hx-partial hx-target="#warmth" hx-swap="outerMorph">')[2]
    assert "cold" in said["claude-sonnet-4-5"]
    assert "for 5 minutes, for the whole team" in said["claude-sonnet-4-5"]
    assert "Not cached yet" in said["claude-haiku-4-5"]
    assert "caches what begins with 4,096 tokens or more" in said["claude-haiku-4-5"]
    assert "hx-trigger" not in "".join(said.values()), "what is not warm asks for nothing"


def test_a_model_that_is_not_offered_is_refused(connected: Browser) -> None:
    assert connected.send("/chat/model", model="openai:gpt-6").status_code == 422


def test_searching_the_picker_changes_nothing(connected: Browser) -> None:
    page = connected.get("/chat/models?q=mystery&model=anthropic:claude-sonnet-5-5").text
    assert '<input type="hidden" name="model" value="anthropic:claude-sonnet-5-5">' in page
    assert "checked" not in page


def test_a_choice_inside_a_chat_is_that_chats_too(connected: Browser) -> None:
    session_id = asked(connected)
    assert "Model: Claude Sonnet 5.5" in connected.get(f"/chat/{session_id}").text
    connected.send("/chat/model", model="anthropic:mystery", session_id=str(session_id))
    assert "Model: Mystery" in connected.get(f"/chat/{session_id}").text


def test_nothing_stands_in_for_a_model_that_is_gone(connected: Browser, bob: Browser) -> None:
    """The key of the chat's model is replaced by one that cannot use it: a person chooses anew, nobody else."""
    session_id = asked(connected)
    with connected.database.begin() as db:
        secret = Secret("sk-ant-api03-" + "y" * 40)
        key_id = byok.connect(connected.scope, db, connected.parts.keyring, "anthropic", secret, "")
        picker.keep_list(connected.scope, db, key_id, "anthropic", [RemoteModel("other", "Other")])
    page = connected.get(f"/chat/{session_id}").text
    assert "claude-sonnet-5-5: not available" in page
    answer = connected.send("/chat/send", text="Go on", session_id=str(session_id), request_id=str(uuid.uuid4()))
    assert answer.status_code == 409
    assert "not available any more" in answer.text
    assert "Go on</textarea>" in answer.text


def failed(person: Browser, kind: Kind, **more: Any) -> uuid.UUID:
    with person.database.begin() as db:
        asking = Asking(uuid.uuid4(), "Why?", "anthropic", "claude-sonnet-5-5", "Claude Sonnet 5.5", None, "Acme")
        ref, _ = transcript.open_turn(person.scope, db, None, asking, "w1")
        trouble = Trouble(Cause.PROVIDER, Fault(kind, "Their words", 429, **more))
        transcript.finish(db, ref, fold([Ended(TurnState.FAILED, trouble)]))
    return ref.session_id


def test_a_failure_offers_the_other_providers_with_their_price(connected: Browser) -> None:
    with connected.database.begin() as db:
        key_id = byok.connect(connected.scope, db, connected.parts.keyring, "groq", Secret("gsk_" + "x" * 40), "")
        listed = [RemoteModel("llama", "Llama", price_in=0.1, price_out=0.2)]
        picker.keep_list(connected.scope, db, key_id, "groq", listed)
    page = connected.get(f"/chat/{failed(connected, Kind.OVERLOADED)}").text
    assert "Ask Llama instead" in page
    assert "$0.10 in, $0.20 out instead of $" in page
    assert "Ask Mystery instead" not in page
    assert "Their words" in page


def test_a_refused_model_offers_another_one_of_the_same_provider(connected: Browser) -> None:
    assert "Ask Mystery instead" in connected.get(f"/chat/{failed(connected, Kind.MODEL_FORBIDDEN)}").text


def test_a_limit_is_counted_down_and_an_empty_wallet_leads_to_the_billing_page(connected: Browser) -> None:
    limited = connected.get(f"/chat/{failed(connected, Kind.RATE_LIMITED, retry_after=30.0)}").text
    assert 'data-until="' in limited
    assert ">30 s</span>" in limited
    empty = connected.get(f"/chat/{failed(connected, Kind.NO_CREDIT)}").text
    assert "Billing at Anthropic" in empty
    assert "data-until" not in empty


def test_a_viewer_reads_and_cannot_send(app: Flask, connected: Browser) -> None:
    vera = people.join(people.newcomer(app, "Vera"), connected.workspace_id, "viewer")
    page = vera.get("/chat").text
    assert "you can look at the settings, but not chat" in page
    assert vera.send("/chat/send", text="Hi", request_id=str(uuid.uuid4())).status_code == 403


def test_chats_are_their_authors_alone(connected: Browser, bob: Browser) -> None:
    session_id = asked(connected)
    assert connected.get(f"/chat/{session_id}").status_code == 200
    assert bob.get(f"/chat/{session_id}").status_code == 404
    assert str(session_id) not in bob.get("/chat").text


def test_a_question_is_text_never_markup(connected: Browser) -> None:
    page = connected.get(f"/chat/{asked(connected)}").text
    assert "Why is &lt;b&gt;MER&lt;/b&gt; low?" in page
    assert "<b>MER" not in page


def test_renaming_keeps_to_one_line_of_120(connected: Browser) -> None:
    session_id = asked(connected)
    assert connected.send(f"/chat/{session_id}/rename", title="  Weekly \n review ").status_code == 303
    assert ">Weekly review</a>" in connected.get("/chat").text
    assert connected.send(f"/chat/{session_id}/rename", title=" ").status_code == 422
    assert connected.send(f"/chat/{session_id}/rename", title="x" * 121).status_code == 422
    assert ">Weekly review</a>" in connected.get("/chat").text


def test_the_rename_form_opens_in_place_and_as_a_page(connected: Browser) -> None:
    session_id = asked(connected)
    fragment = connected.get(f"/chat/{session_id}/rename", headers={"HX-Request": "true"}).text
    assert fragment.lstrip().startswith(f'<form class="session renaming" id="session-{session_id}"')
    assert f'id="title-{session_id}"' in connected.get(f"/chat/{session_id}/rename").text


def test_deleting_takes_the_chat_off_the_list(connected: Browser) -> None:
    session_id = asked(connected)
    assert connected.send(f"/chat/{session_id}/delete").status_code == 303
    page = connected.get("/chat").text
    assert "was deleted" in page
    assert f"session-{session_id}" not in page
    assert connected.get(f"/chat/{session_id}").status_code == 404


def test_an_answer_that_was_stopped_offers_to_try_again(connected: Browser) -> None:
    page = connected.get(f"/chat/{asked(connected)}").text
    assert "Stopped" in page
    assert "Try again" in page
    form = page[page.index('-again"') : page.index("Try again")]
    assert f'name="workspace" value="{connected.workspace_id}"' in form


def test_sessions_are_grouped_by_day() -> None:
    days = [datetime(2026, 11, day, 12, tzinfo=UTC) for day in (24, 23, 20, 2)]
    rows = [SessionRow(uuid.uuid4(), str(n), "", "", day) for n, day in enumerate(days)]
    assert [d.name for d in groupby_day(rows, date(2026, 11, 24))] == ["Today", "Yesterday", "Last 7 days", "Older"]


@pytest.mark.parametrize(
    ("number", "shown"), [(200_000, "200K"), (1_000_000, "1M"), (1_048_576, "1M"), (128_000, "128K"), (512, "512")]
)
def test_sizes_are_short(number: int, shown: str) -> None:
    assert compact(number) == shown


@pytest.mark.parametrize(("price", "shown"), [(3.0, "$3"), (0.25, "$0.25"), (1.1, "$1.10")])
def test_prices_are_plain(price: float, shown: str) -> None:
    assert usd(price) == shown
