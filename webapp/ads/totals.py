"""Reports put together from sums: window and comparison, days, totals per currency. Pure; the sums are reports.py's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from webapp.ads.figures import NOTHING, Account, Compared, CurrencyTotal, Day, Figures, Report, total
from webapp.ads.windows import Span, Window


def report(parts: Mapping[str, Figures], its_span: Span) -> Report:
    """The window, and the comparison, of sums by part: before, mature, fresh."""
    mature, fresh = parts.get("mature", NOTHING), parts.get("fresh", NOTHING)
    if its_span.compared is None:
        return Report(mature + fresh)
    return Report(mature + fresh, Compared(*its_span.compared, mature, parts.get("before", NOTHING)))


def with_days(of: Report, found: Mapping[date, Figures], its_span: Span) -> Report:
    """The report with every day of the window, those without figures as zeros."""
    days = tuple(Day(day, found.get(day, NOTHING), day >= its_span.maturing_from) for day in its_span.window.dates())
    return replace(of, days=days)


def totals(reports: Iterable[tuple[Account, Report]]) -> tuple[CurrencyTotal, ...]:
    """One per currency, the one of most reports first. Amounts of two currencies are never added."""
    by_currency: dict[str, list[tuple[Account, Report]]] = defaultdict(list)
    for account, report in reports:
        by_currency[account.currency].append((account, report))
    order = sorted(by_currency, key=lambda currency: (-len(by_currency[currency]), currency))
    return tuple(_total(currency, by_currency[currency]) for currency in order)


def _total(currency: str, of: Sequence[tuple[Account, Report]]) -> CurrencyTotal:
    accounts = {account.id: account for account, _ in of}
    reports = [report for _, report in of]
    whole = Report(total(report.figures for report in reports), _compared(reports), _summed_days(reports))
    return CurrencyTotal(currency, tuple(accounts.values()), whole)


def _compared(reports: Sequence[Report]) -> Compared | None:
    """Both sides added up; the windows are the hull, where accounts see different days."""
    found = [report.compared for report in reports if report.compared]
    if not found:
        return None
    return Compared(
        _hull([it.window for it in found]),
        _hull([it.earlier for it in found]),
        total(it.now for it in found),
        total(it.before for it in found),
    )


def _hull(of: Sequence[Window]) -> Window:
    return Window(min(it.since for it in of), max(it.until for it in of))


def _summed_days(reports: Sequence[Report]) -> tuple[Day, ...]:
    days: dict[date, Day] = {}
    for day in (day for report in reports for day in report.days):
        so_far = days.get(day.day, Day(day.day, NOTHING))
        days[day.day] = Day(day.day, so_far.figures + day.figures, so_far.maturing or day.maturing)
    return tuple(days[day] for day in sorted(days))
