"""Settings › AI providers, the members' own keys: the same card with other verbs. What an own key is: vault/byok.py."""

from __future__ import annotations

import uuid
from dataclasses import replace

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from webapp.accounts import Right, Scope
from webapp.errors import not_found
from webapp.llm.providers import Provider
from webapp.pages import providers, web
from webapp.pages.providers import Card, Keys, NotKept
from webapp.vault import byok
from webapp.vault.byok import OwnKeysOff

bp = Blueprint("own_keys", __name__)


@bp.get("/settings/providers/<slug>/own")
@web.within(Right.READ)
def show(scope: Scope, slug: str) -> ResponseReturnValue:
    """The card as it rests: what Cancel asks for."""
    provider = _provider(slug)
    if web.is_htmx():
        return render_template("providers/_changed.html", card=_resting(scope, provider), focus=True)
    return redirect(_place(provider))


@bp.get("/settings/providers/<slug>/own/connect")
@web.within(Right.CHAT)
def form(scope: Scope, slug: str) -> ResponseReturnValue:
    provider = _provider(slug)
    keys = Keys.of(scope)
    if not keys.allowed:  # a link of yesterday
        web.notice(f"{OwnKeysOff.TITLE}. {OwnKeysOff.HINT}")
        return redirect(url_for("providers.index"), 303)
    return _card_or_page(scope, replace(keys.own_card(provider), state="form"))


@bp.post("/settings/providers/<slug>/own/connect")
@web.within(Right.CHAT)
def connect(scope: Scope, slug: str) -> ResponseReturnValue:
    """Test the key with no transaction open, then keep it in one; nobody else's answers will use it."""
    provider = _provider(slug)
    keys = Keys.of(scope)
    if not keys.allowed:  # said before the key goes anywhere
        raise OwnKeysOff
    try:
        typed, answered = providers.tested(scope, provider)
    except NotKept as refused:
        return _card_or_page(scope, providers.rejected(keys.own_card(provider), refused), status=422)
    kept = typed.secret, typed.label, typed.base_url
    with web.database().begin() as db:
        byok.connect(scope, db, web.parts().keyring, provider.slug, *kept, own=True)
    web.notice(f"Your own {provider.name} key is connected, for your answers only. {answered}")
    return _changed(scope, provider)


@bp.post("/settings/providers/<slug>/own/disconnect")
@web.within(Right.READ)
def disconnect(scope: Scope, slug: str) -> ResponseReturnValue:
    provider = _provider(slug)
    with web.database().begin() as db:
        gone = byok.disconnect(scope, db, provider.slug, own=True)
    if gone:
        still = f" It stays valid at {provider.name} until you revoke it there." if provider.keys_url else ""
        web.notice(f"Your own {provider.name} key is disconnected.{still}")
    return _changed(scope, provider)


@bp.post("/settings/members-keys/<uuid:key_id>/disconnect")
@web.within(Right.MANAGE_KEYS)
def disconnect_members(scope: Scope, key_id: uuid.UUID) -> ResponseReturnValue:
    """Another member's own key, by an owner or admin."""
    with web.database().begin() as db:
        gone = byok.disconnect_members(scope, db, key_id)
    web.notice(f"{gone.created_by}'s own key is disconnected.")
    return redirect(url_for("providers.index", _anchor="members-keys"), 303)


def _provider(slug: str) -> Provider:
    """The demo needs nobody's key."""
    found = providers.named(slug)
    if found.demo:
        raise not_found()
    return found


def _place(provider: Provider) -> str:
    return url_for("providers.index", _anchor=f"own-{provider.slug}")


def _resting(scope: Scope, provider: Provider) -> Card:
    return Keys.of(scope).own_card(provider)


def _card_or_page(scope: Scope, card: Card, *, status: int = 200) -> ResponseReturnValue:
    if web.is_htmx():
        return render_template("providers/_changed.html", card=card), status
    return providers.page(scope, card), status


def _changed(scope: Scope, provider: Provider) -> ResponseReturnValue:
    if web.is_htmx():
        return render_template("providers/_changed.html", card=_resting(scope, provider), focus=True)
    return redirect(_place(provider), 303)
