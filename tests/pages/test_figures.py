"""Numbers in words: the currency is always there, a dash says why, a change says which way and from what."""

from __future__ import annotations

from datetime import date

import pytest

from webapp.pages import figures


@pytest.mark.parametrize(
    ("value", "unit", "currency", "said"),
    [
        (1234.5, "money", "EUR", "€1,234.50"),
        (1234.5, "money", "CHF", "CHF\u00a01,234.50"),
        (1234.0, "money", "JPY", "¥1,234"),
        (5, "money", "CAD", "CA$5.00"),
        (-3.2, "money", "USD", "−$3.20"),
        (-0.001, "money", "USD", "$0.00"),
        (0.0314, "percent", "", "3.14%"),
        (2.5, "ratio", "", "2.50×"),
        (12345, "count", "", "12,345"),
        (12.5, "count", "", "12.5"),
        (1, "days", "", "1 day"),
        (30, "days", "", "30 days"),
    ],
)
def test_a_number_says_its_unit(value, unit, currency, said):
    assert figures.number(value, unit, currency).text == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "€0"), (12.5, "€12.5"), (950, "€950"), (1234, "€1.2K"), (99_999, "€100K"), (999_999, "€1M"), (2.5e9, "€2.5B")],
)
def test_on_an_axis_it_is_short_and_the_long_form_stays(value, said):
    short = figures.number(value, "money", "EUR", short=True)
    assert short.text == said
    assert short.exact == figures.number(value, "money", "EUR").text


def test_what_is_not_defined_is_a_dash_with_its_reason():
    none = figures.number(None, "ratio", why="No spend, so no ROAS")
    assert (none.text, none.why) == ("–", "No spend, so no ROAS")
    assert figures.money(None, "EUR").text == "–"
    assert figures.money(1_500_000, "EUR").text == "€1.50"


@pytest.mark.parametrize(
    ("now", "before", "good", "text", "tone"),
    [
        (120, 100, "up", "+20.0%", "ok"),
        (80, 100, "up", "−20.0%", "bad"),
        (80, 100, "down", "−20.0%", "ok"),
        (120, 100, "", "+20.0%", "quiet"),
        (350, 100, "up", "+250%", "ok"),
        (100.01, 100, "up", "±0%", "quiet"),
        (0, 0, "up", "±0%", "quiet"),
        (5, 0, "up", "new", "quiet"),
        (None, 100, "up", "–", "quiet"),
        (100, None, "up", "–", "quiet"),
    ],
)
def test_a_change_has_a_sign_and_a_tone(now, before, good, text, tone):
    change = figures.delta(now, before, "money", "EUR", good=good)
    assert (change.text, change.tone) == (text, tone)


def test_a_change_is_also_a_sentence():
    assert figures.delta(120, 100, "money", "EUR").words == "up 20.0%, from €100.00 to €120.00"
    assert figures.delta(5, 0, "count").words == "from 0 to 5"
    assert figures.delta(5, None, "count").words == "Nothing to compare with"


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("2026-11-24", "2026-11-24", "24 Nov 2026"),
        ("2026-11-01", "2026-11-24", "1–24 Nov 2026"),
        ("2026-10-27", "2026-11-24", "27 Oct – 24 Nov 2026"),
        ("2025-12-24", "2026-01-06", "24 Dec 2025 – 6 Jan 2026"),
    ],
)
def test_days_are_said_once(since, until, said):
    assert figures.days(date.fromisoformat(since), date.fromisoformat(until)) == said
