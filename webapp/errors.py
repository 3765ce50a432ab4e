"""UserError: a failure that is fit to show to a person. What providers say lives in llm/errors.py."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Link:
    """Where the person can go next: a label and a URL."""

    label: str
    url: str


class UserError(Exception):
    """What happened (title), why and what to do next (hint), a link, and the HTTP status it deserves."""

    def __init__(self, title: str, hint: str = "", *, link: Link | None = None, status: int = 400) -> None:
        super().__init__(title)
        self.title = title
        self.hint = hint
        self.link = link
        self.status = status


def not_found() -> UserError:
    """The one answer for what does not exist and for what is not yours: they must look the same."""
    return UserError("Page not found", "It does not exist, or you have no access to it.", status=404)
