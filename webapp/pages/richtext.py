"""Model text becomes safe HTML here and nowhere else: Markdown, highlighted code, an allow-list. Streaming it is
markdown_stream.py.

The order is the safety: markdown-it with raw HTML off, our renderer rules, nh3's allow-list last. Only around what
came out of it stand our own wrappers, ids and copy buttons. No title attributes: an attribute must never hold a raw
"<", because htmx rewrites "<hx-" wherever it stands in a response.

A text is a row of top-level blocks. Block k of `prefix`, and its code if it is a code block:

    <div class="b" id="{prefix}-{k}" dir="auto"> <p>, <ul>, <table> ... </div>
    <div class="b" ...><div class="code">
      <div class="code-head"><span class="lang">python</span><button class="copy" data-copy>Copy</button></div>
      <pre tabindex="0"><code id="{prefix}-{k}-c"> highlighted lines </code></pre>
    </div></div>

The caller puts the row into an element with id `prefix` and hx-ignore.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from html import escape as escape_html
from time import thread_time
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import unescapeAll
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock, table
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Token as Kind

Html = Markup
"""HTML that may be put into a page as it is."""

Env = dict[str, Any]
"""What markdown-it carries through a text: "references", our "headings", and, while streaming, "mend" (a function that
completes half-typed Markdown) with "lines" (how many lines there are)."""

CODE_LIMIT = 20_000
"""Characters of a code block that are highlighted; what follows is plain."""
LEXER_GRACE = 0.03
LEXER_PACE = 10e-6
"""CPU seconds a lexer may take, and more for each character. Code needs 2 µs a character; ten thousand blank lines keep
the lexer of C busy for minutes, and are shown plain."""
INLINE_LIMIT = 20_000
BRACKET_LIMIT = 200
"""A paragraph with more characters or more "[" than this is shown as plain text: links cost 30 µs a bracket."""
NESTING_LIMIT = 40
"""Twenty lists in each other; deeper Markdown is cut by the parser."""
TABLE_CELLS_LIMIT = 512
TABLE_COLUMNS_LIMIT = 64
"""Missing cells a table is filled up with; markdown-it's own limit lets 2 kB grow to 600 kB."""
TOP_HEADING = 3
"""The page has the h1, the turn the h2. Deeper ones follow without a gap, whatever levels the model jumps between."""

_NAMES = (
    "bash c c++ console cpp cs csharp css dart diff docker dockerfile go golang graphql hcl html http ini java "
    "javascript js json jsx kotlin lua make makefile mysql nginx perl php plpgsql postgres postgresql powershell "
    "proto protobuf ps1 py pycon python python3 r rb rs ruby rust sass scala scss sh shell sql swift terraform toml "
    "ts tsx typescript udiff vue xml yaml yml zsh"
)
LANGUAGES = frozenset(_NAMES.split())
STYLES = {
    Kind.Comment: "c",
    Kind.Comment.Preproc: "k",
    Kind.Keyword: "k",
    Kind.Keyword.Constant: "m",
    Kind.Keyword.Type: "t",
    Kind.Operator.Word: "k",
    Kind.Name.Attribute: "a",
    Kind.Name.Builtin: "f",
    Kind.Name.Class: "t",
    Kind.Name.Constant: "m",
    Kind.Name.Decorator: "a",
    Kind.Name.Exception: "t",
    Kind.Name.Function: "f",
    Kind.Name.Tag: "k",
    Kind.Name.Variable: "v",
    Kind.Literal: "m",
    Kind.Literal.String: "s",
    Kind.Generic.Deleted: "del",
    Kind.Generic.Inserted: "ins",
    Kind.Generic.Heading: "k",
    Kind.Generic.Prompt: "c",
}
"""Classes in code: comment, keyword, constant or number, type, attribute, function, variable, string, - and + lines."""

TAGS = (
    "p h3 h4 h5 h6 hr br ul ol li blockquote pre code em strong s a table thead tbody tr th td div span".split()  # noqa: SIM905
)
CLEANER = nh3.Cleaner(
    tags=set(TAGS),
    clean_content_tags=set(),
    attributes={"a": {"href"}, "ol": {"start"}},
    tag_attribute_values={"a": {"target": {"_blank"}}},
    allowed_classes={
        "div": {"code", "code-head"},
        "span": {"lang", *STYLES.values()},
        "td": {"left", "center", "right"},
        "th": {"left", "center", "right"},
    },
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
    link_rel="noopener noreferrer nofollow",
)

_TAG = re.compile(r"(<[^>]*>)")
_UNLINKED, _UNLINKED_END = ("<a ", "<a>", "<code", "<button"), ("</a>", "</code>", "</button>")
_FIGURE = re.compile(r"(?<![\w.,/#-])\d[\d,]*(?:\.\d+)?(?![\w/-]|[.,]\d)")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_LINK = re.compile(r"https?://[^/\s]|mailto:\S", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_COPY = '<button type="button" class="copy" data-copy>Copy</button>'


def render(text: str, prefix: str) -> Html:
    """The whole text as blocks. The same text and prefix give the same HTML; ValueError for a prefix that is no id."""
    if not _NAME.fullmatch(prefix):
        raise ValueError(f"not an element id: {prefix!r}")
    inners = _small(text, prefix) if len(text) <= CODE_LIMIT else tuple(inner_blocks(text, prefix))
    return assemble(prefix, inners)


def link_figures(html: Html, rows: Mapping[str, str]) -> Html:
    """Make links of the figures in `html` (of render()) that are keys of `rows`: to the element with that id."""
    if not rows:
        return html
    linked, within = [], 0
    for piece in _TAG.split(str(html)):
        if piece.startswith("<"):
            within += (piece.startswith(_UNLINKED)) - (piece.startswith(_UNLINKED_END))
        elif not within:
            piece = _FIGURE.sub(lambda found: _linked(found, rows), piece)
        linked.append(piece)
    return Markup("".join(linked))


def _linked(found: re.Match[str], rows: Mapping[str, str]) -> str:
    row = rows.get(found[0].replace(",", ""))
    return f'<a class="cite" href="#{row}">{found[0]}</a>' if row else found[0]


@lru_cache(maxsize=256)
def _small(text: str, prefix: str) -> tuple[str, ...]:
    """Old answers are shown again and again; at most some 20 MB of them are kept."""
    return tuple(inner_blocks(text, prefix))


def assemble(prefix: str, inners: Iterable[str], start: int = 0) -> Html:
    """Blocks `start` and following from the inner HTML that inner_blocks() or inner_block() made."""
    return Html(
        "".join(f'<div class="b" id="{prefix}-{k}" dir="auto">{inner}</div>' for k, inner in enumerate(inners, start))
    )


def inner_blocks(text: str, prefix: str) -> list[str]:
    env: Env = {}
    return [inner_block(piece, env, f"{prefix}-{k}") for k, piece in enumerate(parse(normal(text), env))]


def normal(text: str) -> str:
    """`text` as the parser sees it: LF line ends, neither NUL nor lone surrogates."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


# --- blocks -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Piece:
    """One top-level block: its tokens, and its source lines from `start` up to, not including, `end`."""

    tokens: Sequence[Token]
    start: int
    end: int

    @property
    def is_code(self) -> bool:
        return self.tokens[0].type in ("fence", "code_block")


def parse(text: str, env: Env) -> list[Piece]:
    """The top-level blocks of a normal() text. `env` is read and extended."""
    pieces, first = [], 0
    tokens = MARKDOWN.parse(text, env)
    for position, token in enumerate(tokens):
        if token.level == 0 and token.nesting <= 0:
            opening = tokens[first]
            assert opening.map is not None
            pieces.append(Piece(tokens[first : position + 1], *opening.map))
            first = position + 1
    return pieces


def inner_block(piece: Piece, env: Env, block_id: str) -> str:
    if piece.is_code:
        token = piece.tokens[0]
        code = "".join(highlight(language_of(token.info), lines_of(token.content)))
        return code_view(token.info, f'<code id="{block_id}-c">{code}</code>')
    return _decorate(CLEANER.clean(MARKDOWN.renderer.render(piece.tokens, MARKDOWN.options, env)).rstrip("\n"))


def code_view(info: str, code: str) -> str:
    """A code block around safe `code`, which is one or more <code> elements."""
    return _decorate(f'<div class="code">{CLEANER.clean(_code_head(info))}<pre>{code}</pre></div>')


def _code_head(info: str) -> str:
    label = unescapeAll(info).split(maxsplit=1)
    return f'<div class="code-head"><span class="lang">{escape_html(label[0][:30]) if label else "text"}</span></div>'


def _decorate(clean: str) -> str:
    """Adds what no model may write: copy buttons, and the keyboard's way into what scrolls. The literals replaced here
    come only from our own rules, because every "<" of the text is escaped by now."""
    clean = clean.replace("</span></div><pre>", f'</span>{_COPY}</div><pre tabindex="0">')
    return clean.replace("<table>", '<div class="scroll" tabindex="0"><table>').replace("</table>", "</table></div>")


# --- code -------------------------------------------------------------------------------------------------------


def lines_of(text: str) -> list[str]:
    """Lines with their LF; no other character ends a line."""
    return _LINE.findall(text)


def language_of(info: str) -> str:
    """The language to highlight in, "" for none."""
    words = unescapeAll(info).split(maxsplit=1)
    name = words[0].lower() if words else ""
    return name if name in LANGUAGES else ""


def highlight(language: str, lines: Sequence[str], start: int = 0) -> list[str]:
    """Safe HTML for each line from `start` on; no element spans two lines."""
    head = _coloured_lines(lines) if language else 0
    coloured = _colour(language, "".join(lines[:head])) if head > start else ()
    return [*coloured[start:], *(escape_html(line, quote=False) for line in lines[max(head, start) :])]


def _coloured_lines(lines: Sequence[str]) -> int:
    length = 0
    for count, line in enumerate(lines):
        length += len(line)
        if length > CODE_LIMIT:
            return count
    return len(lines)


@lru_cache(maxsize=64)
def _colour(language: str, code: str) -> tuple[str, ...]:
    parts: list[str] = []
    for style, text in _runs(language, code):
        for line in text.split("\n"):
            escaped = escape_html(line, quote=False)
            parts += (f'<span class="{style}">{escaped}</span>' if style and line else escaped, "\n")
        parts.pop()
    return tuple(lines_of(CLEANER.clean("".join(parts))))


def _runs(language: str, code: str) -> list[tuple[str, str]]:
    """The code as runs of one style each; as one plain run if the lexer takes far longer than code deserves."""
    lexer = _lexer(language)
    give_up = thread_time() + LEXER_GRACE + LEXER_PACE * len(code)
    runs: list[tuple[str, list[str]]] = []
    for _, kind, value in lexer.get_tokens_unprocessed(code):
        if thread_time() > give_up:
            return [("", code)]
        style = _style(kind)
        if runs and runs[-1][0] == style:
            runs[-1][1].append(value)
        else:
            runs.append((style, [value]))
    return [(style, "".join(values)) for style, values in runs]


@cache
def _lexer(language: str) -> Lexer:
    return get_lexer_by_name(language)


@cache
def _style(kind: Any) -> str:
    return next((STYLES[parent] for parent in reversed(kind.split()) if parent in STYLES), "")


# --- our rules for markdown-it ----------------------------------------------------------------------------------


def _number_headings(state: StateCore) -> None:
    """h3 for the first heading, one step down for what stands under it: what a model numbers 1, 3, 2 becomes 3, 4, 4.
    The path of raw levels is kept in each token, so that a stream can go on from it."""
    path: tuple[int, ...] = state.env.get("headings", ())
    for token in state.tokens:
        if token.type == "heading_open":
            level = int(token.tag[1])
            path = (*(above for above in path if above < level), level)
            token.meta["headings"] = path
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(TOP_HEADING - 1 + len(path), 6)}"


def _mend_the_end(state: StateCore) -> None:
    """While streaming: completes the paragraph, item or cell that is being written."""
    if "mend" not in state.env:
        return
    for token in reversed(state.tokens):
        if token.type == "inline" and token.content:
            token.content = state.env["mend"](token.content)
            return
        if (token.nesting == 0 and token.type != "inline") or (token.nesting == 1 and token.level == 0):
            return


def _plain_when_huge(state: StateCore) -> None:
    for token in state.tokens:
        if token.type == "inline" and (len(token.content) > INLINE_LIMIT or token.content.count("[") > BRACKET_LIMIT):
            token.type = "text"


def _narrow_table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    header = state.src[state.bMarks[start] : state.eMarks[start]]
    return header.count("|") <= TABLE_COLUMNS_LIMIT and table(state, start, end, silent)


def _link_open(_: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Env) -> str:
    href = str(tokens[at].attrGet("href") or "")
    return f'<a href="{escape_html(href)}" target="_blank">' if _LINK.match(href) else "<a>"


def _image(renderer: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Env) -> str:
    """Its alternative text: a remote image would tell its server who reads what."""
    return escape_html(renderer.renderInlineAsText(tokens[at].children, options, env))


def _nested_code(_: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Env) -> str:
    token = tokens[at]
    growing = "mend" in env and token.map is not None and token.map[1] >= env["lines"]
    code = "".join(highlight("" if growing else language_of(token.info), lines_of(token.content)))
    return f'<div class="code">{_code_head(token.info)}<pre><code>{code}</code></pre></div>'


def _cell_open(_: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Env) -> str:
    token = tokens[at]
    side = str(token.attrGet("style") or "").removeprefix("text-align:")
    return f'<{token.tag} class="{side}">' if side else f"<{token.tag}>"


def _build() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "linkify": True, "maxNesting": NESTING_LIMIT})
    markdown.enable(["table", "strikethrough", "linkify"])
    assert markdown.linkify is not None
    markdown.linkify.set({"fuzzy_link": False})
    vars(sys.modules[table.__module__])["MAX_AUTOCOMPLETED_CELLS"] = TABLE_CELLS_LIMIT  # the library has no option
    markdown.block.ruler.at("table", _narrow_table, {"alt": ["paragraph", "reference"]})
    markdown.core.ruler.after("block", "number_headings", _number_headings)
    markdown.core.ruler.after("number_headings", "plain_when_huge", _plain_when_huge)
    markdown.core.ruler.after("plain_when_huge", "mend_the_end", _mend_the_end)
    for name, rule in {
        "link_open": _link_open,
        "image": _image,
        "fence": _nested_code,
        "code_block": _nested_code,
        "th_open": _cell_open,
        "td_open": _cell_open,
    }.items():
        markdown.add_render_rule(name, rule)
    return markdown


MARKDOWN = _build()
