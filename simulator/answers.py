"""What the demo model says: a marketing assistant made of simple rules, which does not pretend to be more.

`compose` turns a Conversation into a Draft: the text, the thinking before it, the tools it wants to call (agent.py).
Rules look at the last question only, in the order of `_RULES`; the first that fits answers. Same conversation, same
answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Literal

from simulator import agent, findings
from simulator.conversation import Conversation, Result
from simulator.directives import PlannedCall
from simulator.values import Json, compact, parsed, pieces

StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal"]

_ROWS = 10  # of a tool's result shown as a table
_COLUMNS = 6


@dataclass(frozen=True)
class Draft:
    text: str = ""
    thinking: str = ""
    calls: tuple[PlannedCall, ...] = ()
    redacted: bool = False
    stop: StopReason = "end_turn"


def compose(talk: Conversation, thinks: bool) -> Draft:
    """The demo model's next answer. `thinks` says whether the request lets it think; a directive asks for more."""
    asked = talk.directives
    thinking = _thoughts(talk, asked.thinking) if thinks or asked.thinking else ""
    calls = _calls(talk)
    if calls:
        return Draft(_announcement(calls, talk.round), thinking, calls, asked.redacted, "tool_use")
    stop: StopReason = "end_turn"
    if asked.refuse:
        stop = "refusal"
    elif asked.pause:
        stop = "pause_turn"
    elif asked.max_tokens:
        stop = "max_tokens"
    return Draft(_words(talk), thinking, (), asked.redacted, stop)


# --- tools


def _calls(talk: Conversation) -> tuple[PlannedCall, ...]:
    """The tools to call in this round. Directives come first, `tools=N` of them at a time."""
    asked = talk.directives
    planned = asked.calls or (_sampled(talk.tools, asked.tools) if asked.tools else [])
    if planned:
        size = asked.tools or 1
        due = planned[talk.round * size : (talk.round + 1) * size]
        offered = {tool["name"] for tool in talk.tools}
        return tuple(call for call in due if call.name in offered)
    return agent.calls(talk) or (_natural(talk) if talk.round == 0 else ())


def _sampled(tools: Sequence[Json], number: int) -> list[PlannedCall]:
    return [PlannedCall(tool["name"], _sample(tool["input_schema"])) for tool in islice(cycle(tools), number)]


def _natural(talk: Conversation) -> tuple[PlannedCall, ...]:
    """A tool of any kind that only reads, needs nothing to be filled in, and is named by the question's own words."""
    words = {_stem(word) for word in re.findall(r"[a-z]+", talk.question.lower())}
    for tool in talk.tools:
        verb, *nouns = tool["name"].lower().split("_")
        reads = verb in ("list", "get", "show") and nouns
        if reads and not tool["input_schema"].get("required") and {_stem(noun) for noun in nouns} <= words:
            return (PlannedCall(tool["name"], {}),)
    return ()


def _stem(word: str) -> str:
    return word.removesuffix("s")


def _sample(schema: Json) -> dict[str, Any]:
    """Arguments that fit a flat schema: its required properties, each with a default, an enum's first or an example."""
    properties: dict[str, Json] = schema.get("properties") or {}
    return {name: _value(properties.get(name, {})) for name in schema.get("required") or []}


def _value(property: Json) -> object:
    if "default" in property:
        return property["default"]
    if property.get("enum"):
        return property["enum"][0]
    examples: dict[str, object] = {"integer": 1, "number": 1.0, "boolean": False, "array": [], "object": {}}
    return examples.get(property.get("type", "string"), "example")


def _announcement(calls: Sequence[PlannedCall], round: int) -> str:
    names = " and ".join(f"`{call.name}`" for call in calls)
    if agent.CHANGES & {call.name for call in calls}:
        return f"I'll propose that with {names}; you decide."
    return f"I'll look that up with {names}." if round == 0 else f"Next I need {names}."


# --- words


def _words(talk: Conversation) -> str:
    text = talk.question if talk.directives.echo else _answer(talk)
    wanted = talk.directives.tokens
    return text if wanted is None else _exactly(text, wanted)


def _exactly(text: str, tokens: int) -> str:
    """A text of that many tokens: cut, or continued with the long answer as often as it takes."""
    parts = pieces(text)
    filler = pieces("\n\n" + _essay("the plan"))
    while len(parts) < tokens:
        parts += filler
    return "".join(parts[:tokens])


def _answer(talk: Conversation) -> str:
    if talk.wants_title:
        return _title(talk.question)
    if talk.results:
        return _from_results(talk)
    question = talk.question.lower()
    body = next(say(talk) for fits, say in _RULES if re.search(fits, question))
    return _introduction(talk) + body


def _introduction(talk: Conversation) -> str:
    """Said once, at the start: nobody should take canned text for advice."""
    if talk.number != 1 or re.search(_IDENTITY, talk.question.lower()):
        return ""
    return "*I am the built-in **demo model**: my answers are canned, no AI is behind them.*\n\n"


def _title(question: str) -> str:
    quoted = re.search(r'["“](.+?)["”]', question)
    about = quoted.group(1) if quoted else question.rpartition("\n")[2].removeprefix("User:")
    words = re.findall(r"[\w'&%-]+", about)
    title = " ".join(words[:6]) or "New conversation"
    return title[0].upper() + title[1:]


_TOPICS: tuple[tuple[str, str], ...] = (
    (r"\broas\b|return on ad", "Judge ROAS on a 7-day window, at one level of spend: a campaign that scales keeps it."),
    (r"budget|spend", "Move budget in steps of at most 20 % a day, so that the platform does not learn anew."),
    (r"\bmeta\b|facebook|instagram", "On Meta, a broad audience with five fresh creatives beats narrow targeting."),
    (r"google|search|keyword", "On Google, separate brand from non-brand, or brand will flatter every figure."),
    (r"e-?mail|newsletter|klaviyo", "One e-mail has one job; the subject decides, the first line confirms."),
    (r"creative|headline|copy|hook", "Test the hook before the body: the first two seconds carry most of the result."),
    (r"landing|conversion|checkout", "Fix the page before buying more clicks: speed first, then the offer."),
    (r"audience|segment|target", "Name the moment a customer needs you, then find who lives in it."),
)
_ADVICE = "Start from one number you want to move, and change one thing at a time."


def _topic(question: str) -> str:
    return next((advice for fits, advice in _TOPICS if re.search(fits, question.lower())), _ADVICE)


def _ordinal(number: int) -> str:
    if 10 <= number % 100 <= 20:
        return f"{number}th"
    return f"{number}{({1: 'st', 2: 'nd', 3: 'rd'}).get(number % 10, 'th')}"


def _quoted(question: str) -> str:
    lines = [line.strip() for line in question.splitlines() if line.strip()]
    first = lines[0] if lines else "(no words)"
    return first if len(first) <= 160 else first[:157].rstrip() + "…"


def _say_who(talk: Conversation) -> str:
    return (
        "I am the **demo model** that comes with this product. I cost nothing and know nothing: "
        "a few rules pick a canned answer that fits your words.\n\n"
        "To talk to a real model, connect a key of your own in *Settings › AI providers*."
    )


def _say_hello(talk: Conversation) -> str:
    return (
        "Hello. Ask me about campaigns, budgets or copy, and I will show how an answer looks here: "
        "try *a table*, *some Python*, *SQL*, *a list of headlines* or *a long answer*."
    )


def _say_thanks(talk: Conversation) -> str:
    return f"You're welcome. That was your {_ordinal(talk.number)} message in this conversation."


def _say_count(talk: Conversation) -> str:
    return f"This is your **{_ordinal(talk.number)}** question in this conversation."


def _say_table(talk: Conversation) -> str:
    return (
        f"Here is a comparison for “{_quoted(talk.question)}” with invented figures:\n\n"
        "| Channel | Spend | Revenue | ROAS | Next step |\n"
        "|:--------|------:|--------:|-----:|:----------|\n"
        "| Meta prospecting | €4,200 | €11,760 | 2.80 | Keep, refresh creatives |\n"
        "| Meta retargeting | €1,100 | €5,610 | 5.10 | Raise by 20 % |\n"
        "| Google brand | €900 | €8,100 | 9.00 | Hold |\n"
        "| Google non-brand | €3,600 | €6,480 | 1.80 | Cut the worst third |\n"
        "| TikTok | €800 | €1,040 | 1.30 | Pause for now |\n\n"
        f"**In short:** {_topic(talk.question)}"
    )


def _say_python(talk: Conversation) -> str:
    return (
        "A small function does it:\n\n"
        "```python\n"
        "from dataclasses import dataclass\n\n\n"
        "@dataclass(frozen=True)\n"
        "class Campaign:\n"
        "    name: str\n"
        "    spend: float\n"
        "    revenue: float\n\n"
        "    @property\n"
        "    def roas(self) -> float:\n"
        "        return self.revenue / self.spend if self.spend else 0.0\n\n\n"
        "def worst(campaigns: list[Campaign], below: float = 2.0) -> list[Campaign]:\n"
        '    """Campaigns under a ROAS, the most expensive first."""\n'
        "    losing = [c for c in campaigns if c.roas < below]\n"
        "    return sorted(losing, key=lambda c: c.spend, reverse=True)\n"
        "```\n\n"
        "`worst(campaigns)` gives the candidates to pause. The guard in `roas` matters: "
        "a campaign that spent nothing has no ROAS at all."
    )


def _say_sql(talk: Conversation) -> str:
    return (
        "This query gives it by channel for the last seven days:\n\n"
        "```sql\n"
        "select channel,\n"
        "       sum(spend)                                       as spend,\n"
        "       sum(revenue)                                     as revenue,\n"
        "       round(sum(revenue) / nullif(sum(spend), 0), 2)   as roas\n"
        "from ad_insights\n"
        "where day >= current_date - interval '7 days'\n"
        "group by channel\n"
        "order by spend desc;\n"
        "```\n\n"
        "`nullif` keeps a channel without spend from dividing by zero."
    )


def _say_list(talk: Conversation) -> str:
    return (
        f"For “{_quoted(talk.question)}”:\n\n"
        "1. **Name the goal** in one number, for example new customers below €40.\n"
        "2. **Check the tracking** before you trust any figure:\n"
        "   - the pixel fires once per order\n"
        "   - currency and tax match the shop\n"
        "3. **Pick three ideas** and give each the same small budget.\n"
        "4. **Wait for 50 conversions** before you judge.\n"
        "5. **Keep the winner**, write down why it won, and start again.\n\n"
        f"> {_topic(talk.question)}"
    )


def _say_copy(talk: Conversation) -> str:
    return (
        "### Three directions\n\n"
        "- **Plain:** *Shoes you forget you are wearing.*\n"
        "- **Proof:** *4.8 stars from 2,300 runners. Try them for 60 days.*\n"
        "- **Moment:** *Rain at six, run at seven. You will be dry at eight.*\n\n"
        f"{_topic(talk.question)}"
    )


def _say_long(talk: Conversation) -> str:
    return _essay(_quoted(talk.question))


def _say_briefly(talk: Conversation) -> str:
    seen = f"I can see that you attached {talk.images} image(s), but not what they show. " if talk.images else ""
    turn = f"\n\nThis is your {_ordinal(talk.number)} question here." if talk.number > 1 else ""
    return (
        f"{seen}You asked: “{_quoted(talk.question)}”\n\n"
        f"**{_topic(talk.question)}** A real model would now look at your own figures; I can only show the shape of an "
        "answer. Ask for *a table*, *a list*, *code* or *a long answer* to see more, or read about "
        f"[attribution](https://en.wikipedia.org/wiki/Attribution_(marketing)).{turn}"
    )


_IDENTITY = (
    r"who are you|what are you|are you (a |an )?(real|ai|human|bot|demo|claude|gpt)|which model|what model|your name"
)
_RULES: tuple[tuple[str, Callable[[Conversation], str]], ...] = (
    (_IDENTITY, _say_who),
    (r"how many (questions|messages)|which question is this", _say_count),
    (r"\bsql\b|\bquery\b", _say_sql),
    (r"\bpython\b|\bcode\b|\bscript\b|\bfunction\b", _say_python),
    (r"\btable\b|\bcompare\b|\bcomparison\b|\bversus\b|\bvs\b", _say_table),
    (r"\blong\b|\bdetailed\b|\bin depth\b|\bessay\b|\bstrategy\b|\breport\b", _say_long),
    (r"\blist\b|\bsteps\b|\bchecklist\b|\bideas\b|\bplan\b|\bhow do i\b|\bhow to\b", _say_list),
    (r"\bheadlines?\b|\bad copy\b|\btagline\b|\bslogan\b", _say_copy),
    (r"^\W*(hi|hello|hey|good (morning|evening))\b", _say_hello),
    (r"^\W*(thanks|thank you|great|ok|okay|perfect)\b", _say_thanks),
    (r"", _say_briefly),
)

_ESSAY = (Path(__file__).parent / "essay.md").read_text()


def _essay(subject: str) -> str:
    """About 900 words of Markdown."""
    closing = "**In one sentence:** measure one thing, change one thing, and keep what you learned."
    return f"## {subject[:1].upper()}{subject[1:]}\n\n{_ESSAY}\n{closing}"


# --- thinking


def _thoughts(talk: Conversation, tokens: int) -> str:
    base = (
        f"The person asks: {_quoted(talk.question)} "
        "I should check what kind of answer fits: a table, code, a list or a few words. "
        "I follow rules, and what I say must show it."
    )
    if not tokens:
        return base
    more = " Let me weigh the channels once more, then the budget, then what could go wrong."
    parts = pieces(base)
    while len(parts) < tokens:
        parts += pieces(more)
    return "".join(parts[:tokens])


# --- answers from tool results


def _from_results(talk: Conversation) -> str:
    if agent.waits(talk):
        return findings.which(talk.results[0])
    results = talk.results[-1:] if agent.only_one(talk.results[:1]) else talk.results
    shown = "\n\n".join(findings.say(result) or _from_result(result) for result in results)
    failed = any(result.is_error and not findings.ends(parsed(result.content)) for result in results)
    closing = "Not everything worked; tell me how to go on." if failed else _CLOSING
    return f"{shown}\n\n{closing}"


_CLOSING = "*I am the demo model: I follow simple rules, and the figures are the tool's.*"


def _from_result(result: Result) -> str:
    if result.is_error:
        return f"`{result.name}` did not work: {_clip(result.content, 300)}"
    rows = _rows(result.content)
    if not rows:
        return f"`{result.name}` answered:\n\n> {_clip(result.content, 600)}"
    left = f"\n\n{len(rows) - _ROWS} more rows are not shown." if len(rows) > _ROWS else ""
    return f"`{result.name}` found **{len(rows)}** rows:\n\n{_as_table(rows[:_ROWS])}{left}"


def _rows(content: str) -> list[Json]:
    """The first list of objects in a JSON result, at its top or one level down."""
    try:
        value = json.loads(content)
    except ValueError:
        return []
    candidates = [value, *value.values()] if isinstance(value, dict) else [value]
    for candidate in candidates:
        if isinstance(candidate, list) and candidate and all(isinstance(row, dict) for row in candidate):
            return candidate
    return []


def _as_table(rows: Sequence[Json]) -> str:
    columns = [name for name, value in rows[0].items() if not isinstance(value, dict | list)][:_COLUMNS]
    lines = [
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
        *("| " + " | ".join(_cell(row.get(name)) for name in columns) + " |" for row in rows),
    ]
    return "\n".join(lines)


def _cell(value: object) -> str:
    text = value if isinstance(value, str) else "" if value is None else compact(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _clip(text: str, most: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"
