"""What the demo model takes "last week" and its kin to be."""

from __future__ import annotations

from datetime import date

import pytest

from simulator.periods import days

TUESDAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("yesterday", "2026-11-23", "2026-11-23"),
        ("this_week", "2026-11-23", "2026-11-23"),
        ("last_week", "2026-11-16", "2026-11-22"),
        ("this_month", "2026-11-01", "2026-11-23"),
        ("last_month", "2026-10-01", "2026-10-31"),
        ("this_quarter", "2026-10-01", "2026-11-23"),
        ("this_year", "2026-01-01", "2026-11-23"),
        ("last_7d", "2026-11-17", "2026-11-23"),
        ("last_90d", "2026-08-26", "2026-11-23"),
    ],
)
def test_a_period_is_whole_days_up_to_yesterday(period, first, last):
    assert days(period, TUESDAY) == (date.fromisoformat(first), date.fromisoformat(last))


def test_a_month_that_began_today_is_today_and_the_last_one_may_be_of_another_year():
    new_year = date(2027, 1, 1)
    assert days("this_month", new_year) == (new_year, new_year)
    assert days("last_month", new_year) == (date(2026, 12, 1), date(2026, 12, 31))
