"""Sight: what a panel sees, its workspace's days and the pipes; and About, what stands under every panel's figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from webapp.ads.windows import Window
from webapp.analytics import questions
from webapp.analytics.answers import PipeResult, Row
from webapp.analytics.catalogue import PIPE_ALLOWLIST
from webapp.analytics.columns import VOCABULARY, meaning
from webapp.analytics.standing import Standing
from webapp.pages import figures
from webapp.pages.board.asked import Asked
from webapp.pages.figures import DASH, Delta, Figure, Unit

Ask = Callable[[str, Mapping[str, Any]], PipeResult]

DENOMINATORS = {"mer": "spend", "roas": "spend", "attributed_roas": "spend", "cpa": "platform_orders",
                "cac": "new_customers", "aov": "orders", "ctr": "impressions", "cpc": "clicks", "cpm": "impressions",
                "cvr": "sessions"}  # fmt: skip
NEEDS = {"ads": "an ad account", "orders": "the shop's orders", "visits": "the shop's sessions"}
WORD = re.compile(r"[a-z]+(?:_[a-z]+)+")
DAY = re.compile(r"\d{4}-\d\d-\d\d")
LOWER_IS_BETTER = frozenset({"cpa", "cac", "cpc", "cpm"})
NEITHER = frozenset({"spend", "impressions"})


@dataclass(frozen=True)
class Sight:
    """`ask` raises PipeRefused. It is the pipe's own business what a parameter means; here only the page's words are
    handed on to the pipes that have them."""

    asked: Asked
    standing: Standing
    days: Window
    asking: Ask

    def ask(self, pipe: str, **more: Any) -> PipeResult:
        """The pipe's answer for the page's days, comparison and platform."""
        page = {"date_from": str(self.days.since), "date_to": str(self.days.until)}
        page |= {"compare": self.asked.compare, "platform": self.asked.platform}
        known = PIPE_ALLOWLIST[pipe].parameter
        return self.asking(pipe, {name: value for name, value in (page | more).items() if value and known(name)})

    @property
    def compared(self) -> Window | None:
        return questions.earlier(self.days, self.asked.compare)

    @property
    def before(self) -> str:
        """What the days are compared with, in a word or two."""
        return "Year before" if self.asked.compare == "year" else f"Previous {figures.spell(self.days.days, 'days')}"


# --- figures ----------------------------------------------------------------------------------------------------


def currency_of(row: Row, result: PipeResult) -> str:
    return str(row.get("currency") or result.currency)


def value(row: Row, key: str) -> float | None:
    found = row.get(key)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def unit(key: str) -> Unit:
    """Of a column that holds a number."""
    match meaning(key).unit:
        case "money" | "percent" | "ratio" | "days" as known:
            return known
        case _:
            return "count"


def figure(row: Row, key: str, currency: str) -> Figure:
    return figures.number(value(row, key), unit(key), currency, why=_why(row, key))


def _why(row: Row, key: str) -> str:
    """What a dash stands for: nothing to divide by, or a source that is not there."""
    below = DENOMINATORS.get(key, "")
    if below and row.get(below) == 0:
        return f"No {meaning(below).label.lower()}, so no {meaning(key).label}"
    needs = " and ".join(NEEDS[source] for source in sorted(meaning(key).made_from))
    return f"Not defined: it needs {needs}" if needs else "Not defined"


def change(row: Row, key: str, currency: str) -> Delta | None:
    """Against the compared period; None where the answer compares nothing. What platforms claim is compared over the
    days that no longer grow, and says so."""
    if f"{key}_prev" not in row:
        return None
    now, before, moved = value(row, key), value(row, f"{key}_prev"), value(row, f"{key}_change")
    good = good_way(key)
    if not meaning(key).claimed:
        return figures.delta(now, before, unit(key), currency, good=good)
    if moved is None:
        return Delta(DASH, "quiet", "Nothing to compare with")
    return figures.relative(moved, "over the days that are final", good=good)


def good_way(key: str) -> Any:
    """Which way is good news; empty: neither."""
    return "" if key in NEITHER else "down" if key in LOWER_IS_BETTER else "up"


# --- about the figures ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class About:
    """`as_of` is when the figures were made, where they were kept. `definitions` by the label of a column."""

    facts: tuple[str, ...] = ()
    attribution: str = ""
    caveats: tuple[str, ...] = ()
    definitions: Mapping[str, str] = field(default_factory=dict)
    as_of: datetime | None = None

    @property
    def age(self) -> str:
        return _age(datetime.now(UTC) - self.as_of if self.as_of else None)


def _age(since: Any) -> str:
    if since is None:
        return "just now"
    minutes = int(since.total_seconds() // 60)
    return f"{minutes} min ago" if minutes else "less than a minute ago"


def about(sight: Sight, *results: PipeResult, keys: Sequence[str] = ()) -> About:
    """What has to stand beside the figures of these answers, once. `keys`: the columns that are shown; none: all."""
    kept = [result.cached_at for result in results if result.cached_at]
    first = results[0]
    said = dict.fromkeys(sentence for result in results for sentence in result.caveats)
    return About(
        facts=tuple(_facts(first)),
        attribution=first.attribution,
        caveats=(*map(_dated, said), *_unfiltered(sight, first), *_cut(first)),
        definitions={
            meaning(word).label: means(first, word) for word in keys or first.definitions if means(first, word)
        },
        as_of=min(kept, default=None),
    )


def means(of: PipeResult, key: str) -> str:
    """What a column means, in words for a person: "Platform revenue ÷ spend."; empty where it says so itself."""
    return worded(of.definitions.get(key, ""))


def worded(definition: str) -> str:
    """A definition with the columns it names as people call them."""
    text = WORD.sub(lambda word: _label(word[0]), definition).replace(" / ", " ÷ ").rstrip(".")
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _label(word: str) -> str:
    return meaning(word).label.lower() if word in VOCABULARY else word


def _dated(sentence: str) -> str:
    """With its days as people write them."""
    return DAY.sub(lambda found: figures.day(date.fromisoformat(found[0]), year=True), sentence)


def _facts(of: PipeResult) -> Sequence[str]:
    days = figures.days(of.since, of.until)
    against = f" against {figures.days(*of.compared)}" if of.compared else ""
    through = f"figures to {figures.day(of.data_through, year=True)}" if of.data_through else ""
    return [word for word in (days + against, of.currency, f"days of {of.timezone}", through) if word]


def _unfiltered(sight: Sight, of: PipeResult) -> Sequence[str]:
    if sight.asked.platform and PIPE_ALLOWLIST[of.pipe].parameter("platform") is None:
        return ["All channels: the platform filter does not reach these figures."]
    return []


def _cut(of: PipeResult) -> Sequence[str]:
    return [f"The first {len(of.rows)} of {of.rows_total} rows."] if of.truncated else []


def growing(result: PipeResult, *keys: str) -> date | None:
    """From which day on these figures are not final."""
    return result.maturing_from if any(meaning(key).claimed for key in keys) else None
