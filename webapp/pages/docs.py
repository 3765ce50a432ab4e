"""The guides under /docs, for everyone, signed in or not. Their text: docs/guides; how it becomes a page: guides.py."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, render_template, url_for
from flask.typing import ResponseReturnValue

from webapp.errors import not_found
from webapp.llm.providers import Provider
from webapp.pages import facts, guides, web
from webapp.pages.guides import Guide

bp = Blueprint("docs", __name__)

BYOK = "byok"
OF_PROVIDERS = "providers/"  # beginning of the names of the setup guides


@dataclass(frozen=True)
class Place:
    """A guide in their order: byok first, then the providers as the catalogue has them."""

    name: str
    title: str
    url: str
    provider: Provider | None = None


@bp.get("/docs")
@web.public
def index() -> ResponseReturnValue:
    first, *others = places()
    return render_template("docs/index.html", first=first, guide=_read(first), others=others)


@bp.get("/docs/byok")
@web.public
def byok() -> ResponseReturnValue:
    return _page(BYOK)


@bp.get("/docs/providers/<slug>")
@web.public
def provider(slug: str) -> ResponseReturnValue:
    return _page(OF_PROVIDERS + slug)


def _page(name: str) -> ResponseReturnValue:
    """The guide between its neighbours. Raises the not-found UserError for one of no provider here."""
    row = places()
    at = next((n for n, place in enumerate(row) if place.name == name), None)
    if at is None:
        raise not_found()
    before, after = row[at - 1] if at else None, row[at + 1] if at + 1 < len(row) else None
    place = row[at]
    return render_template("docs/guide.html", place=place, guide=_read(place), places=row, before=before, after=after)


def places() -> list[Place]:
    """Every guide of this installation."""
    setup = [
        Place(OF_PROVIDERS + provider.slug, provider.name, setup_url(provider), provider)
        for provider in web.parts().providers.values()
        if not provider.demo
    ]
    return [Place(BYOK, "Bring your own key", url_for("docs.byok")), *setup]


def setup_url(provider: Provider) -> str:
    return url_for("docs.provider", slug=provider.slug)


def _read(place: Place) -> Guide:
    known = facts.of_all(web.parts().providers.values(), web.parts().settings.product_name)
    if place.provider:
        known |= facts.of(place.provider)
    return guides.read(place.name, known, _link_to)


def _link_to(name: str) -> str:
    if name.startswith(OF_PROVIDERS):
        return url_for("docs.provider", slug=name.removeprefix(OF_PROVIDERS))
    return url_for(f"docs.{name}")
