"""Receipts under answers, and Settings › Usage: what each person sees, that everything adds up, and the file."""

from __future__ import annotations

import csv
import io
import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask

from tests import people
from tests.people import Browser
from webapp.chat import picker, transcript
from webapp.chat.events import Answered, Asked, Ended, FirstWord, Heard, TurnEvent, TurnState
from webapp.chat.fold import fold
from webapp.chat.transcript import Asking
from webapp.db.models import UsageEntry
from webapp.llm.events import BlockEnd, BlockStart, Finish, FinishReason, Start, TextDelta, Usage
from webapp.llm.models import RemoteModel
from webapp.pages.receipts import dollars, percent
from webapp.secret import Secret
from webapp.vault import byok
from webapp.vault.byok import KeyRef

SONNET, NAMELESS = "claude-sonnet-4-5", "a-model-without-a-price"
NOW = datetime.now(UTC).replace(hour=0, minute=1)


@pytest.fixture
def connected(alice: Browser) -> Browser:
    connect(alice, "Acme's key")
    return alice


def connect(person: Browser, label: str) -> None:
    with person.database.begin() as db:
        secret = Secret("sk-ant-api03-" + "x" * 40)
        key_id = byok.connect(person.scope, db, person.parts.keyring, "anthropic", secret, label)
        picker.keep_list(person.scope, db, key_id, "anthropic", [RemoteModel(SONNET), RemoteModel(NAMELESS)])


def round_of(used: Usage, at: datetime = NOW, finish: FinishReason = FinishReason.STOP) -> list[TurnEvent]:
    return [
        Asked("anthropic_messages", SONNET, at.timestamp(), 400),
        Heard(Start(SONNET, "msg_1")),
        FirstWord(800),
        Heard(BlockStart(0, "text")),
        Heard(TextDelta(0, "Seven words of an answer.")),
        Heard(BlockEnd(0)),
        Heard(used),
        Heard(Finish(finish)),
        Answered(2300),
    ]


def answered(
    person: Browser, *rounds: Usage, model: str = SONNET, at: datetime = NOW, key: KeyRef | None = None
) -> uuid.UUID:
    events = [event for used in rounds for event in round_of(used, at)]
    return told(person, [*events, Ended(TurnState.DONE)], model, key)


def told(person: Browser, events: Sequence[TurnEvent], model: str = SONNET, key: KeyRef | None = None) -> uuid.UUID:
    """A session with one turn of these events, on the team's key if on no other; its id."""
    with person.database.begin() as db:
        key = key or byok.active(person.scope, db, "anthropic")
        assert key is not None
        asking = Asking(uuid.uuid4(), "Why?", "anthropic", model, "Sonnet", key.id, key.label)
        ref, _ = transcript.open_turn(person.scope, db, None, asking, "w1")
        transcript.finish(db, ref, fold(events))
    return ref.session_id


def receipt(person: Browser, session_id: uuid.UUID) -> str:
    """Its words, on one line."""
    page = person.get(f"/chat/{session_id}").text
    found = re.search(r'<details class="receipt".*?</details>', page, re.S)
    assert found, page
    return words(found[0])


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def sheet(person: Browser, path: str = "/settings/usage.csv") -> list[dict[str, str]]:
    answer = person.get(path)
    assert answer.headers["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


# --- the receipt ------------------------------------------------------------------------------------------------


def test_a_receipt_says_what_was_used_paid_and_saved(connected: Browser) -> None:
    said = receipt(connected, answered(connected, Usage(1000, 10_000, 2000, 500, 800, 300)))
    assert "14,300 tokens · $0.0285 · 74% from cache" in said
    for row in (
        "Input, fresh 1,000",
        "Input, read from cache 10,000",
        "Input, written to cache 2,000",
        "Input, written to cache for an hour 500",
        "Output 800",
        "of it thinking 300",
        "Price $0.0285",
        "Saved by caching $0.0240",
        "First word after 0.8 s",
        "Took 2.3 s",
        f"Model {SONNET}",
        "Paid with the team&#39;s key “Acme&#39;s key” at Anthropic.",
        "Priced by our list of",
    ):
        assert row in said


def test_two_calls_stand_beside_their_sum_and_the_session_says_the_same(connected: Browser) -> None:
    session_id = answered(connected, Usage(input=1000, output=100), Usage(cache_read=1100, output=50))
    said = receipt(connected, session_id)
    assert "Whole answer Call 1 Call 2" in said
    assert "Output 150 100 50" in said
    assert "Price $0.0056 $0.0045 $0.0011" in said
    page = connected.get(f"/chat/{session_id}").text
    assert "2,250 tokens · $0.0056 · 52% from cache" in words(page[page.index('id="usage"') :][:400])


def test_a_cut_answer_is_an_estimate_and_says_so(connected: Browser) -> None:
    said = receipt(connected, told(connected, [*round_of(Usage())[:5], Ended(TurnState.STOPPED)]))
    assert "about 407 tokens · about $0.0013" in said
    assert "our estimate" in said


def test_a_price_nobody_knows_is_unknown(connected: Browser) -> None:
    said = receipt(connected, answered(connected, Usage(input=10, output=10), model=NAMELESS))
    assert "20 tokens · price unknown" in said
    assert "Saved by caching unknown" in said
    assert "Nobody has told us" in said
    assert "$" not in said


def test_a_providers_own_figure_is_called_that(connected: Browser) -> None:
    said = receipt(connected, answered(connected, Usage(input=10, output=10, cost=0.25), model=NAMELESS))
    assert "$0.2500" in said
    assert "the provider&#39;s own figure" in said
    assert "Saved by caching unknown" in said


def test_the_first_call_says_why_it_read_nothing(connected: Browser) -> None:
    said = receipt(connected, answered(connected, Usage(cache_write=2000, output=5)))
    assert "It read nothing from the cache: it was the first call in a while" in said


def test_an_answer_from_before_there_were_receipts_has_none(connected: Browser) -> None:
    assert 'class="receipt"' not in connected.get(f"/chat/{told(connected, [Ended(TurnState.STOPPED)])}").text


@pytest.mark.parametrize(
    ("micros", "said"),
    [
        (None, "unknown"),
        (0, "$0.00"),
        (99, "less than $0.0001"),
        (12_300, "$0.0123"),
        (-12_300, "−$0.0123"),
        (1_234_567_890, "$1,234.57"),
    ],
)
def test_small_money_keeps_its_figures(micros: int | None, said: str) -> None:
    assert dollars(micros) == said


def test_what_is_not_all_is_not_called_all() -> None:
    assert [percent(part) for part in (None, 0.0, 0.999, 1.0)] == ["–", "0%", "99%", "100%"]


# --- the page ---------------------------------------------------------------------------------------------------


def test_before_the_first_answer_the_page_says_what_will_stand_there(alice: Browser) -> None:
    page = alice.get("/settings/usage").text
    assert "Nothing was used in this period" in page
    assert 'href="/chat"' in page
    assert sheet(alice) == []


def test_receipts_the_session_the_page_and_the_file_agree(connected: Browser) -> None:
    ids = [
        answered(connected, Usage(1000, 10_000, 2000, 500, 800), Usage(cache_read=9000, output=70)),
        answered(connected, Usage(input=10, output=10), model=NAMELESS),
        told(connected, [*round_of(Usage())[:5], Ended(TurnState.STOPPED)]),
    ]
    with connected.database.look() as db:
        spent = [transcript.session(connected.scope, db, each).spent for each in ids]
    whole = spent[0] + spent[1] + spent[2]
    page = words(connected.get("/settings/usage?period=1d").text)
    assert f"Tokens in 4 calls {whole.tokens:,}" in page
    assert f"Cost {dollars(whole.micros)}" in page
    assert "The price of 1 of the calls is unknown. Their 20 tokens" in page
    rows = sheet(connected, "/settings/usage.csv?period=1d")
    counted = ("input_fresh", "cache_read", "cache_write", "cache_write_1h", "output")
    assert sum(int(row[name]) for row in rows for name in counted) == whole.tokens
    assert sum(Decimal(row["cost_usd"]) for row in rows if row["cost_usd"]) * 1_000_000 == whole.micros
    assert [row["cost_usd"] for row in rows].count("") == 1
    assert [row["estimated"] for row in rows].count("yes") == 1


def test_it_is_told_by_model_provider_member_place_key_and_day(connected: Browser, bob: Browser) -> None:
    answered(connected, Usage(input=100, output=10))
    answered(bob, Usage(input=1000, output=100))
    page = words(connected.get("/settings/usage").text)
    for row in (
        f"{SONNET} Anthropic $0.0050",
        "Bob $0.0045",
        "Alice $0.0004",
        "Chat $0.0050",
        "“Acme&#39;s key” Anthropic $0.0050",
        f"{NOW:%b %Y} $0.0050",
    ):
        assert row in page, row
    assert "https://platform.claude.com/usage" in connected.get("/settings/usage").text


def test_a_member_sees_their_own_figures_and_the_workspaces_sum(connected: Browser, bob: Browser) -> None:
    answered(connected, Usage(input=1000, output=100))
    answered(bob, Usage(input=100, output=10))
    page = words(bob.get("/settings/usage").text)
    assert "You see your own figures. The whole workspace: 1,210 tokens · $0.0050" in page
    assert "Tokens in 1 call 110" in page
    assert "By member" not in page
    assert [row["member"] for row in sheet(bob)] == ["Bob"]
    assert {row["member"] for row in sheet(connected)} == {"Alice", "Bob"}


def test_nothing_of_it_is_charlies(connected: Browser, charlie: Browser) -> None:
    answered(connected, Usage(input=1000, output=100))
    assert "Nothing was used" in charlie.get("/settings/usage").text
    assert sheet(charlie) == []


def test_the_period_stands_in_the_url_and_in_the_links(connected: Browser) -> None:
    old = NOW - timedelta(40)
    answered(connected, Usage(input=1000, output=100), at=old)
    assert "Nothing was used" in connected.get("/settings/usage").text
    assert "Tokens in 1 call" in connected.get("/settings/usage?period=90d").text
    own = f"period=custom&since={old:%Y-%m-%d}&until={old:%Y-%m-%d}"
    page = connected.get(f"/settings/usage?{own}").text
    assert f"/settings/usage.csv?{own}".replace("&", "&amp;") in page
    assert len(sheet(connected, f"/settings/usage.csv?{own}")) == 1
    fragment = connected.get(f"/settings/usage?{own}", headers={"HX-Request": "true"})
    assert fragment.headers["HX-Replace-Url"] == f"/settings/usage?{own}"
    assert "<h1>" not in fragment.text


@pytest.mark.parametrize(
    ("dates", "says"),
    [
        ("since=2026-11-02&until=2026-11-01", "before the first"),
        ("since=yesterday&until=", "Give both days"),
        ("since=2020-01-01&until=2026-01-01", "more than 366 days"),
    ],
)
def test_dates_that_make_no_period_are_told_and_kept(connected: Browser, dates: str, says: str) -> None:
    page = connected.get(f"/settings/usage?period=custom&{dates}").text
    assert says in page
    assert f'value="{dates.partition("=")[2].partition("&")[0]}"' in page


def test_a_name_is_no_formula(app: Flask, alice: Browser) -> None:
    connect(alice, '=HYPERLINK("http://evil","x")')
    answered(alice, Usage(input=10, output=10))
    assert sheet(alice)[0]["key"] == '\'=HYPERLINK("http://evil","x")'


def test_a_file_longer_than_one_read_holds_every_call_once(connected: Browser) -> None:
    answered(connected, Usage(input=1, output=1))
    with connected.database.begin() as db:
        one = db.query(UsageEntry).one()
        kept = {c.key: getattr(one, c.key) for c in UsageEntry.__table__.columns if c.key not in ("id", "round")}
        db.add_all(UsageEntry(**kept, round=number) for number in range(1, 1001))
    assert [int(row["call"]) for row in sheet(connected)] == list(range(1, 1002))


def test_a_viewer_may_look(app: Flask, connected: Browser) -> None:
    viewer = people.join(people.newcomer(app, "Vera"), connected.workspace_id, "viewer")
    answered(connected, Usage(input=1000, output=100))
    assert "The whole workspace: 1,100 tokens" in words(viewer.get("/settings/usage").text)
