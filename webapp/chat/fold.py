"""What the events of a turn add up to: its messages, and its blocks as a page shows them. No clock, no storage.

One fold serves the live view, the end of a turn, and what is left of one whose worker died.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from webapp.chat.events import (
    Answered,
    Asked,
    Cause,
    Ended,
    FirstWord,
    Heard,
    Resumed,
    Retrying,
    ToolFinished,
    ToolProposed,
    ToolStarted,
    Trouble,
    TurnEvent,
    TurnState,
    Waiting,
)
from webapp.llm import sizes
from webapp.llm.assembler import Assembler, BlockSoFar
from webapp.llm.blocks import Json, Message, Text, Thinking, ToolResult, ToolUse
from webapp.llm.events import CACHE_MISS, BlockKind, Event, Notice, Usage
from webapp.usage.calls import Call, estimated


@dataclass(frozen=True)
class BlockView:
    """A block of the answer as a page shows it. `number` counts over all rounds of the turn. Of a call that runs,
    `since` is when it began (seconds since 1970); of one that proposed a change, `plan` is the plan's id while live."""

    number: int
    kind: BlockKind
    text: str = ""
    open: bool = False
    id: str = ""
    name: str = ""
    input: Json = field(default_factory=dict)
    result: ToolResult | None = None
    since: float = 0.0
    plan: str = ""


def blocks_of(messages: Iterable[Message]) -> tuple[BlockView, ...]:
    """The blocks of stored messages, in the order and with the numbers that the live fold gave them."""
    messages = tuple(messages)
    results = {b.tool_use_id: b for m in messages for b in m.blocks if isinstance(b, ToolResult)}
    shown = [b for m in messages if m.role == "assistant" for b in m.blocks]
    views: list[BlockView] = []
    for number, block in enumerate(shown):
        match block:
            case Text(text):
                views.append(BlockView(number, "text", text))
            case Thinking(text):
                views.append(BlockView(number, "thinking", text))
            case ToolUse(id, name, input):
                views.append(BlockView(number, "tool_use", id=id, name=name, input=input, result=results.get(id)))
            case _:
                continue
    return tuple(views)


class Round:
    """One call of the provider, and what became of the tools it asked for."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.assembler = Assembler()
        self.results: list[ToolResult] = []
        self.began: dict[str, float] = {}  # call -> when it began
        self.proposed: dict[str, str] = {}  # call -> its plan
        self.first_word_ms: int | None = None
        self.answered_ms: int | None = None
        self.missed = ""  # the provider's word for why its cache was missed
        self.refused = False  # the provider would not answer

    @property
    def over(self) -> bool:
        """Whether the provider has finished."""
        return self.assembler.finish is not None

    @property
    def said_something(self) -> bool:
        return bool(self.assembler.blocks) or self.assembler.usage != Usage()

    def call(self, number: int) -> Call:
        """What it used: as the provider counted it, if it came to that."""
        counted = self.assembler.usage
        whole = self.over and counted != Usage()
        start = self.assembler.start
        return Call(
            number,
            counted if whole else estimated(counted, self.asked.tokens, self._heard()),
            not whole,
            self.asked.at,
            self.first_word_ms,
            self.answered_ms,
            start.model if start else "",
            start.response_id if start else "",
            self.missed,
        )

    def _heard(self) -> int:
        return sum(sizes.tokens(block.name + block.text) for block in self.assembler.blocks)

    def messages(self) -> list[Message]:
        said = self.assembler.message(self.asked.dialect)
        answered = Message("user", tuple(self.results))
        return [message for message in (said, answered) if message.blocks]

    def blocks(self, first: int) -> list[BlockView]:
        results = {r.tool_use_id: r for r in self.results}
        return [self._view(first + n, b, results.get(b.id)) for n, b in enumerate(self.assembler.blocks)]

    def _view(self, number: int, block: BlockSoFar, result: ToolResult | None) -> BlockView:
        if block.kind != "tool_use":
            return BlockView(number, block.kind, block.text, not block.closed)
        return BlockView(
            number,
            block.kind,
            open=not block.closed,
            id=block.id,
            name=block.name,
            input=block.tool_use.input if block.closed else {},
            result=result if block.id else None,
            since=0.0 if result else self.began.get(block.id, 0.0),
            plan=self.proposed.get(block.id, ""),
        )


class TurnFold:
    """What the events so far add up to. `apply` is cheap; `messages` and `blocks` may be asked at any moment."""

    def __init__(self) -> None:
        self.state = TurnState.QUEUED
        self.trouble: Trouble | None = None
        self.retrying: Retrying | None = None
        self.finish = ""  # a FinishReason of the model, or a word of ours
        self.notices: list[Notice] = []
        self._rounds: list[Round] = []
        self._earlier = Usage()
        self._calls: tuple[Call, ...] = ()  # of a turn whose words are lost

    def apply(self, event: TurnEvent) -> None:
        match event:
            case Heard(heard):
                self._hear(heard)
            case Asked():
                self._ask(event)
            case FirstWord(ms):
                self._rounds[-1].first_word_ms = ms
            case Answered(ms):
                self._rounds[-1].answered_ms = ms
            case Retrying():
                self.retrying = event
                self._rounds[-1].refused = True
            case ToolStarted(id, _, at):
                self._rounds[-1].began[id] = at
            case ToolFinished(result):
                self._rounds[-1].results.append(result)
            case ToolProposed(id, plan_id):
                self._rounds[-1].proposed[id] = plan_id
            case Waiting():
                self.state = TurnState.WAITING
            case Resumed():
                self.state = TurnState.RUNNING
            case Ended(state, trouble, finish):
                self.state, self.trouble, self.retrying = state, trouble, None
                self.finish = finish or self.finish
                if self._rounds and trouble and trouble.cause is Cause.PROVIDER:
                    self._rounds[-1].refused = True

    def _ask(self, event: Asked) -> None:
        if self._rounds and not self.assembler.blocks:  # a retry: the round that said nothing never was
            self._rounds.pop()
        elif self._rounds:
            self._earlier = self._earlier + self.assembler.usage
        self.state = TurnState.RUNNING
        self._rounds.append(Round(event))

    def _hear(self, event: Event) -> None:
        self.retrying = None
        if isinstance(event, Notice):
            self.notices.append(event)
            if event.kind == CACHE_MISS:
                self._rounds[-1].missed = event.detail
            return
        self.assembler.apply(event)
        if self.assembler.finish:
            self.finish = self.assembler.finish.reason

    @property
    def assembler(self) -> Assembler:
        return self._rounds[-1].assembler

    @property
    def rounds(self) -> int:
        return len(self._rounds)

    @property
    def acted(self) -> bool:
        """Whether a tool was run."""
        return any(each.began for each in self._rounds)

    @property
    def usage(self) -> Usage:
        """Tokens of all rounds."""
        return self._earlier + self.assembler.usage if self._rounds else self._earlier

    def calls(self) -> tuple[Call, ...]:
        """The calls that are over, with what each used. Of a turn that has ended the last one, too, however it was cut;
        a provider that refused before it said anything has used nothing."""
        rounds = enumerate(self._rounds)
        return self._calls or tuple(
            each.call(number)
            for number, each in rounds
            if each.over or (not self.state.live and (each.said_something or not each.refused))
        )

    def unsaid(self, end: Ended) -> TurnFold:
        """The same turn without a word of it, ended so: what it used is all that is left."""
        silent = TurnFold()
        self.apply(end)
        silent._calls = self.calls()
        silent.apply(end)
        return silent

    @property
    def model_served(self) -> str:
        started = [r.assembler.start.model for r in self._rounds if r.assembler.start]
        return started[-1] if started else ""

    def proposals(self) -> dict[str, str]:
        """The calls that wait for the outcome of a plan, and the plan of each."""
        last = self._rounds[-1] if self._rounds else Round(Asked("", ""))
        answered = {r.tool_use_id for r in last.results}
        return {call: plan for call, plan in last.proposed.items() if call not in answered}

    def messages(self) -> list[Message]:
        """The assistant and tool-result messages so far, as they are stored and replayed."""
        return [message for each in self._rounds for message in each.messages()]

    def blocks(self) -> tuple[BlockView, ...]:
        """Every block as it is now, open ones included."""
        views: list[BlockView] = []
        for each in self._rounds:
            views += each.blocks(len(views))
        return tuple(views)


def fold(events: Sequence[TurnEvent]) -> TurnFold:
    folded = TurnFold()
    for event in events:
        folded.apply(event)
    return folded
