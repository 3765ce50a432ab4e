"""The guides in docs/guides, Markdown in the repository, as pages: facts filled in, headings with ids, links made ours.

A guide opens with its title (`# `) and one paragraph that says what it is about; `## ` are its sections. `{{ name }}`
is a fact (facts.py); one that is not there is a KeyError, which a test of all guides finds. A link to another guide is
relative to the file, as a reader of the repository follows it: ../byok.md#security.

The text is our own, but what is filled in is not all: so raw HTML is off here, too.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from webapp.pages.richtext import Html

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "guides"
TARGET = re.compile(r"((?:providers|ads)/)?([a-z_]+)\.md")

LinkTo = Callable[[str], str]  # the URL of a guide's name: "byok", "providers/anthropic"


@dataclass(frozen=True)
class Section:
    id: str
    title: str


@dataclass(frozen=True)
class Guide:
    name: str
    title: str
    summary: Html  # its first paragraph
    body: Html
    sections: tuple[Section, ...]


def read(name: str, facts: Mapping[str, str], link_to: LinkTo) -> Guide:
    """The guide of that name. Raises FileNotFoundError, and KeyError for a fact that is not among `facts`."""
    return render(name, _path(name).read_text("utf-8"), facts, link_to)


def render(name: str, text: str, facts: Mapping[str, str], link_to: LinkTo) -> Guide:
    env: dict[str, Any] = {"name": name, "link_to": link_to}
    tokens = MARKDOWN.parse(fill_in(text, facts), env)
    if [token.type for token in tokens[:4:3]] != ["heading_open", "paragraph_open"] or tokens[0].tag != "h1":
        raise ValueError(f"{name} does not open with a title and a paragraph")
    return Guide(
        name=name,
        title=_words(tokens[1]),
        summary=_html(tokens[4:5], env),
        body=_html(tokens[6:], env),
        sections=tuple(
            Section(str(token.attrGet("id")), _words(tokens[at + 1]))
            for at, token in enumerate(tokens)
            if token.type == "heading_open" and token.tag == "h2"
        ),
    )


def fill_in(text: str, facts: Mapping[str, str]) -> str:
    """Raises KeyError for a fact that is not there."""
    return re.sub(r"\{\{ ([\w.]+) \}\}", lambda found: facts[found[1]], text)


def _path(name: str) -> Path:
    return FOLDER / f"{name}.md"


def _html(tokens: Sequence[Token], env: dict[str, Any]) -> Html:
    return Html(MARKDOWN.renderer.render(tokens, MARKDOWN.options, env))


def _words(inline: Token) -> str:
    return "".join(child.content for child in inline.children or ())


# --- our rules for markdown-it ------------------------------------------------------------------------------------


def _name_headings(state: StateCore) -> None:
    """An id for each heading, made from its words. Two headings of the same words are a mistake in the guide."""
    seen: set[str] = set()
    for at, token in enumerate(state.tokens):
        if token.type == "heading_open":
            id = re.sub(r"[^a-z0-9]+", "-", _words(state.tokens[at + 1]).lower()).strip("-")
            if not id or id in seen:
                raise ValueError(f"two headings, or none, are called {id!r}")
            seen.add(id)
            token.attrSet("id", id)


def _link_open(_: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: dict[str, Any]) -> str:
    href = str(tokens[at].attrGet("href"))
    if href.startswith("https://"):
        return f'<a href="{escape(href)}" target="_blank" rel="noopener noreferrer">'
    return f'<a href="{escape(_ours(href, env))}">'


def _ours(href: str, env: Mapping[str, Any]) -> str:
    """A link to a guide as the URL of its page; to a heading or to a page of the product as it is."""
    path, mark, heading = href.partition("#")
    if not path or path.startswith("/"):
        return href
    name = posixpath.normpath(posixpath.join(posixpath.dirname(env["name"]), path))
    if not TARGET.fullmatch(name):
        raise ValueError(f"{env['name']} has a link to nowhere: {href}")
    return f"{env['link_to'](name.removesuffix('.md'))}{mark}{heading}"


def _table_open(*_: Any) -> str:
    return '<div class="scroll" tabindex="0"><table>'


def _table_close(*_: Any) -> str:
    return "</table></div>"


def _build() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.core.ruler.after("inline", "name_headings", _name_headings)
    markdown.add_render_rule("link_open", _link_open)
    markdown.add_render_rule("table_open", _table_open)
    markdown.add_render_rule("table_close", _table_close)
    return markdown


MARKDOWN = _build()
