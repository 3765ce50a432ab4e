"""The guides under /docs, for everyone, signed in or not. Their text: docs/guides; how it becomes a page: guides.py."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, render_template, url_for
from flask.typing import ResponseReturnValue

from webapp.ads.faults import NAMES
from webapp.errors import not_found
from webapp.llm.providers import Provider
from webapp.pages import ad_facts, facts, guides, product_facts, web
from webapp.pages.guides import Guide

bp = Blueprint("docs", __name__)

BYOK = "byok"
DAILY = {  # what a team asks first, and where it sees it
    "approvals": ("What Maxxer may do", "shield"),
    "dashboard": ("Reading the dashboard", "bar-chart"),
    "money": ("What answers cost", "coins"),
}
OF_PROVIDERS = "providers/"  # beginning of the names of the setup guides
OF_ADS = "ads/"
AD_LOGOS = {"meta": "meta", "google": "google_ads"}  # the ad platforms that have a guide
OF_DATA = {"import": ("Import files", "file-text"), "collector": ("The collector", "globe")}  # other ways in


@dataclass(frozen=True)
class Place:
    """A guide in their order: byok, daily work, the providers as the catalogue has them, the ad platforms.
    `connect` is where the thing is connected."""

    name: str
    title: str
    url: str
    logo: str = ""
    icon: str = "key"  # where there is no logo
    connect: str = ""
    provider: Provider | None = None


@bp.get("/docs")
@web.public
def index() -> ResponseReturnValue:
    first, *others = places()
    daily = [place for place in others if place.name in DAILY]
    setup = [place for place in others if place.provider]
    ads = [place for place in others if place.name.startswith(OF_ADS)]
    return render_template("docs/index.html", first=first, guide=_read(first), daily=daily, setup=setup, ads=ads)


@bp.get("/docs/byok")
@web.public
def byok() -> ResponseReturnValue:
    return _page(BYOK)


@bp.get("/docs/approvals")
@web.public
def approvals() -> ResponseReturnValue:
    return _page("approvals")


@bp.get("/docs/dashboard")
@web.public
def dashboard() -> ResponseReturnValue:
    return _page("dashboard")


@bp.get("/docs/money")
@web.public
def money() -> ResponseReturnValue:
    return _page("money")


@bp.get("/docs/providers/<slug>")
@web.public
def provider(slug: str) -> ResponseReturnValue:
    return _page(OF_PROVIDERS + slug)


@bp.get("/docs/ads/<topic>")
@web.public
def ads(topic: str) -> ResponseReturnValue:
    return _page(OF_ADS + topic)


def _page(name: str) -> ResponseReturnValue:
    """The guide between its neighbours. Raises the not-found UserError for one that is not here."""
    row = places()
    at = next((n for n, place in enumerate(row) if place.name == name), None)
    if at is None:
        raise not_found()
    before, after = row[at - 1] if at else None, row[at + 1] if at + 1 < len(row) else None
    place = row[at]
    return render_template("docs/guide.html", place=place, guide=_read(place), places=row, before=before, after=after)


def places() -> list[Place]:
    """Every guide of this installation."""
    setup = [_of_provider(each) for each in web.parts().providers.values() if not each.demo]
    ads = [_of_platform(platform) for platform in AD_LOGOS]
    return [_of_us(BYOK, "Bring your own key", "key"), *_daily(), *setup, *ads, *map(_of_data, OF_DATA)]


def _daily() -> list[Place]:
    return [_of_us(name, title, icon) for name, (title, icon) in DAILY.items()]


def _of_us(name: str, title: str, icon: str) -> Place:
    return Place(name, title, url_for(f"docs.{name}"), icon=icon)


def _of_provider(provider: Provider) -> Place:
    connect = url_for("providers.index", _anchor=f"provider-{provider.slug}")
    name = OF_PROVIDERS + provider.slug
    return Place(name, provider.name, setup_url(provider), provider.logo, connect=connect, provider=provider)


def _of_platform(platform: str) -> Place:
    connect = url_for("ad_accounts.index", _anchor=f"platform-{platform}")
    title = f"{NAMES[platform].removesuffix(' Ads')} Ads"
    return Place(OF_ADS + platform, title, url_for("docs.ads", topic=platform), AD_LOGOS[platform], connect=connect)


def _of_data(slug: str) -> Place:
    title, icon = OF_DATA[slug]
    return Place(OF_ADS + slug, title, url_for("docs.ads", topic=slug), icon=icon)


def setup_url(provider: Provider) -> str:
    return url_for("docs.provider", slug=provider.slug)


def _read(place: Place) -> Guide:
    parts = web.parts()
    known = facts.of_all(parts.providers.values(), parts.settings.product_name)
    if place.provider:
        known |= facts.of(place.provider)
    if place.name.startswith(OF_ADS):
        known |= ad_facts.of(place.name.removeprefix(OF_ADS))
    if place.name in DAILY:
        known |= product_facts.of(place.name, parts.providers.values(), parts.settings.turn_max_usd)
    return guides.read(place.name, known, _link_to)


def _link_to(name: str) -> str:
    if name.startswith(OF_PROVIDERS):
        return url_for("docs.provider", slug=name.removeprefix(OF_PROVIDERS))
    if name.startswith(OF_ADS):
        return url_for("docs.ads", topic=name.removeprefix(OF_ADS))
    return url_for(f"docs.{name}")
