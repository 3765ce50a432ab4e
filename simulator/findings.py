"""What the demo model says of a tool's result: figures taken from it to the letter, its window, its caveats; and of a
change, what became of each item. It computes nothing and adds nothing. Results of another shape are answers.py's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from simulator.conversation import Result
from simulator.values import Json, parsed

_ROWS = 10  # of a table
_CAVEATS = 5
_MARKS = re.compile(r"([\\`*_\[\]<>|~])")
_SUMMED = ("spend", "revenue", "roas", "orders", "cpa", "ctr")
_WANTED = (  # the columns of a table, as far as a result has them
    "name", "account", "adset", "date", "bucket", "segment", "channel", "step", "cohort", "status", "learning",
    "verdict", "reason", "spend", "revenue", "attributed_revenue", "roas", "platform_roas", "orders", "sessions", "cpa",
    "needs", "overall_rate", "step_rate", "cvr", "aov", "value", "expected", "z", "cumulative_ltv", "repeat_rate",
    "budget",
)  # fmt: skip
_COLUMNS = 7
_WHOLE = ("JPY", "KRW", "HUF", "ISK", "CLP", "TWD", "VND")  # currencies that nobody writes cents of
_ENDS = {
    "finished": "approved and carried out",
    "rejected": "rejected: nothing was changed",
    "expired": "not decided in time: nothing was changed",
    "cancelled": "stopped: nothing was changed",
    "preview": "a preview only: nothing was changed, and nobody can approve it",
    "pending": "waiting for a person: nothing was changed",
    "approved": "approved; how it ended is not known yet",
}
_ITEMS = {
    "done": "done",
    "skipped": "skipped",
    "drifted": "left alone: somebody changed it meanwhile",
    "failed": "failed",
    "unknown": "not known whether it happened: check the platform",
    "not approved": "not approved, left as it was",
}


def say(result: Result) -> str:
    """Markdown about a result of ours; empty for one of another shape, or an error other than a plan's end."""
    value = parsed(result.content)
    if ends(value):
        return _outcome(value)
    if not result.is_error and ("columns" in value or ("title" in value and "caveats" in value)):
        return _table(value)
    return ""


def ends(value: Json) -> bool:
    """Whether it says what became of a plan; one that was rejected comes marked as an error."""
    return value.get("status") in _ENDS and "items" in value


def which(result: Result) -> str:
    """A look-up that did not find exactly one campaign."""
    rows = parsed(result.content).get("rows") or []
    if not rows:
        return "I found no campaign by that name, so I did nothing. Ask for *my campaigns* to see how they are called."
    names = "\n".join(f"- {_text(row.get('name'))}" for row in rows)
    return f"Several campaigns fit, so I did nothing. Which one do you mean? Put its whole name in quotes.\n\n{names}"


# --- figures ----------------------------------------------------------------------------------------------------


def _table(value: Json) -> str:
    parts = [
        _heading(value),
        _sums(value),
        _change(value),
        _rows(value),
        *(f"- {_text(caveat)}" for caveat in (value.get("caveats") or [])[:_CAVEATS]),
    ]
    listed = [part for part in parts if part.startswith("- ")]
    return "\n\n".join([*(part for part in parts if part and not part.startswith("- ")), "\n".join(listed)]).strip()


def _heading(value: Json) -> str:
    window = f", {value['since']} to {value['until']}" if value.get("since") else ""
    zone = f" ({value['timezone']})" if value.get("timezone") and window else ""
    return f"**{_text(value.get('title'))}**{window}{zone}"


def _sums(value: Json) -> str:
    """The totals, in the units that the result's columns give."""
    totals = value.get("totals") or {}
    said = [
        f"{column['label']} **{_shown(totals[column['key']], column['unit'], value.get('currency', ''))}**"
        for column in value.get("columns") or _plain(totals)
        if column["key"] in _SUMMED and column["key"] in totals
    ]
    return ", ".join(said) + "." if said else ""


def _plain(totals: Json) -> list[Json]:
    units = {"roas": "ratio", "ctr": "percent", "orders": "count"}
    return [{"key": key, "label": key.upper(), "unit": units.get(key, "money")} for key in totals]


def _change(value: Json) -> str:
    change, compared, previous = (value.get(key) or {} for key in ("change", "compared", "previous"))
    if not change or "since" not in compared:
        return ""
    said = ", ".join(
        f"{key.upper()} {change[key]:+.1%}" for key in ("spend", "revenue", "roas", "orders") if key in change
    )
    days = f"{compared['since']} to {compared['until']} against {previous['since']} to {previous['until']}"
    return f"{said} ({days}; days that still grow are left out)."


def _rows(value: Json) -> str:
    rows, columns = value.get("rows") or [], _chosen(value)
    if not rows or not columns:
        return ""
    lines = [
        "| " + " | ".join(_text(column["label"]) for column in columns) + " |",
        "|"
        + "|".join(":---" if column["unit"] in ("name", "text", "status", "date") else "---:" for column in columns)
        + "|",
        *("| " + " | ".join(_cell(row, column, value) for column in columns) + " |" for row in rows[:_ROWS]),
    ]
    more = value.get("rows_total", len(rows)) - min(len(rows), _ROWS)
    return "\n".join(lines) + (f"\n\n{more} more rows are in the result above." if more > 0 else "")


def _chosen(value: Json) -> list[Json]:
    by_key = {column["key"]: column for column in value.get("columns") or []}
    known = [key for key in _WANTED if key in by_key and not (key == "account" and "name" in by_key)]
    return [by_key[key] for key in known][:_COLUMNS]


def _cell(row: Json, column: Json, value: Json) -> str:
    found = row.get(column["key"], "")
    return _shown(found, column["unit"], row.get("currency") or value.get("currency") or "")


def _shown(value: object, unit: str, currency: str) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _text(value)
    match unit:
        case "money":
            return f"{value:,.{0 if currency in _WHOLE else 2}f} {currency}".strip()
        case "percent":
            return f"{value:.1%}"
        case "ratio":
            return f"{value:.2f}"
        case _:
            return f"{value:,g}" if abs(value) < 1e6 else f"{value:,.0f}"


# --- changes ----------------------------------------------------------------------------------------------------


def _outcome(value: Json) -> str:
    status = str(value["status"])
    by = f" (by {_text(value['decided_by'])})" if value.get("decided_by") else ""
    note = f"\n\nTheir note: {_text(value['their_note'])}" if value.get("their_note") else ""
    lines = "\n".join(_item(item, status) for item in value["items"])
    return f"The plan is **{_ENDS[status]}**{by}.{note}\n\n{lines}{_left_alone(value)}{_warned(value)}".strip()


def _item(item: Json, status: str) -> str:
    step = f"{item.get('field', '').replace('_', ' ')} {_text(item.get('before'))} → {_text(item.get('after'))}"
    became = f": **{_ITEMS.get(item['status'], item['status'])}**" if status == "finished" and "status" in item else ""
    more = f" ({_text(item['message'])})" if item.get("message") else ""
    return f"- {_text(item.get('campaign'))}, {step}{became}{more}"


def _left_alone(value: Json) -> str:
    undecided = [
        f"- {_text(each.get('campaign'))}: {_text(each.get('reason'))}" for each in value.get("undecided") or []
    ]
    kept = len(value.get("kept") or [])
    said = "\n\nUndecided, left alone:\n\n" + "\n".join(undecided[:_ROWS]) if undecided else ""
    return said + (f"\n\n{kept} kept as they are." if kept else "")


def _warned(value: Json) -> str:
    said: Sequence[str] = value.get("warnings") or []
    return "\n\n" + "\n".join(f"- {_text(each)}" for each in said[:_CAVEATS]) if said else ""


def _text(value: object) -> str:
    """Words of a result as plain words: without fences, on one line, nothing in them Markdown."""
    return _MARKS.sub(r"\\\1", " ".join("".join(_unfenced(str(value or ""))).split()))


def _unfenced(text: str) -> Iterator[str]:
    return (mark for mark in text if mark not in "⟦⟧")
