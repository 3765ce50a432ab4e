"""History made fit to send: what is cut, foreign, empty or unanswered."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from webapp.llm.blocks import Block, Message, Role, Text, Thinking, ToolResult, ToolUse
from webapp.llm.history import CANCELLED, GO_ON, replayable


def user(*blocks: Block) -> Message:
    return Message("user", blocks)


def said(*blocks: Block, dialect: str = "d") -> Message:
    return Message("assistant", blocks, dialect)


HELLO = user(Text("Hello"))


def test_a_plain_conversation_stays_as_it_is() -> None:
    history = (HELLO, said(Thinking("Hm", {"signature": "S"}), Text("Hi")), user(Text("And?")))
    assert replayable(history, "d") == history


def test_unsigned_reasoning_is_dropped() -> None:
    assert replayable((HELLO, said(Thinking("Hm"), Text("Hi")), HELLO), "d")[1].blocks == (Text("Hi"),)


def test_what_another_dialect_wrote_goes_without_its_opaque_parts() -> None:
    foreign = said(
        Thinking("Hm", {"x": 1}), Text("Hi", {"x": 2}), ToolUse("t1", "pause", opaque={"x": 3}), dialect="other"
    )
    assert replayable((HELLO, foreign, user(ToolResult("t1", "ok"))), "d")[1].blocks == (
        Text("Hi"),
        ToolUse("t1", "pause"),
    )


def test_empty_text_and_empty_messages_are_dropped_and_neighbours_merge() -> None:
    history = (HELLO, said(Text(""), Text("\n\n")), user(Text("Still there?")))
    assert replayable(history, "d") == (user(Text("Hello"), Text("Still there?")),)


def test_answers_come_first_in_the_message_after_their_calls_in_the_order_of_the_calls() -> None:
    history = (
        HELLO,
        said(ToolUse("t1", "a"), ToolUse("t2", "b")),
        user(Text("Also"), ToolResult("t2", "two"), ToolResult("t1", "one")),
    )
    assert replayable(history, "d")[2] == user(ToolResult("t1", "one"), ToolResult("t2", "two"), Text("Also"))


def test_a_call_without_an_answer_was_cancelled() -> None:
    cancelled = ToolResult("t1", CANCELLED, is_error=True)
    assert replayable((HELLO, said(ToolUse("t1", "a"))), "d")[2:] == (user(cancelled),)
    assert replayable((HELLO, said(ToolUse("t1", "a")), user(Text("No"))), "d")[2] == user(cancelled, Text("No"))
    between = (HELLO, said(ToolUse("t1", "a")), said(Text("Hi")), HELLO)
    assert replayable(between, "d") == (HELLO, said(ToolUse("t1", "a")), user(cancelled), said(Text("Hi")), HELLO)


def test_an_answer_without_a_call_is_dropped() -> None:
    assert replayable((HELLO, said(Text("Hi")), user(ToolResult("t9", "?"), Text("Go"))), "d")[2] == user(Text("Go"))


def test_an_id_may_come_again_in_a_later_message() -> None:
    first, second = user(ToolResult("call_0", "one")), user(ToolResult("call_0", "two"))
    history = (HELLO, said(ToolUse("call_0", "a")), first, said(ToolUse("call_0", "a")), second)
    assert replayable(history, "d") == history


def test_the_last_message_is_the_persons() -> None:
    assert replayable((HELLO, said(Text("Hi, I was cut"))), "d")[-1] == GO_ON
    assert replayable((), "d") == (GO_ON,)


def test_dropping_reasoning_spares_the_turn_that_is_running() -> None:
    old, new = Thinking("old", {"signature": "1"}), Thinking("new", {"signature": "2"})
    history = (HELLO, said(old, Text("Hi")), HELLO, said(new, ToolUse("t1", "a")), user(ToolResult("t1", "ok")))
    kept = [b for m in replayable(history, "d", drop_thinking=True) for b in m.blocks if isinstance(b, Thinking)]
    assert kept == [new]


IDS = st.sampled_from(["t1", "t2", "t3"])
BLOCKS = st.one_of(
    st.builds(Text, st.sampled_from(["", " ", "words"])),
    st.builds(Thinking, st.just("Hm"), st.sampled_from([None, {"signature": "S"}])),
    st.builds(ToolUse, IDS, st.just("a")),
    st.builds(ToolResult, IDS, st.just("ok")),
)
MESSAGES = st.lists(
    st.builds(
        lambda role, blocks: Message(role, tuple(b for b in blocks if fits(role, b)), "d"),
        st.sampled_from(["user", "assistant"]),
        st.lists(BLOCKS, max_size=4),
    ),
    max_size=8,
)


def fits(role: Role, block: Block) -> bool:
    return isinstance(block, Text) or isinstance(block, ToolResult) is (role == "user")


@given(MESSAGES, st.booleans())
def test_whatever_happened_the_rules_hold(messages: list[Message], drop: bool) -> None:
    sent = replayable(messages, "d", drop_thinking=drop)
    assert sent[-1].role == "user"
    roles = [m.role for m in sent]
    assert all(a != b for a, b in pairwise(roles))
    for before, after in zip((user(), *sent), sent, strict=False):
        calls = [b.id for b in before.blocks if isinstance(b, ToolUse)]
        answers = [b.tool_use_id for b in after.blocks if isinstance(b, ToolResult)]
        assert after.blocks
        if after.role == "user":
            assert answers == calls
            assert all(isinstance(b, ToolResult) for b in after.blocks[: len(answers)])
    assert replayable(sent, "d") == sent
