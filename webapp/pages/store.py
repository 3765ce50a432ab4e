"""Settings › Ad accounts › Shop: what the shop's numbers are counted in, and the collector that its pages talk to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.accounts import Right, Scope
from webapp.analytics import shop
from webapp.analytics.shop import BASES, MOST_ORIGINS, Shop
from webapp.errors import UserError
from webapp.pages import web

bp = Blueprint("store", __name__)

HERE = "/settings/ad-accounts/shop"


@dataclass(frozen=True)
class Form:
    """What stands in the fields, and what is wrong with them."""

    values: Mapping[str, str] = field(default_factory=dict)
    problem: UserError | None = None


@bp.get(HERE)
@web.within(Right.READ)
def index(scope: Scope) -> ResponseReturnValue:
    return _page(scope)


@bp.post(HERE)
@web.within(Right.MANAGE_ADS)
def save(scope: Scope) -> ResponseReturnValue:
    values = {name: web.typed(name) for name in ("name", "currency", "timezone", "basis")}
    basis = values["basis"] if values["basis"] in BASES else "net"
    wanted = {**values, "currency": values["currency"].upper()[:3], "timezone": values["timezone"][:64], "basis": basis}
    try:
        with web.database().begin() as db:
            shop.save(scope, db, **wanted)
    except UserError as problem:
        return _rejected(scope, problem, settings=Form(values, problem))
    web.notice("The shop is saved.")
    return redirect(url_for("store.index"), 303)


@bp.post(f"{HERE}/sites")
@web.within(Right.MANAGE_ADS)
def allow(scope: Scope) -> ResponseReturnValue:
    """The sites that the collector listens to, one a line. A path behind a site is cut off."""
    text = request.form.get("origins", "")[:2000]
    try:
        with web.database().begin() as db:
            shop.allow(scope, db, _origins(text))
    except UserError as problem:
        return _rejected(scope, problem, sites=Form({"origins": text}, problem))
    web.notice("The sites are saved.")
    return redirect(url_for("store.index", _anchor="collector"), 303)


@bp.post(f"{HERE}/new-key")
@web.within(Right.MANAGE_ADS)
def new_key(scope: Scope) -> ResponseReturnValue:
    with web.database().begin() as db:
        shop.new_key(scope, db)
    web.notice("The key is new. Put the new snippet into the shop; the old one counts nothing any more.")
    return redirect(url_for("store.index", _anchor="collector"), 303)


@bp.post(f"{HERE}/remove-demo")
@web.within(Right.MANAGE_ADS)
def remove_demo(scope: Scope) -> ResponseReturnValue:
    with web.database().begin() as db:
        shop.remove_demo(scope, db)
    web.notice("The demo's orders and visits are removed. Its ad accounts stay.")
    return redirect(url_for("store.index"), 303)


@bp.get(f"{HERE}/heard")
@web.within(Right.READ)
def heard(scope: Scope) -> ResponseReturnValue:
    """What the collector heard last: asks for itself again while the page is open."""
    if not web.is_htmx():
        return redirect(url_for("store.index", _anchor="collector"))
    with web.database().begin() as db:
        there = shop.find(scope, db)
    return render_template("store/_heard.html", shop=there)


def _rejected(scope: Scope, problem: UserError, **forms: Form) -> ResponseReturnValue:
    """The page with what was typed. Anything but a mistake in a field is an error of its own."""
    if problem.status != 422:
        raise problem
    return _page(scope, **forms), 422


def _page(scope: Scope, settings: Form | None = None, sites: Form | None = None) -> str:
    with web.database().begin() as db:
        there = shop.find(scope, db)
        counted = shop.count(scope, db)
    return render_template(
        "store/index.html",
        shop=there,
        counted=counted,
        settings=settings or Form(_as_typed(there)),
        sites=sites or Form({"origins": "\n".join(there.origins) if there else ""}),
        snippet=_snippet(there),
        may_change=scope.may(Right.MANAGE_ADS),
        most_origins=MOST_ORIGINS,
        timezones=sorted(name for name in shop.TIMEZONES if "/" in name and not name.startswith("Etc/")),
    )


def _as_typed(there: Shop | None) -> dict[str, str]:
    if there is None:
        return {"name": "", "currency": "", "timezone": "", "basis": "net"}
    return {"name": there.name, "currency": there.currency, "timezone": there.timezone, "basis": there.basis}


def _snippet(there: Shop | None) -> dict[str, Any]:
    """The lines for the shop's pages; empty without a shop."""
    if there is None:
        return {}
    source = url_for("collect.script", _external=True)
    tag = f'<script async src="{source}" data-shop="{there.collect_key}"'
    sold = f'{{order: "1001", value: 59.90, currency: "{there.currency}"}}'
    return {
        "page": f"{tag}></script>",
        "product": f'{tag} data-event="view_item"></script>',
        "steps": f'collect("add_to_cart");\ncollect("checkout");\ncollect("purchase", {sold});',
    }


def _origins(text: str) -> list[str]:
    """Each site once, in lower case; what is no address stays as it is, to be refused with its own words."""
    found: dict[str, None] = {}
    for line in text.split():
        try:
            parts = urlsplit(line.lower())
        except ValueError:
            parts = urlsplit("")
        found[f"{parts.scheme}://{parts.netloc}" if parts.netloc and "@" not in parts.netloc else line] = None
    return list(found)
