"""Settings › Ad accounts: connect an account, choose among several, watch it being read, disconnect it.

A sign-in is read once, from the form that posts it, tested by real calls, and kept only if they succeed (sign_ins.py,
ads/accounts.py). Reading an account takes longer than a request: the row shows how far it is, and asks again by itself
only while there is something to wait for.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.accounts import RIGHTS, Right, Scope, members, throttle
from webapp.ads import accounts, guards, local, sync
from webapp.ads.demo import SHOP_TIMEZONE
from webapp.ads.faults import NAMES
from webapp.ads.opener import Seen
from webapp.ads.platform import AccountInfo
from webapp.ads.windows import today_in
from webapp.pages import ad_rows, sign_ins, web
from webapp.pages.ad_rows import Shown
from webapp.pages.amounts import micros_typed
from webapp.pages.sign_ins import Pasted, Trouble, Typed

bp = Blueprint("ad_accounts", __name__)
bp.app_context_processor(ad_rows.banner)

State = Literal["idle", "form", "rejected", "choosing"]
HERE = "/settings/ad-accounts"
PLATFORM = f"{HERE}/<any(meta, google):platform>"
TESTS, PER = 20, 600  # sign-ins tested for one workspace in ten minutes


@dataclass(frozen=True)
class Card:
    """A platform that can be connected. `choices` are the accounts that the sign-in in `sealed` sees."""

    platform: str
    state: State = "idle"
    typed: Typed = field(default_factory=Typed)
    trouble: Trouble | None = None
    choices: tuple[AccountInfo, ...] = ()
    ticked: frozenset[str] = frozenset()
    sealed: str = ""

    @property
    def name(self) -> str:
        return NAMES[self.platform]


# --- looking ----------------------------------------------------------------------------------------------------


@bp.get(HERE)
@web.within(Right.READ)
def index(scope: Scope) -> ResponseReturnValue:
    return _page(scope)


@bp.get(f"{HERE}/<uuid:account_id>")
@web.within(Right.READ)
def show(scope: Scope, account_id: uuid.UUID) -> ResponseReturnValue:
    """How far the sync is; once nothing is to be waited for, the whole row."""
    shown = _shown(scope, account_id)
    if not web.is_htmx():
        return redirect(_place(account_id))
    if shown.account.sync.running:
        return render_template("ad_accounts/_sync.html", account=shown.account)
    html = render_template("ad_accounts/_changed.html", shown=shown)
    return Response(html, headers={"HX-Retarget": f"#account-{account_id}", "HX-Reswap": "outerHTML"})


@bp.get(PLATFORM)
@web.within(Right.READ)
def card(scope: Scope, platform: str) -> ResponseReturnValue:
    """The card as it rests: what Cancel asks for."""
    return _card_or_page(scope, Card(platform))


@bp.get(f"{PLATFORM}/connect")
@web.within(Right.MANAGE_ADS)
def form(scope: Scope, platform: str) -> ResponseReturnValue:
    return _card_or_page(scope, Card(platform, "form"))


# --- connecting -------------------------------------------------------------------------------------------------


@bp.post(f"{PLATFORM}/connect")
@web.within(Right.MANAGE_ADS)
def connect(scope: Scope, platform: str) -> ResponseReturnValue:
    """Test the sign-in; connect the account that it sees, or ask which of several."""
    sign_in = sign_ins.read(platform)
    if isinstance(sign_in, Trouble):
        return _rejected(scope, platform, sign_in)
    seen = _tested(scope, sign_in)
    if isinstance(seen, Trouble):
        return _rejected(scope, platform, seen)
    wanted = sign_ins.named(seen, sign_ins.digits(sign_in.typed.customer_id)) or seen.usable
    if len(wanted) > 1:
        return _ask_which(scope, sign_in, seen)
    return _keep(scope, seen, wanted)


@bp.post(f"{PLATFORM}/choose")
@web.within(Right.MANAGE_ADS)
def choose(scope: Scope, platform: str) -> ResponseReturnValue:
    """Connect the ticked accounts. The sign-in is tested again: what it sees now is what counts."""
    sign_in = sign_ins.chosen(scope, platform)
    if isinstance(sign_in, Trouble):
        return _rejected(scope, platform, sign_in)
    seen = _tested(scope, sign_in)
    if isinstance(seen, Trouble):
        return _rejected(scope, platform, seen)
    ticked = set(request.form.getlist("account"))
    wanted = [info for info in seen.usable if info.external_id in ticked]
    if not wanted:
        return _ask_which(scope, sign_in, seen, Trouble("Tick an account", "Nothing was connected yet."))
    return _keep(scope, seen, wanted)


@bp.post(f"{HERE}/demo")
@web.within(Right.MANAGE_ADS)
def add_demo(scope: Scope) -> ResponseReturnValue:
    with web.database().begin() as db:
        local.seed_demo(scope, db, today_in(SHOP_TIMEZONE, datetime.now(UTC)))
    web.notice("The demo account is there: made-up campaigns, with changes that stay in this workspace.")
    return _changed(scope)


def _tested(scope: Scope, sign_in: Pasted) -> Seen | Trouble:
    with web.database().begin() as db:  # our address must not become a way to try out tokens
        throttle(db, f"ads-test:{scope.workspace_id}", TESTS, PER)
    seen = sign_ins.test(sign_in)
    if isinstance(seen, Trouble):
        return seen
    return sign_ins.without_accounts(sign_in, seen) or seen


def _ask_which(scope: Scope, sign_in: Pasted, seen: Seen, trouble: Trouble | None = None) -> ResponseReturnValue:
    with web.database().begin() as db:
        connected = {row.external_id for row in accounts.listed(scope, db) if row.platform == sign_in.platform}
    asked = Card(
        sign_in.platform,
        "choosing",
        typed=sign_in.typed,
        trouble=trouble,
        choices=seen.accounts,
        ticked=frozenset(connected),
        sealed=sign_ins.sealed(scope, sign_in),
    )
    return _card_or_page(scope, asked, status=422 if trouble else 200)


def _keep(scope: Scope, seen: Seen, wanted: Sequence[AccountInfo]) -> ResponseReturnValue:
    with web.database().begin() as db:
        kept = accounts.keep(scope, db, web.parts().keyring, seen.grant, wanted)
    for account_id in kept:
        _read(scope, account_id)
    what = wanted[0].name if len(wanted) == 1 else f"{len(wanted)} ad accounts"
    read_only = "" if seen.grant.writable else " Read-only: Maxxer can look, not change."
    web.notice(f"{what} connected. The figures are being read.{read_only}")
    return _changed(scope)


def _rejected(scope: Scope, platform: str, trouble: Trouble) -> ResponseReturnValue:
    """The form with what was typed in it, but for secrets."""
    return _card_or_page(scope, Card(platform, "rejected", sign_ins.typed(), trouble), status=422)


# --- an account -------------------------------------------------------------------------------------------------


@bp.post(f"{HERE}/<uuid:account_id>/sync")
@web.within(Right.MANAGE_ADS)
def sync_now(scope: Scope, account_id: uuid.UUID) -> ResponseReturnValue:
    _shown(scope, account_id)
    _read(scope, account_id)
    return _row_or_page(scope, account_id)


@bp.post(f"{HERE}/<uuid:account_id>/target")
@web.within(Right.MANAGE_ADS)
def set_target(scope: Scope, account_id: uuid.UUID) -> ResponseReturnValue:
    text = web.typed("target")
    try:
        micros = micros_typed(text)
    except ValueError as wrong:
        shown = replace(_shown(scope, account_id), target=text[:40], target_error=str(wrong))
        return _row_or_page(scope, account_id, shown)
    with web.database().begin() as db:
        accounts.set_target_cpa(scope, db, account_id, micros)
    web.notice("The target CPA is saved." if micros else "The target CPA is removed.")
    return _row_or_page(scope, account_id)


@bp.post(f"{HERE}/<uuid:account_id>/disconnect")
@web.within(Right.MANAGE_ADS)
def disconnect(scope: Scope, account_id: uuid.UUID) -> ResponseReturnValue:
    with web.database().begin() as db:
        gone = accounts.disconnect(scope, db, account_id)
    if gone:
        web.notice(f"{gone.name} is disconnected. {ad_rows.left_to_do(gone)}")
    return _changed(scope)


def _read(scope: Scope, account_id: uuid.UUID) -> None:
    """In the background, unless it is being read already. The row says so from now on."""
    parts = web.parts()
    claimed = sync.claim(parts.database, scope, account_id)
    if claimed:
        parts.runner.in_background(claimed.run, parts.platforms)


def read_stale(scope: Scope) -> None:
    """For a page that shows figures: have the accounts read that were not for an hour."""
    with web.database().look() as db:
        waiting = sync.stale(scope, db)
    for account_id in waiting:
        _read(scope, account_id)


# --- fragments and pages ----------------------------------------------------------------------------------------


def _listed(scope: Scope) -> list[Shown]:
    with web.database().begin() as db:
        return [Shown.of(account) for account in accounts.listed(scope, db)]


def _shown(scope: Scope, account_id: uuid.UUID) -> Shown:
    """Raises the not-found UserError."""
    with web.database().begin() as db:
        return Shown.of(accounts.find(scope, db, account_id))


def _place(account_id: uuid.UUID) -> str:
    return url_for("ad_accounts.index", _anchor=f"account-{account_id}")


def _row_or_page(scope: Scope, account_id: uuid.UUID, instead: Shown | None = None) -> ResponseReturnValue:
    status = 422 if instead else 200
    if web.is_htmx():
        return render_template("ad_accounts/_changed.html", shown=instead or _shown(scope, account_id)), status
    return (_page(scope, instead=instead), status) if instead else redirect(_place(account_id), 303)


def _card_or_page(scope: Scope, shown: Card, *, status: int = 200) -> ResponseReturnValue:
    if web.is_htmx():
        return render_template("ad_accounts/_card.html", card=shown), status
    return _page(scope, shown), status


def _changed(scope: Scope) -> ResponseReturnValue:
    """Accounts came or went: for htmx the whole list with its cards, else the page."""
    if not web.is_htmx():
        return redirect(url_for("ad_accounts.index"), 303)
    html = render_template("ad_accounts/_relisted.html", **_context(scope))
    return Response(html, headers={"HX-Retarget": "#ad-accounts", "HX-Reswap": "outerHTML"})


def _page(scope: Scope, card: Card | None = None, instead: Shown | None = None) -> str:
    return render_template("ad_accounts/index.html", **_context(scope, card, instead))


def _context(scope: Scope, card: Card | None = None, instead: Shown | None = None) -> dict[str, Any]:
    shown = [instead if instead and it.account.id == instead.account.id else it for it in _listed(scope)]
    cards = [card if card and card.platform == platform else Card(platform) for platform in ("meta", "google")]
    with web.database().begin() as db:
        rails = guards.rails(scope, db)
    return {
        "rows": shown,
        "cards": cards,
        "with_demo": any(it.account.platform == "demo" for it in shown),
        "keepers": _keepers(scope),
        "rails": rails,
        "writes": web.parts().platforms.writes,
        "imports_url": url_for("imports.index"),
    }


def _keepers(scope: Scope) -> list[str]:
    """The names of who may change this, for those who may not."""
    if scope.may(Right.MANAGE_ADS):
        return []
    with web.database().begin() as db:
        return [member.name for member in members.listed(scope, db) if Right.MANAGE_ADS in RIGHTS[member.role]]
