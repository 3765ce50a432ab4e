"""Settings › AI providers: a card for each provider, through all its states. Sealing: vault.

A key is read once, from the form that posts it, tested by a real call, and kept only if that call succeeds. No page,
in no state, is given a key to show: templates/providers/_card.html draws a Card, and a Card holds none.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.local import LocalProxy

from webapp.accounts import RIGHTS, Right, Scope, members, throttle
from webapp.errors import Link, not_found
from webapp.llm.addresses import AddressRefused
from webapp.llm.errors import Fault, Kind, ProviderError, explain
from webapp.llm.providers import Provider, at
from webapp.pages import own_server, web
from webapp.secret import Secret, scrub
from webapp.vault import byok
from webapp.vault.byok import CardRow

bp = Blueprint("providers", __name__)

State = Literal["idle", "form", "connected", "rejected", "attention"]

KEY = re.compile(r"[\x21-\x7e]{16,512}")
LINE_BREAKS = re.compile("[\r\n\t\u2028\u2029]")  # a terminal wraps a long key; inside of one they mean nothing
INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
QUOTES = "\"'`\u2018\u2019\u201c\u201d\u00ab\u00bb"
BEARER = re.compile(r"^bearer\s+", re.IGNORECASE)
TESTS, PER = 20, 600  # keys tested for one workspace in ten minutes
BEGINNING = re.compile(r"(\S+)…")  # of a key, in the hint that shows it
LONGEST_SHOWN = 400  # characters of an address that was refused


@dataclass(frozen=True)
class Trouble:
    """Why a key was not kept, or needs attention: our words, then the provider's own, and where to go."""

    title: str
    hint: str
    said: str = ""
    status: int = 0
    link: Link | None = None
    doubt: bool = False  # we only suspect it: the form offers to test the key all the same


@dataclass(frozen=True)
class Card:
    """Everything the partial shows. `label` and `base_url` are what the form holds: what was typed, or what is now.
    `own`: of the reader's own key (own_keys.py), else of the team's. `unused`: connected, but not allowed any more."""

    provider: Provider
    state: State
    may_change: bool
    key: CardRow | None = None
    label: str = ""
    base_url: str = ""
    trouble: Trouble | None = None
    own: bool = False
    unused: bool = False
    may_have_own: bool = False  # the reader may connect one at this provider, and has none


@dataclass(frozen=True)
class Typed:
    """What a person sent to connect a provider. `base_url` only for a server of their own."""

    secret: Secret
    label: str
    base_url: str = ""


class NotKept(Exception):
    """The key is not to be kept: what was typed, and why."""

    def __init__(self, typed: Typed, trouble: Trouble) -> None:
        super().__init__(trouble.title)
        self.typed, self.trouble = typed, trouble


# --- pages ------------------------------------------------------------------------------------------------------


@bp.get("/settings")
@web.within(Right.READ)
def settings(scope: Scope) -> ResponseReturnValue:
    return redirect(url_for("providers.index"))


@bp.get("/settings/providers")
@web.within(Right.READ)
def index(scope: Scope) -> ResponseReturnValue:
    return page(scope)


@bp.get("/settings/providers/<slug>")
@web.within(Right.READ)
def show(scope: Scope, slug: str) -> ResponseReturnValue:
    """The card as it rests: what Cancel asks for."""
    card = _resting(scope, named(slug))
    if web.is_htmx():
        return render_template("providers/_changed.html", card=card, focus=True)
    return redirect(_place(card.provider))


@bp.get("/settings/providers/<slug>/connect")
@web.within(Right.MANAGE_KEYS)
def form(scope: Scope, slug: str) -> ResponseReturnValue:
    return _card_or_page(scope, replace(_resting(scope, named(slug)), state="form"))


@bp.post("/settings/providers/<slug>/connect")
@web.within(Right.MANAGE_KEYS)
def connect(scope: Scope, slug: str) -> ResponseReturnValue:
    """Test the key with no transaction open, then keep it in one."""
    provider = named(slug)
    try:
        typed, answered = tested(scope, provider)
    except NotKept as refused:
        return _card_or_page(scope, rejected(_resting(scope, provider), refused), status=422)
    with web.database().begin() as db:
        byok.connect(scope, db, web.parts().keyring, provider.slug, typed.secret, typed.label, typed.base_url)
    web.notice(f"{provider.name} is connected. {answered}")
    if request.form.get("then") == "chat":
        return redirect(url_for("chat.index"), 303)
    return _changed(scope, provider)


@bp.post("/settings/providers/<slug>/disconnect")
@web.within(Right.MANAGE_KEYS)
def disconnect(scope: Scope, slug: str) -> ResponseReturnValue:
    provider = named(slug)
    with web.database().begin() as db:
        gone = byok.disconnect(scope, db, provider.slug)
    if gone:
        still = f" The key stays valid at {provider.name} until you revoke it there." if provider.keys_url else ""
        web.notice(f"{provider.name} is disconnected.{still}")
    return _changed(scope, provider)


# --- a key is tried ---------------------------------------------------------------------------------------------


def tested(scope: Scope, provider: Provider) -> tuple[Typed, str]:
    """What the form holds, after a real call on its key; and a sentence about that call. Raises NotKept."""
    key = pasted(request.form.get("key", "")) or (made_up_key() if provider.demo else "")
    label = web.typed("label") or (provider.name if provider.demo else "")
    typed = Typed(Secret(key), label[: byok.LABEL_LENGTH])
    try:
        typed = replace(typed, base_url=_typed_base_url(provider))
    except AddressRefused as refused:
        raise NotKept(typed, Trouble("This address is not taken", str(refused))) from None
    if trouble := paste_trouble(provider, key) or _secret_trouble(typed) or _mistaken(provider, key):
        raise NotKept(typed, trouble)
    _count_test(scope)
    try:
        probe = web.parts().client.probe(at(provider, typed.base_url), typed.secret)
    except ProviderError as refused:
        odd = not key.startswith(provider.key_prefix)
        told = _told(provider, refused.fault, looks_odd=odd, with_key=bool(key))
        raise NotKept(typed, told) from None
    return typed, f"{probe.model} answered in {probe.seconds:.1f} s."


def made_up_key() -> str:
    """A key for the demo model, which takes any that begins like this: nobody has to have one to look around."""
    return f"sk-ant-demo-{secrets.token_urlsafe(24)}"


def rejected(card: Card, refused: NotKept) -> Card:
    """The form with what was typed in it, but for keys."""
    typed = refused.typed
    label, base_url = (scrub(text, typed.secret) for text in (typed.label, web.typed("base_url")[:LONGEST_SHOWN]))
    return replace(card, state="rejected", label=label, base_url=base_url, trouble=refused.trouble)


# --- the key as it was pasted -----------------------------------------------------------------------------------


def pasted(text: str) -> str:
    """The key in a paste: without line breaks, invisible characters, outer quotes and space, and a leading "Bearer"."""
    text = INVISIBLE.sub("", LINE_BREAKS.sub("", text)).strip().strip(QUOTES).strip()
    return BEARER.sub("", text).strip().strip(QUOTES)


def paste_trouble(provider: Provider, key: str) -> Trouble | None:
    """What is wrong with the key before anybody is asked: not a key at all, or a known wrong kind of one."""
    if provider.self_hosted:
        fits = not key or own_server.KEY.fullmatch(key)
        return None if fits else Trouble("This is not an API key", own_server.NOT_A_KEY)
    create = Link(f"Create a key at {provider.name}", provider.keys_url) if provider.keys_url else None
    if not key:
        return Trouble("Paste a key first", f"It looks like {provider.key_hint}", link=create)
    for wrong in provider.wrong_keys:
        if key.startswith(wrong.prefix):
            return Trouble("This is the wrong kind of key", wrong.says, link=create)
    if not KEY.fullmatch(key):
        return Trouble(
            "This is not an API key",
            f"A key is 16 to 512 letters, digits and signs without spaces. It looks like {provider.key_hint}",
            link=create,
        )
    return None


def _mistaken(provider: Provider, key: str) -> Trouble | None:
    """Another provider's key, as far as its beginning tells; None once a person has said to test it anyway."""
    other = whose(key, web.parts().providers.values())
    if other is None or other == provider or provider.self_hosted or "anyway" in request.form:
        return None
    hint = f"It was not sent to {provider.name}. If it belongs there after all, paste it again and test it anyway."
    title = f"This looks like {'an' if other.name[0] in 'AEIOUx' else 'a'} {other.name} key"
    return Trouble(title, hint, link=Link(f"Connect {other.name}", _place(other)), doubt=True)


def whose(key: str, providers: Iterable[Provider]) -> Provider | None:
    """The provider whose keys begin like this one; None if it is nobody's beginning, or that of several ("sk-")."""
    begins = [(b, p) for p in providers for b in (p.key_prefix, *BEGINNING.findall(p.key_hint)) if b]
    longest = max((len(b) for b, _ in begins if key.startswith(b)), default=0)
    found = {p.slug: p for b, p in begins if len(b) == longest and key.startswith(b)}
    return next(iter(found.values())) if len(found) == 1 else None


def _typed_base_url(provider: Provider) -> str:
    """Raises AddressRefused."""
    if not provider.self_hosted:
        return ""
    return own_server.base_url(web.typed("base_url"), web.parts().settings.self_hosted_hosts)


def _secret_trouble(typed: Typed) -> Trouble | None:
    for name, value in (("label", typed.label), ("address", typed.base_url)):
        if scrub(value, typed.secret) != value:
            shown = "It is shown to everyone here. Paste the key into its own field."
            return Trouble(f"The {name} holds a key", shown)
    return None


def _told(provider: Provider, fault: Fault, *, looks_odd: bool = False, with_key: bool = True) -> Trouble:
    """The fault in our words, the provider's beside them. Of a key that looks odd, a refusal says so."""
    own = own_server.explain_own(fault, with_key=with_key) if provider.self_hosted else None
    words = own or explain(fault, provider.name)
    hint = words.hint
    if fault.kind is Kind.INVALID_KEY and not own:  # elsewhere these words send people here
        odd = f" A key of {provider.name} usually starts with {provider.key_prefix}" if looks_odd else ""
        hint = f"It may have been revoked, deleted or mistyped. Copy it again, or create a new one.{odd}"
    return Trouble(words.title, hint, fault.message, fault.status, _remedy(provider, fault))


def _remedy(provider: Provider, fault: Fault) -> Link | None:
    match fault.kind:
        case Kind.INVALID_KEY | Kind.KEY_FORBIDDEN if provider.keys_url:
            return Link(f"Keys at {provider.name}", provider.keys_url)
        case Kind.NO_CREDIT if provider.billing_url:
            return Link(f"Billing at {provider.name}", provider.billing_url)
    return None


def _count_test(scope: Scope) -> None:
    """Our address must not become a way to try out keys. Raises a 429 UserError."""
    with web.database().begin() as db:
        throttle(db, f"key-test:{scope.workspace_id}", TESTS, PER)


# --- cards ------------------------------------------------------------------------------------------------------


def named(slug: str) -> Provider:
    """Raises the not-found UserError for a provider that there is not."""
    found = web.parts().providers.get(slug)
    if found is None:
        raise not_found()
    return found


def _place(provider: Provider) -> str:
    return url_for("providers.index", _anchor=f"provider-{provider.slug}")


def at_rest(provider: Provider, key: CardRow | None, *, may_change: bool) -> Card:
    if key is None:
        return Card(provider, "idle", may_change)
    trouble = _told(provider, key.fault, with_key=bool(key.prefix)) if key.fault else None
    return Card(provider, key.status, may_change, key, key.label, key.base_url, trouble)


@dataclass(frozen=True)
class Keys:
    """What the page is made of: the team's keys and the reader's own, by provider, and other members' own for who may
    disconnect them. `may_own`: whether the reader may connect an own key."""

    team: dict[str, CardRow]
    own: dict[str, CardRow]
    members: list[CardRow]
    allowed: bool
    may_own: bool

    @staticmethod
    def of(scope: Scope) -> Keys:
        with web.database().look() as db:
            team = {row.provider: row for row in byok.cards(scope, db)}
            own = {row.provider: row for row in byok.own_cards(scope, db)}
            mine = {row.id for row in own.values()}
            others = [row for row in byok.members_cards(scope, db) if row.id not in mine]
            allowed = byok.own_keys_allowed(scope, db)
        return Keys(team, own, others, allowed, allowed and scope.may(Right.CHAT))

    def team_card(self, scope: Scope, provider: Provider) -> Card:
        card = at_rest(provider, self.team.get(provider.slug), may_change=scope.may(Right.MANAGE_KEYS))
        may_have_own = self.may_own and not provider.demo and provider.slug not in self.own
        return replace(card, may_have_own=may_have_own)

    def own_card(self, provider: Provider) -> Card:
        key = self.own.get(provider.slug)
        card = at_rest(provider, key, may_change=self.may_own or key is not None)
        return replace(card, own=True, unused=not self.allowed)


def _resting(scope: Scope, provider: Provider) -> Card:
    return Keys.of(scope).team_card(scope, provider)


def _card_or_page(scope: Scope, card: Card, *, status: int = 200) -> ResponseReturnValue:
    if web.is_htmx():
        return render_template("providers/_changed.html", card=card), status
    return page(scope, card), status


def _changed(scope: Scope, provider: Provider) -> ResponseReturnValue:
    """The card as it is now; for htmx with the notice and the banner beside it."""
    if web.is_htmx():
        return render_template("providers/_changed.html", card=_resting(scope, provider), focus=True)
    return redirect(_place(provider), 303)


def page(scope: Scope, instead: Card | None = None) -> str:
    """All cards, connected ones first, one of them as given; an own key's card stands there once it is connected, or
    being connected."""
    keys, catalogue = Keys.of(scope), web.parts().providers
    cards = [keys.team_card(scope, provider) for provider in catalogue.values()]
    cards.sort(key=lambda card: card.key is None)
    own = [keys.own_card(catalogue[slug]) for slug in keys.own if slug in catalogue]
    if instead is not None and instead.own:
        own = [instead, *(card for card in own if card.provider != instead.provider)]
    elif instead is not None:
        cards = [instead if card.provider == instead.provider else card for card in cards]
    return render_template(
        "providers/index.html",
        cards=cards,
        own=own,
        may_own=keys.may_own,
        members_keys=[(row, catalogue.get(row.provider)) for row in keys.members],
        keepers=_keepers(scope),
    )


def _keepers(scope: Scope) -> list[str]:
    """The names of who may change keys, for those who may not."""
    if scope.may(Right.MANAGE_KEYS):
        return []
    with web.database().begin() as db:
        return [member.name for member in members.listed(scope, db) if Right.MANAGE_KEYS in RIGHTS[member.role]]


# --- the banner on every page -----------------------------------------------------------------------------------


@bp.app_context_processor
def banner() -> dict[str, Any]:
    """`attention` for every template: the refused keys of the workspace, read when looked at."""
    return {"attention": LocalProxy(_attention)}


def _attention() -> list[dict[str, str]]:
    scope = web.scope_shown()
    if scope is None:
        return []
    with web.database().begin() as db:
        rows = byok.attention(scope, db)
    return [_banner_line(row) for row in rows if row.fault]


def _banner_line(row: CardRow) -> dict[str, str]:
    provider = web.parts().providers.get(row.provider)
    name = provider.name if provider else row.provider
    return {"provider": name, "fault": explain(row.fault, name).hint if row.fault else ""}
