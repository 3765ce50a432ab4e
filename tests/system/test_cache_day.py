"""The promise of the prompt cache, on the real product: a scripted day of two people, as make bench-cache prints it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.cache import DAY, GOAL, Line, live_through, of_warm, workspace


@pytest.fixture(scope="module")
def day() -> Iterator[list[Line]]:
    with workspace() as at:
        yield list(live_through(DAY, at, ttl=5))


def test_nearly_all_of_the_prefix_is_read_from_the_cache_on_warm_calls(day: list[Line]) -> None:
    assert sum(line.warm for line in day) >= 7
    assert of_warm(day) >= GOAL
    assert of_warm(day) > 0.99


def test_alice_s_chat_warms_bob_s(day: list[Line]) -> None:
    first_of_bob = next(line for line in day if line.who == "bob")
    assert first_of_bob.share > 0.99
    assert first_of_bob.written < 100


def test_a_miss_is_told_with_its_cause(day: list[Line]) -> None:
    assert {line.minute: line.why for line in day if line.why} == {0: "first", 65: "expired", 68: "key", 70: "tools"}


def test_a_chat_goes_on_under_a_rotated_key_and_after_a_release(day: list[Line]) -> None:
    """With its whole history, which the new key's cache then holds; and on the prefix that it began with."""
    rotated = next(line for line in day if line.why == "key")
    assert rotated.written > rotated.prefix
    old = next(line for line in day if line.minute == 71)
    assert old.read > old.prefix


def test_a_warm_answer_costs_a_fraction(day: list[Line]) -> None:
    cold, warm = day[0], next(line for line in day if line.who == "bob")
    assert 0 < warm.cost < cold.cost / 4
