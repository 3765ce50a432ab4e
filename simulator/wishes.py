"""What somebody wants of the demo model, read from their own words by rules: figures, one campaign, or a change.

Only the question is read, and the id in what a product says the question is about; never a tool's result and never the
name of a campaign. A change is a wish only in a sentence that asks for it: a question about changing, or a "do not",
is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from simulator.values import Json


@dataclass(frozen=True)
class Figures:
    """One call answers it. `tools` are the ones that would do, the best first."""

    tools: tuple[str, ...]
    arguments: Json = field(default_factory=dict)
    pipe: str = ""


@dataclass(frozen=True)
class OneCampaign:
    """How it does. `name` is what the person calls it; empty: the one the question is about."""

    name: str
    arguments: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """Of one campaign. `arguments` are update_campaign's; `percent` is of its budget."""

    name: str
    arguments: Json = field(default_factory=dict)
    percent: float | None = None


@dataclass(frozen=True)
class PauseLosers:
    arguments: Json


Wish = Figures | OneCampaign | Change | PauseLosers

_UNASKED = re.compile(
    r"^\W*(how (do|can|should|could|would)|should|shall|why|when|what|which|who|is|are|does|did|would|explain)\b"
    r"|\b(don't|do not)\b(?! pay)|\b(never|without)\b",
    re.I,
)
_ADVICE = re.compile(
    r"\bhow (do|can|should|could|would) (i|we|you|one)\b|\bhow to\b|^\W*what('s| is| are) (an? )?\w+\W*$|\bexplain\b|"
    r"\b(python|sql|code|script|headline|tagline|slogan|ad copy|invented|example|template|essay|checklist)\b",
    re.I,
)
_LOSERS = re.compile(
    r"\b(pause|stop|turn off|switch off|shut off|kill)\b"
    r"(?=.*(\blow\b|\blosers?\b|\blosing\b|\b(lose|loses|lost|burn\w*|wast\w+) (\w+ )?(money|budget|cash)\b|"
    r"unprofitable|underperform|\bworst\b|\bbad\b|not pay|n't pay|"
    r"\broas\b.*(below|under|less|lower|<)|(below|under) .*\broas\b))",
    re.I,
)
_RENAME = re.compile(r"\brename\s+(?P<name>.+?)\s+(?:to|into|as)\s+(?P<new>.+)$", re.I)
_BUDGET = re.compile(
    r"\b(?:set|change|raise|increase|lower|decrease|reduce|cut|put|move)\s+(?P<name>.+?)\s+(?P<way>to|at|by)\s+"
    r"(?:(?P<before>[A-Z]{3})\s+|(?P<sign>[$€£¥])\s*)?(?P<amount>\d[\d,]*(?:\.\d+)?)\s*(?P<after>%|percent|[A-Z]{3}\b)?",
    re.I,
)
_SWITCH = re.compile(
    r"\b(?P<off>pause|stop|turn off|switch off)\s+(?P<paused>.+)$"
    r"|\b(?:activate|reactivate|resume|enable|turn on|switch on|restart|unpause)\s+(?P<active>.+)$",
    re.I,
)
_LOWER = re.compile(r"\b(lower|decrease|reduce|cut)\b", re.I)
_AROUND = re.compile(
    r"^\s*(?:the\s+|my\s+|our\s+)?(?:(?:daily\s+)?budget\s+(?:of|for|on)\s+)?(?:the\s+)?(?:campaign\s+)?"
    r"|(?:'s|’s)?\s+(?:daily\s+)?budget\s*$|\s+campaign\s*$|\s*(?:,?\s*please|,?\s*now|\s+for me|\s+again)?[\s.!?]*$",
    re.I,
)
_QUOTED = re.compile(r'["“„](.+?)["”“]')
_THIS = frozenset({"", "it", "this", "that", "this one", "budget", "daily budget", "its budget", "its daily budget"})
_SIGNS = {"€": "EUR", "£": "GBP"}  # a dollar or a yen sign is of several currencies: the account's is taken

_DOING = re.compile(r"\bhow\s+(?:is|are|did|does|was)\s+(?P<name>.+?)\s+(?:doing|performing|perform|do|going)\b", re.I)
_ALL_OF_US = re.compile(
    r"^(?:(?:my|our|the|all|meta|facebook|google|instagram|ads?|ad|accounts?|campaigns?|we|i|things|it|everything|shop|"
    r"store|business|spend|roas|and)\W*)+$",
    re.I,
)
_DATA = re.compile(
    r"\b(spend|spent|spending|roas|revenue|cpa|ctr|cpc|cpm|orders|perform\w*|summary|summari[sz]e|overview|figures|"
    r"numbers|doing|going)\b",
    re.I,
)
_OURS = re.compile(
    r"\b(my|our|we|us|last|this|yesterday|accounts?|campaigns?|meta|google|facebook|summary|summari[sz]e|overview|total)\b",
    re.I,
)
_LISTED = re.compile(
    r"\bcampaigns\b|\b(which|what|list|show)\b.*\bcampaign|\b(top|best|worst|winners?|losers?)\b|"
    r"\b(lose|loses|losing) money\b",
    re.I,
)
_PIPES: tuple[tuple[str, str, Json], ...] = (
    (r"\bfunnel\b|\bcheckout\b|\badd(ed)? to cart\b|\bdrop.?off\b|\bon the way to an order\b", "conversion_funnel", {}),
    (r"\bcohorts?\b|\bltv\b|\blifetime value\b|\bretention\b|\brepeat\b", "cohort_ltv", {}),
    (r"\battribut\w+|\bfirst.touch\b|\blast.(touch|click)\b|\bcredit\w*\b", "channel_attribution", {}),
    (
        r"\banomal\w+|\bst(and|ood)s? out\b|\bunusual\b|\bspikes?\b|\bstrange\b|\bwent wrong\b|\boutliers?\b",
        "metric_anomalies",
        {},
    ),
    (r"\bcountr(y|ies)\b", "segment_breakdown", {"dimension": "country"}),
    (r"\bdevices?\b|\bmobile\b", "segment_breakdown", {"dimension": "device"}),
    (r"\blanding pages?\b", "segment_breakdown", {"dimension": "landing_page"}),
    (r"\bnew (vs|versus|against|and|or) returning\b", "segment_breakdown", {"dimension": "new_vs_returning"}),
    (r"\bchannels?\b|\bsegments?\b", "segment_breakdown", {"dimension": "channel"}),
    (
        (
            r"\btrend\b|\bdevelop\w*\b|\bover time\b|\bby day\b|\bdaily\b|\beach day\b|\btime.?series\b"
            r"|\bas an? (chart|graph)\b"
        ),
        "metric_timeseries",
        {},
    ),
    (r"\bby week\b|\bweekly\b", "metric_timeseries", {"granularity": "week"}),
    (r"\bcampaigns?\b|\bad sets?\b|\bwhich ads?\b|\b(lose|loses|losing) money\b", "campaign_performance", {}),
    (
        r"\bkpis?\b|\bagainst the one before\b|\bmer\b|\baov\b|\bcac\b|\bshop\b|\bsessions\b|\bconversion rate\b",
        "kpi_summary",
        {},
    ),
)
_PERIODS: tuple[tuple[str, str], ...] = (
    (r"\byesterday\b", "yesterday"),
    (r"\blast week\b", "last_week"),
    (r"\bthis week\b", "this_week"),
    (r"\blast month\b", "last_month"),
    (r"\bthis month\b", "this_month"),
    (r"\bthis quarter\b", "this_quarter"),
    (r"\bthis year\b", "this_year"),
    (r"\b(last|past) (7|seven) days\b", "last_7d"),
    (r"\b(last|past) (14|fourteen) days\b|\b(last|past) (two|2) weeks\b", "last_14d"),
    (r"\b(last|past) 28 days\b|\b(last|past) (four|4) weeks\b", "last_28d"),
    (r"\b(last|past) (30|thirty) days\b", "last_30d"),
    (r"\b(last|past) (90|ninety) days\b|\b(last|past) (three|3) months\b", "last_90d"),
)


def wish(question: str, about: str) -> Wish | None:
    """What the question wants, if it is anything that tools are for. `about` is the id that it is about, or empty."""
    text = " ".join(question.split())
    if changed := _change(text):
        return changed
    if _ADVICE.search(text):
        return None
    return _look(text, about)


# --- changes ----------------------------------------------------------------------------------------------------


def _change(text: str) -> Wish | None:
    if _UNASKED.search(text):
        return None
    if _LOSERS.search(text):
        return PauseLosers(_losers(text))
    if found := _RENAME.search(text):
        return Change(_called(found["name"]), {"name": _unquoted(found["new"])})
    if found := _BUDGET.search(text):
        return _budget(found, text)
    if found := _SWITCH.search(text):
        status = "paused" if found["off"] else "active"
        return Change(_called(found[status]), {"status": status})
    return None


def _losers(text: str) -> Json:
    threshold = re.search(r"(?:below|under|less than|lower than|<|roas of)\s*(\d+(?:\.\d+)?)", text, re.I)
    days = re.search(r"(\d+) days", text)
    arguments: dict[str, Any] = {"threshold": float(threshold[1]) if threshold else 1.5, **_platform(text)}
    return {**arguments, "window_days": int(days[1])} if days else arguments


def _budget(found: re.Match[str], text: str) -> Change | None:
    amount, unit = found["amount"].replace(",", ""), found["after"] or ""
    if not re.search(r"\bbudget\b|\b(a|per) day\b|\bdaily\b", text, re.I) and found["way"] != "by":
        return None
    if unit in ("%", "percent"):
        sign = -1 if _LOWER.search(text) else 1
        return Change(_called(found["name"]), {}, sign * float(amount)) if found["way"] == "by" else None
    if found["way"] == "by":
        return None
    currency = (found["before"] or _SIGNS.get(found["sign"] or "", "") or unit).upper()
    return Change(_called(found["name"]), {"daily_budget": amount, **({"currency": currency} if currency else {})})


def _called(words: str) -> str:
    """What a campaign is called in the middle of a sentence; empty where it is "it" or "this campaign"."""
    if quoted := _QUOTED.search(words):
        return quoted[1].strip()
    name = words.strip()
    for _ in range(3):  # "the budget of the campaign X, please": each round takes a layer off
        name = _AROUND.sub("", name).strip()
    return "" if name.lower() in _THIS else name


def _unquoted(words: str) -> str:
    quoted = _QUOTED.search(words)
    return quoted[1].strip() if quoted else words.strip().rstrip(".!?").removesuffix(" please").strip()


# --- figures ----------------------------------------------------------------------------------------------------


def _look(text: str, about: str) -> Wish | None:
    asked = {**_period(text), **_platform(text)}
    if about:
        return OneCampaign("", _period(text))
    if name := _named(text):
        return OneCampaign(name, _period(text))
    for fits, pipe, arguments in _PIPES:
        if re.search(fits, text, re.I):
            return Figures(_instead_of(pipe, text), {**asked, **arguments}, pipe)
    if _DATA.search(text) and _OURS.search(text):
        return Figures(("get_account_insights", "kpi_summary"), asked, "kpi_summary")
    return None


def _named(text: str) -> str:
    """The campaign that a question calls by name."""
    quoted = _QUOTED.search(text)
    if quoted and (_DATA.search(text) or "campaign" in text.lower()):
        return quoted[1].strip()
    doing = _DOING.search(text)
    return doing["name"].strip() if doing and not _ALL_OF_US.match(doing["name"]) else ""


def _instead_of(pipe: str, text: str) -> tuple[str, ...]:
    """A pipe by its own name, or the tool of Maxxer's that comes nearest."""
    if pipe == "campaign_performance":
        return ("list_campaigns", pipe) if _LISTED.search(text) else (pipe,)
    if pipe in ("metric_timeseries", "kpi_summary") and _DATA.search(text) and _OURS.search(text):
        return ("get_account_insights", pipe)
    return (pipe, "query_metrics")


def _period(text: str) -> dict[str, str]:
    return next(({"period": name} for fits, name in _PERIODS if re.search(fits, text, re.I)), {})


def _platform(text: str) -> dict[str, str]:
    meta, google = (re.search(fits, text, re.I) for fits in (r"\b(meta|facebook|instagram)\b", r"\bgoogle\b"))
    if bool(meta) == bool(google):
        return {}
    return {"platform": "meta" if meta else "google"}
