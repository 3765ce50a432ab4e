"""A text that is still being written, as HTML that only grows. What a block looks like is richtext.py's business.

The stable-block method: `tail` is the source from the first top-level block that can still change. When a tick parses
it, all blocks before its last are final (the line that follows them has begun), and `tail` moves on to the end of the
last but one; so link definitions between two blocks are read again until what follows them is certain. The unfinished
line takes part only once it can no longer become another kind of block: when it holds a letter (no rule, underline,
marker, table delimiter does) and is no code fence. What is shown of the block being written is mended first: its open
**, `, [ are closed.

A fenced block at the top is not parsed again and again: its complete lines are highlighted and appended, its
unfinished line is plain text in a second <code id="{prefix}-{k}-t">, which goes away when the block ends.

The law: after close(), snapshot() == render(the whole text). A link whose definition came later, and nothing else,
may look different before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape as escape_html
from time import perf_counter

from webapp.pages.frames import APPEND, GROW, REMOVE
from webapp.pages.richtext import (
    Env,
    Html,
    Piece,
    assemble,
    code_view,
    highlight,
    inner_block,
    inner_blocks,
    language_of,
    lines_of,
    normal,
    parse,
)

REST = 9
"""After work that took t seconds a stream rests 9 t: it takes at most a tenth of the worker's time, however long the
block that is open. Usual ticks take half a millisecond and never notice."""

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_MAYBE_FENCE = re.compile(r"[ >]*(```|~~~)")
_HALF_CLOSED = re.compile(r" {0,3}(`*|~*)[ \t]*\n?")
_TABLE_ROW = re.compile(r"[ >]*\|")
_MARKS = re.compile(r"\\.|`+|\*+|_+|~+|!?\[|\]", re.DOTALL)
_TARGET = re.compile(r"\((?:[^()\\]|\\.|\([^()]*\))*\)|\[[^\[\]]*\]", re.DOTALL)


@dataclass(frozen=True)
class Patch:
    """One change of the page: the id of an element, a swap style of frames.py, safe HTML."""

    target_id: str
    swap: str
    html: str = ""


@dataclass
class _Code:
    """The fenced block that is being written. `sent` is what stands in its first <code>, line by line; `plain` what
    stands in its second."""

    block_id: str
    info: str
    indent: int
    end: re.Pattern[str]
    lines: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    plain: str = ""
    due: float = 0.0

    def inner(self, *, closed: bool = False) -> str:
        code = f'<code id="{self.block_id}-c">{"".join(self.sent)}</code>'
        rest = "" if closed else f'<code id="{self.block_id}-t">{self.plain}</code>'
        return code_view(self.info, code + rest)


class MarkdownStream:
    """Feed it text as it arrives; each patches() says what to change on the page since the one before."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._text: list[str] = []
        self._held = ""  # half a CR LF or half a surrogate pair
        self._tail = ""
        self._inners: list[str] = []  # what is on the page; the first `_final` of them stay as they are
        self._final = 0
        self._env: Env = {"references": {}, "headings": ()}  # definitions and headings of the final blocks
        self._code: _Code | None = None
        self._news = False
        self._due = 0.0

    def feed(self, text: str) -> None:
        """Takes more source; costs nothing until the next patches()."""
        text, self._held = self._held + text, ""
        if text and (text[-1] == "\r" or "\ud800" <= text[-1] <= "\udbff"):
            text, self._held = text[:-1], text[-1]
        self._take(text)

    def patches(self, now: float) -> list[Patch]:
        """What changed since the last call, in order; often nothing. Fit for one frame: none targets what another of
        them adds. `now` is a monotonic clock in seconds; it paces the work (see REST)."""
        if not self._news or now < self._due:
            return []
        started = perf_counter()
        changes: list[Patch] = []
        self._advance(now, changes, closing=False)
        self._due = now + REST * (perf_counter() - started)
        return changes

    @property
    def behind(self) -> bool:
        """Whether text that was fed waits to be shown or coloured."""
        return self._news

    def close(self) -> list[Patch]:
        """The text is complete. The last changes; from here on the page is what render() makes of the whole text."""
        held, self._held = self._held, ""
        self._take(held)
        changes: list[Patch] = []
        before = self._page()
        self._advance(0.0, changes, closing=True)
        if self._env["references"]:
            self._inners, changes = before, []
            self._show(0, inner_blocks("".join(self._text), self.prefix), changes)
        self._text.clear()
        return changes

    def snapshot(self) -> Html:
        """All blocks as a reader has them who followed every patch so far."""
        return assemble(self.prefix, self._page())

    def _page(self) -> list[str]:
        if self._code and self._final < len(self._inners):
            return [*self._inners[:-1], self._code.inner()]
        return list(self._inners)

    def _take(self, text: str) -> None:
        text = normal(text)
        self._text.append(text)
        self._tail += text
        self._news = self._news or bool(text)

    # --- one tick -----------------------------------------------------------------------------------------------

    def _advance(self, now: float, changes: list[Patch], *, closing: bool) -> None:
        self._news = False
        while True:
            if self._code is None:
                self._read_blocks(changes, closing=closing)
            if self._code is None or not self._read_code(self._code, now, changes, closing=closing):
                return

    def _read_blocks(self, changes: list[Patch], *, closing: bool) -> None:
        """Shows the blocks of the tail, moves it past the final ones, and opens the fenced block it may end in."""
        source = self._tail if closing else hold_back(self._tail)
        env: Env = {"references": dict(self._env["references"]), "headings": self._env["headings"]}
        if not closing:
            env.update(mend=mend, lines=source.count("\n") + (not source.endswith("\n")))
        pieces = parse(source, env)
        fence = pieces.pop() if pieces and not closing and pieces[-1].tokens[0].type == "fence" else None
        inners = [inner_block(piece, env, self._id(self._final + k)) for k, piece in enumerate(pieces)]
        self._show(self._final, inners, changes)
        final = pieces if closing or fence else pieces[:-1]
        lines = lines_of(source)
        if fence:
            self._settle(final, "".join(lines[: fence.start]), env)
            self._tail = self._tail[sum(map(len, lines[: fence.start + 1])) :]
            self._open_code(lines[fence.start])
        elif final or closing:
            cut = sum(map(len, lines)) if closing else sum(map(len, lines[: final[-1].end]))
            self._settle(final, source[:cut], env)
            self._tail = self._tail[cut:]

    def _settle(self, final: list[Piece], source: str, env: Env) -> None:
        """`source` is behind us: its blocks are final, its definitions and headings hold for the rest."""
        self._final += len(final)
        if len(env["references"]) > len(self._env["references"]):
            parse(source, self._env)
        for piece in final:
            for token in piece.tokens:
                if token.type == "heading_open":
                    self._env["headings"] = token.meta["headings"]

    def _show(self, start: int, inners: list[str], changes: list[Patch]) -> None:
        """Makes the blocks from `start` on be `inners`."""
        shown = len(self._inners)
        for k, inner in enumerate(inners[: shown - start], start):
            if inner != self._inners[k]:
                changes.append(Patch(self._id(k), GROW, inner))
        changes.extend(Patch(self._id(k), REMOVE) for k in range(start + len(inners), shown))
        fresh = inners[shown - start :]
        if fresh:
            changes.append(Patch(self.prefix, APPEND, str(assemble(self.prefix, fresh, shown))))
        self._inners[start:] = inners

    def _id(self, k: int) -> str:
        return f"{self.prefix}-{k}"

    # --- a fenced block -----------------------------------------------------------------------------------------

    def _open_code(self, line: str) -> None:
        opening = _FENCE.match(line)
        assert opening is not None
        marks, info = opening.groups()
        end = re.compile(rf" {{0,3}}{marks[0]}{{{len(marks)},}}[ \t]*\n?")
        self._code = _Code(self._id(self._final), info, len(line) - len(line.lstrip(" ")), end)

    def _read_code(self, code: _Code, now: float, changes: list[Patch], *, closing: bool) -> bool:
        """Takes the code's lines from the tail and shows them. True when the block ended and text may follow."""
        lines = lines_of(self._tail)
        if not closing and lines and not lines[-1].endswith("\n"):
            lines.pop()
        end = next((k for k, line in enumerate(lines) if code.end.fullmatch(line)), None)
        code.lines += [_dedent(line, code.indent) for line in lines[:end]]
        taken = lines if end is None else lines[: end + 1]
        self._tail = self._tail[sum(map(len, taken)) :]
        if end is None and not closing:
            self._show_code(code, now, changes)
            return False
        self._finish_code(code, changes)
        return end is not None

    def _show_code(self, code: _Code, now: float, changes: list[Patch]) -> None:
        language = language_of(code.info)
        fresh: list[str] = []
        if len(code.lines) > len(code.sent) and (now >= code.due or not language):
            started = perf_counter()
            fresh = highlight(language, code.lines, len(code.sent))
            code.due = now + REST * (perf_counter() - started)
            code.sent += fresh
        self._news = len(code.lines) > len(code.sent)
        unfinished = "" if _HALF_CLOSED.fullmatch(self._tail) else _dedent(self._tail, code.indent)
        plain = escape_html("".join(code.lines[len(code.sent) :]) + unfinished, quote=False)
        if self._final == len(self._inners):
            code.plain = plain
            self._show(self._final, [code.inner()], changes)
            return
        if fresh:
            changes.append(Patch(f"{code.block_id}-c", APPEND, "".join(fresh)))
        if plain != code.plain:
            changes.append(Patch(f"{code.block_id}-t", GROW, plain))
            code.plain = plain

    def _finish_code(self, code: _Code, changes: list[Patch]) -> None:
        """The whole block is known: a line that looks different in its light (an endless string) is put right."""
        lines = highlight(language_of(code.info), code.lines)
        was_shown, same = self._final < len(self._inners), lines[: len(code.sent)] == code.sent
        fresh = lines[len(code.sent) :] if same else lines
        code.sent = lines
        if not was_shown:
            self._show(self._final, [code.inner(closed=True)], changes)
        else:
            if fresh or not same:
                changes.append(Patch(f"{code.block_id}-c", APPEND if same else GROW, "".join(fresh)))
            changes.append(Patch(f"{code.block_id}-t", REMOVE))
            self._inners[self._final] = code.inner(closed=True)
        self._final += 1
        self._code = None


# --- what is shown of unfinished source -------------------------------------------------------------------------


def hold_back(tail: str) -> str:
    """`tail` without an end that may yet become another kind of block: a last line without a letter, a code fence, the
    first row of a table."""
    lines = lines_of(tail)
    if lines and not lines[-1].endswith("\n") and not _is_certain(lines[-1]):
        lines.pop()
    if lines and _TABLE_ROW.match(lines[-1]) and not (len(lines) > 1 and _TABLE_ROW.match(lines[-2])):
        lines.pop()
    return "".join(lines)


def _is_certain(line: str) -> bool:
    return any(map(str.isalpha, line)) and not _MAYBE_FENCE.match(line)


def mend(text: str) -> str:
    """Half-typed inline Markdown, completed: open emphasis and code are closed, marks with nothing after them wait, of
    half a link only its text is shown."""
    text = text.rstrip()
    open_marks: list[str] = []
    brackets: list[re.Match[str]] = []
    at = 0
    while mark := _MARKS.search(text, at):
        at = mark.end()
        kind = mark[0][0]
        if kind == "`":
            end = next((run for run in re.finditer("`+", text[at:]) if run[0] == mark[0]), None)
            if end is None:
                text = f"{text}{mark[0]}" if at < len(text) else text[: mark.start()].rstrip()
                break
            at += end.end()
        elif kind in "*_~":
            if _toggle(text, mark, open_marks):
                text = text[: mark.start()].rstrip()
                break
        elif kind in "![":
            brackets.append(mark)
        elif kind == "]" and brackets:
            label = brackets.pop()
            target = _TARGET.match(text, at)
            if target:
                at = target.end()
            elif text[at : at + 1] == "(":
                text = text[: label.start()] + text[label.end() : mark.start()]
                break
    else:
        text = text.removesuffix("\\").removesuffix("!")
        if brackets:
            text = text[: brackets[-1].start()] + text[brackets[-1].end() :]
    return text + "".join(reversed(open_marks))


def _toggle(text: str, mark: re.Match[str], open_marks: list[str]) -> bool:
    """Opens or closes what a run of *, _ or ~ may open or close. True if it stands at the end and closes nothing."""
    before, after = text[: mark.start()][-1:], text[mark.end() : mark.end() + 1]
    kind, left = mark[0][0], len(mark[0])
    if kind == "~" and left != 2 and after:
        return False
    word = kind == "_" and before.isalnum() and after.isalnum()
    if before.strip() and not word:
        while open_marks and open_marks[-1][0] == kind and len(open_marks[-1]) <= left:
            left -= len(open_marks.pop())
    if not after:
        return left > 0
    if left and after.strip() and not word:
        open_marks.extend(m for m in ((kind * 2,) if left == 2 else (kind,) if left == 1 else (kind * 2, kind)))
    return False


def _dedent(line: str, indent: int) -> str:
    """`line` without the indentation of its fence, as CommonMark counts tabs."""
    width = at = 0
    while width < indent and line[at : at + 1] in (" ", "\t"):
        width += 4 - width % 4 if line[at] == "\t" else 1
        at += 1
    return " " * (width - indent) + line[at:]
