"""What is remembered between two questions, for how long, and how many are answered at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text, update

from tests.analytics.conftest import Place
from tests.analytics.shop import ask
from tests.campaigns import NOW, account, campaign, day, newcomer
from webapp.accounts import Scope
from webapp.analytics import source
from webapp.analytics.answers import PipeRefused
from webapp.analytics.catalogue import PIPE_ALLOWLIST, Pipe
from webapp.analytics.local import Local
from webapp.analytics.memory import Answers, Gate
from webapp.db import Database
from webapp.db.models import AdAccount


@pytest.fixture
def alice(database: Database) -> Scope:
    return newcomer(database, "Alice")


def spend(database: Database, scope: Scope, **params: Any) -> tuple[Any, bool]:
    """And whether it was remembered."""
    result = source.run(scope, database, "kpi_summary", params, now=NOW)
    return result.rows[0]["spend"], result.cached_at is not None


def test_a_second_question_is_remembered_until_the_data_changes(database: Database, alice: Scope) -> None:
    meta = account(database, alice)
    spring = campaign(database, alice, meta, "Spring")
    day(database, spring, 5, 10, 20)
    assert spend(database, alice) == (10, False)
    assert spend(database, alice) == (10, True)
    assert spend(database, alice, date_from="2026-11-01") == (10, False)  # another question
    day(database, spring, 6, 5, 20)
    assert spend(database, alice) == (10, True)
    with database.begin() as db:
        db.execute(update(AdAccount).values(version=AdAccount.version + 1))  # as every sync does
    assert spend(database, alice) == (15, False)


def test_nobody_is_given_what_was_remembered_for_another(database: Database, alice: Scope) -> None:
    charlie = newcomer(database, "Charlie")
    day(database, campaign(database, alice, account(database, alice), "Spring"), 5, 10, 20)
    assert spend(database, alice) == (10, False)
    assert spend(database, charlie) == (None, False)


def test_an_answer_is_forgotten_after_its_time_and_when_there_are_too_many() -> None:
    now = [0.0]
    answers: Answers[str] = Answers(most=2, clock=lambda: now[0])
    answers.keep("a", "first")
    now[0] = 299
    assert answers.fresh("a", 300) == "first"
    now[0] = 300
    assert answers.fresh("a", 300) is None
    for key in "abc":
        answers.keep(key, key)
    assert [answers.fresh(key, 300) for key in "abc"] == [None, "b", "c"]


class Slow:
    """An engine that answers when it is told to."""

    name = "slow"

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.go = threading.Event()

    def rows(self, pipe: Pipe, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        self.asked.release()
        self.go.wait(10)
        return []


@contextmanager
def four_questions(place: Place, engine: Slow) -> Iterator[None]:
    def question(limit: int) -> None:
        source.run(place.alice, place.database, "campaign_performance", {"limit": limit}, engine=engine, now=NOW)

    threads = [threading.Thread(target=question, args=(n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert engine.asked.acquire(timeout=10)
    yield
    engine.go.set()
    for thread in threads:
        thread.join()


def test_the_fifth_question_of_a_workspace_is_refused_and_no_other_workspace_waits(
    shop: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_gate", Gate(wait=0.05))
    source.forget()
    with four_questions(shop, Slow()):
        with pytest.raises(PipeRefused, match="4 questions of this workspace are being answered already") as refused:
            ask(shop.database, shop.alice, "campaign_performance", limit=5)
        assert refused.value.status == 429
        assert ask(shop.database, shop.charlie, "conversion_funnel").rows
    assert ask(shop.database, shop.alice, "campaign_performance", limit=5).rows


def test_a_question_that_takes_too_long_is_ended_and_says_so(shop: Place) -> None:
    """A lock holds it up, so that the clock and not the machine decides."""
    pipe = PIPE_ALLOWLIST["conversion_funnel"]
    values = {"workspace_id": shop.alice.workspace_id, "date_from": NOW.date(), "date_to": NOW.date()}
    began = time.monotonic()
    with shop.database.begin() as db:
        db.execute(text("lock table visits_daily in access exclusive mode"))
        with pytest.raises(PipeRefused, match=r"longer than 0\.2 seconds. Ask for fewer days") as refused:
            Local(shop.database, timeout=0.2).rows(pipe, values)
    assert refused.value.status == 504
    assert time.monotonic() - began < 5


def test_a_pipe_cannot_write(shop: Place) -> None:
    """Whatever a file said: its transaction is read-only."""

    class Writes:
        def render(self, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
            return "with gone as (delete from visits returning 1) select * from gone", {}

    class Asks:
        name, compiled = "asks", Writes()

    with pytest.raises(Exception, match="read-only transaction"):
        Local(shop.database).rows(Asks(), {})  # type: ignore[arg-type]
