"""What the guides on approvals, the dashboard and money may say of this product: drawn from the code that does it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta

from webapp.ads import checks, evidence
from webapp.ads.changes import rows, seen, storing
from webapp.ads.guards import Rails
from webapp.ads.money import MICROS
from webapp.ads.windows import window
from webapp.analytics import caveats, questions
from webapp.analytics.catalogue import CACHE_SECONDS
from webapp.analytics.columns import meaning
from webapp.chat.limits import UNPRICED_TOKENS
from webapp.llm.providers import Provider
from webapp.pages import cards, citations, receipts
from webapp.pages.board import asked, sight, story, tiles
from webapp.pages.board.panels import PANELS
from webapp.pages.facts import enumerated, table
from webapp.tools.analytics import ANALYTICS
from webapp.tools.maxxer import MAXXER
from webapp.usage import budgets

OUTCOMES: Mapping[str, str] = {  # of a row of a plan that was carried out
    "done": "Written, read back, and it is as you approved it.",
    "skipped": "It was so already, or it may no longer be changed. The row says which.",
    "drifted": "Somebody else changed the campaign after the card was made. It was left alone.",
    "failed": "The platform refused it, or shows another value. The row has its words.",
    "unknown": "No answer came, and the change does not show. It is not sent again: look at the platform.",
    "unticked": "Whoever approved took the row off the card.",
}
FROM = {"ads": "ad accounts", "orders": "the shop's orders", "visits": "the shop's sessions"}
A_DAY = date(2026, 11, 24)  # how far apart two periods are is the same on every day


def of(name: str, providers: Iterable[Provider], turn_max_usd: float) -> dict[str, str]:
    """The facts of one guide: "approvals", "dashboard" or "money". `turn_max_usd`: of one answer; 0: no limit."""
    match name:
        case "approvals":
            return _of_approvals()
        case "dashboard":
            return _of_dashboard()
        case "money":
            return _of_money([each for each in providers if not each.demo], turn_max_usd)
    raise KeyError(name)


# --- approvals --------------------------------------------------------------------------------------------------


def _of_approvals() -> dict[str, str]:
    return {
        "tools": table(("Tool", "Does", "What it is for"), _tools()),
        "tools.all": str(len(MAXXER.tools)),
        "tools.proposing": str(sum(tool.destructive for tool in MAXXER.tools)),
        "plan.minutes": str(storing.LIFETIME // timedelta(minutes=1)),
        "plan.waiting": str(storing.WAITING),
        "plan.bound": enumerated(list(dict.fromkeys(seen.BOUND.values()))),
        "plan.outcomes": table(("Result", "Means"), ((cards.OUTCOMES[key][0], said) for key, said in OUTCOMES.items())),
        "pause.confidence": str(round(100 * evidence.Rule(threshold=1).confidence)),
        "typed.items": str(checks.MANY),
        "typed.pct": str(checks.HARD_PCT),
        "rails": table(("Guard rail", "As long as nobody has set it"), _rails(Rails())),
        "rails.budgets_an_hour": str(checks.BUDGETS_AN_HOUR),
        "undo.days": str(rows.UNDO_FOR.days),
    }


def _tools() -> Iterator[tuple[str, str, str]]:
    """With the first sentence of what a model is told of them."""
    for tool in MAXXER.tools:
        first = tool.spec.description.partition(". ")[0].partition(": ")[0]
        yield f"`{tool.spec.name}`", "proposes" if tool.destructive else "reads", f"{first}."


def _rails(rails: Rails) -> Iterator[tuple[str, str]]:
    """As the form of the guard rails calls them."""
    modes = {"off": "Off", "preview": "Preview only", "on": "On"}
    yield "Changes", modes[rails.mode]
    yield "Who approves", "Owners and admins" if rails.approvers == "admins" else "Members, too"
    yield "Largest change at once", f"{rails.budget_change_pct} % of a daily budget, up or down"
    yield "Rest between changes", f"{rails.cooldown_hours} hours for the same campaign"
    yield "Most for one campaign", _micros(rails.campaign_cap_micros, "no cap")
    yield "Most for all campaigns", _micros(rails.workspace_cap_micros, "no cap")
    yield "Type to confirm above", _micros(rails.step_up_micros, "no amount")
    yield "Most campaigns in one plan", f"{rails.max_campaigns}, where several are paused"
    yield "Most of the spend", f"{rails.max_spend_share_pct} % of that of the last 7 days, where several are paused"


def _micros(amount: int | None, without: str) -> str:
    return without if amount is None else f"{amount / MICROS:,.2f} a day"


# --- the dashboard ----------------------------------------------------------------------------------------------


def _of_dashboard() -> dict[str, str]:
    days = window(asked.PERIODS[asked.USUAL][1], A_DAY)
    earlier = {word: questions.earlier(days, word) for word in ("prev", "year")}
    back = {word: (days.since - then.since).days for word, then in earlier.items() if then}
    return {
        **{f"panel.{pipe}": panel.title for pipe, panel in PANELS.items()},
        "figures": table(("Figure", "Is", "Made from"), map(_figure, tiles.KEYS)),
        "figures.gap": sight.worded(meaning("gap").definition),
        "figures.expected": meaning("expected").definition,
        "figures.watched": enumerated([meaning(each).label for each in story.WATCHED]),
        "compare.days": str(days.days),
        "compare.back": str(back["prev"]),
        "compare.year": str(back["year"]),
        "attribution.days": enumerated(list(asked.LOOKBACKS), "or"),
        "board.minutes": str(CACHE_SECONDS // 60),
        "board.tools": str(len(ANALYTICS.tools)),
        "cited.digits": str(citations.FEWEST_DIGITS),
    }


def _figure(key: str) -> tuple[str, str, str]:
    means = meaning(key)
    either = " or ".join(caveats.BASIS.values())
    made_from = enumerated([FROM[source] for source in sorted(means.made_from)])
    said = sight.worded(means.definition.replace("{basis}", either))
    return tiles.LABELS.get(key, means.label), said, made_from + (", as they claim it" if means.claimed else "")


# --- money ------------------------------------------------------------------------------------------------------


def _of_money(providers: Sequence[Provider], turn_max_usd: float) -> dict[str, str]:
    usual = min(each.cache_kept for each in providers)
    longer = [f"{each.name} {each.cache_kept // 60}" for each in providers if each.cache_kept > usual]
    return {
        "cache.minutes": f"{usual // 60} minutes" + (f" (at {', '.join(longer)})" if longer else ""),
        "cache.hour": enumerated([each.name for each in providers if each.cache_hour]),
        "cache.misses": "\n".join(f"- {words[0].upper()}{words[1:]}" for words in receipts.MISSES.values()),
        "budget.near": str(round(100 * budgets.NEAR)),
        "budget.margin": f"{budgets.MARGIN:g}",
        "answer.most": _answers_most(turn_max_usd),
    }


def _answers_most(usd: float) -> str:
    if not usd:
        return "This installation sets no limit for one answer."
    return (
        f"This installation lets one answer cost {usd:.2f} USD, or use {UNPRICED_TOKENS:,} tokens where nobody knows "
        "the price. An answer that has used that makes no further call."
    )
