"""A page as its reader has it: HTML read into a tree, and patches applied to it as htmx applies them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

from webapp.pages import frames
from webapp.pages.markdown_stream import Patch

VOID = {"br", "hr"}


def words(html: str) -> str:
    """What a page says, without its tags, on one line."""
    plain = re.sub(r"<[^>]+>", " ", html).replace("&#39;", "'").replace("&#34;", '"')
    return re.sub(r"\s+", " ", plain)


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    children: list[Element | str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Element]:
        """All elements inside, in document order."""
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def shape(self) -> tuple[object, ...]:
        """Comparable; neighbouring texts are one, as they look."""
        merged: list[object] = []
        for child in self.children:
            if isinstance(child, Element):
                merged.append(child.shape())
            elif merged and isinstance(merged[-1], str):
                merged[-1] += child
            elif child:
                merged.append(child)
        return (self.tag, sorted(self.attributes.items(), key=str), merged)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("body")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read(html: str) -> Element:
    """The tree of well-formed HTML; fails for HTML that is not."""
    reader = _Reader()
    reader.feed(str(html))
    reader.close()
    assert len(reader.open) == 1, f"<{reader.open[-1].tag}> stays open"
    return reader.open[0]


class Reader:
    """Someone who follows a stream from its start."""

    def __init__(self, prefix: str) -> None:
        self.place = Element("div", {"id": prefix})
        self._page = Element("body", {}, [self.place])

    def receive(self, patches: Sequence[Patch]) -> None:
        """One frame. Like htmx it looks up all targets before it swaps any."""
        for patch, (parent, target) in [(patch, self._find(patch.target_id)) for patch in patches]:
            content = read(patch.html).children
            match patch.swap:
                case frames.APPEND:
                    target.children += content
                case frames.GROW:
                    target.children = content
                case frames.REMOVE:
                    parent.children.remove(target)
                case other:
                    raise AssertionError(f"unknown swap {other}")

    def _find(self, element_id: str) -> tuple[Element, Element]:
        found = [
            (parent, child)
            for parent in (self._page, *self._page)
            for child in parent.children
            if isinstance(child, Element) and child.attributes.get("id") == element_id
        ]
        assert len(found) == 1, f"{len(found)} elements with id {element_id}"
        return found[0]
