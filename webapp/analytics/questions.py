"""A question as it was asked, checked: every parameter against the catalogue, dates against the calendar. Pure.

Whatever is wrong is refused with a sentence that says what would be right, because a model reads it and tries again.
The server's own values (workspace, currency, basis, the compared period) are added here, last, and cannot be asked for.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches
from typing import Any

from webapp.ads.windows import Window
from webapp.analytics.answers import PipeRefused
from webapp.analytics.catalogue import PIPE_ALLOWLIST, SERVERS, Parameter, Pipe
from webapp.analytics.compiler import TENANT
from webapp.analytics.standing import Standing

YEAR = 364  # days: 52 weeks, so that a Friday is compared with a Friday


@dataclass(frozen=True)
class Question:
    """`values` are the file's parameters, each checked and of its Python type. `metrics` are the columns of a series
    that were asked for; empty: all."""

    pipe: Pipe
    values: Mapping[str, Any]
    window: Window
    compared: Window | None
    maturing_from: date | None
    metrics: tuple[str, ...] = ()


def find(name: str) -> Pipe:
    """Raises PipeRefused for a name that is not in the catalogue."""
    if pipe := PIPE_ALLOWLIST.get(name):
        return pipe
    raise PipeRefused(f"There is no pipe named {name!r:.60}.", f"{_nearest(name, PIPE_ALLOWLIST)}The pipes: "
                      f"{', '.join(PIPE_ALLOWLIST)}.")  # fmt: skip


def ask(pipe: Pipe, params: Mapping[str, Any], standing: Standing, workspace_id: uuid.UUID) -> Question:
    """Raises PipeRefused."""
    given = {name: _value(_known(pipe, name), value) for name, value in params.items() if value is not None}
    window = _window(pipe, given, standing.today)
    compared = _compared(pipe, str(given.pop("compare", "prev")), window)
    metrics = tuple(given.pop("metrics", ()))
    maturing_from = standing.maturing_from(window.since) if pipe.claims else None
    if maturing_from and maturing_from > window.until:
        maturing_from = None
    servers = _servers(window, compared, maturing_from, standing) | {TENANT: workspace_id}
    values = given | {name: value for name, value in servers.items() if name in pipe.compiled.parameters}
    return Question(pipe, values, window, compared, maturing_from, metrics)


def _known(pipe: Pipe, name: str) -> Parameter:
    if found := pipe.parameter(name):
        return found
    if name == TENANT:
        raise PipeRefused("workspace_id cannot be set.", "A pipe always answers for the workspace it is asked in.")
    names = [each.name for each in pipe.parameters]
    raise PipeRefused(
        f"{pipe.name} has no parameter {name!r:.60}.", f"{_nearest(name, names)}It takes: {', '.join(names)}."
    )


def _nearest(name: str, names: Any) -> str:
    found = get_close_matches(name, list(names), n=1)
    return f"Did you mean {found[0]}? " if found else ""


# --- values -----------------------------------------------------------------------------------------------------


def _value(parameter: Parameter, value: Any) -> Any:
    match parameter.type:
        case "date":
            return _date(parameter, value)
        case "integer" | "number":
            return _number(parameter, value)
        case "list":
            return _list(parameter, value)
        case "string":
            return _word(parameter, value)


def _date(parameter: Parameter, value: Any) -> date:
    if type(value) is date:
        return value
    try:
        if isinstance(value, str) and len(value) == 10:
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise PipeRefused(f"{parameter.name} is not a day: {value!r:.60}.", "Write it as YYYY-MM-DD, as in 2026-11-23.")


def _number(parameter: Parameter, value: Any) -> int | float:
    whole = parameter.type == "integer"
    try:
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else float(str(value))
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or (whole and number != int(number)):
        raise PipeRefused(f"{parameter.name} is not a {'whole ' if whole else ''}number: {value!r:.60}.")
    if parameter.least is not None and parameter.most is not None and not parameter.least <= number <= parameter.most:
        raise PipeRefused(
            f"{parameter.name} is {number:g}.", f"It goes from {parameter.least:g} to {parameter.most:g}."
        )
    return int(number) if whole else float(number)


def _word(parameter: Parameter, value: Any) -> str:
    if isinstance(value, str) and value in parameter.choices:
        return value
    raise PipeRefused(
        f"{parameter.name} cannot be {value!r:.60}.",
        f"{_nearest(str(value), parameter.choices)}It is one of {', '.join(parameter.choices)}.",
    )


def _list(parameter: Parameter, value: Any) -> tuple[str, ...]:
    """A list, or words with commas between, as a URL has them."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise PipeRefused(f"{parameter.name} is not a list: {value!r:.60}.")
    return tuple(dict.fromkeys(_word(parameter, item.strip() if isinstance(item, str) else item) for item in items))


# --- days -------------------------------------------------------------------------------------------------------


def _window(pipe: Pipe, given: dict[str, Any], today: date) -> Window:
    """The period, with its ends set in `given`: whole months for cohorts, and never a day that has not begun."""
    until: date = given.get("date_to") or today - timedelta(1)
    since: date = given.get("date_from") or until - timedelta(pipe.default_days - 1)
    if until > today:
        raise PipeRefused(
            f"date_to is {until}, which has not come.", f"The newest whole day is {today - timedelta(1)}."
        )
    if since > until:
        raise PipeRefused(f"date_from ({since}) is after date_to ({until}).")
    window = Window(since, until)
    if window.days > pipe.max_days:
        raise PipeRefused(
            f"{window.days} days are too many.", f"{pipe.name} answers for {pipe.max_days} days at most: ask for less."
        )
    if "cohort" in pipe.compiled.parameters:
        window = Window(since.replace(day=1), until)
    given |= {"date_from": window.since, "date_to": window.until}
    return window


def _compared(pipe: Pipe, compare: str, window: Window) -> Window | None:
    """An earlier window of the same length and the same weekdays."""
    return earlier(window, compare) if pipe.compares else None


def earlier(window: Window, compare: str) -> Window | None:
    """What a window is compared with: prev, year, or none."""
    if compare == "none":
        return None
    shift = timedelta(YEAR if compare == "year" else math.ceil(window.days / 7) * 7)
    if window.since - date.min < shift:
        return None
    return Window(window.since - shift, window.until - shift)


def _servers(window: Window, compared: Window | None, maturing_from: date | None, standing: Standing) -> dict[str, Any]:
    """The mature part of the window is compared with as many days of the earlier one: equal length, equal maturity."""
    mature = min(window.until, maturing_from - timedelta(1)) if maturing_from else window.until
    values: dict[str, Any] = {"basis": standing.basis, "currency": standing.currency, "mature_to": mature}
    if compared:
        values |= {"prev_from": compared.since, "prev_to": compared.until}
        values["prev_mature_to"] = mature - (window.since - compared.since)
    assert set(values) < set(SERVERS)
    return values
