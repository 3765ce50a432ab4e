"""Settings › Ad accounts › Import a file: choose a file, see how it is read, correct that, save.

The three steps are three URLs: the form, the file while it is looked at, the same URL once it is saved. What is shown
before saving is what is saved: a save with other choices than those that were looked at leads back to the look.
Formats and traps: ads/imports.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp.accounts import Right, Scope, throttle
from webapp.ads import accounts
from webapp.ads.imports import headers, keeping, orders, shop_orders, sniff, uploads
from webapp.ads.imports.ad_days import AdFile
from webapp.ads.imports.choices import Choices
from webapp.ads.imports.review import TIMEZONES, review
from webapp.ads.imports.shop_orders import OrderFile
from webapp.ads.imports.sniff import Sheet, Unreadable
from webapp.ads.imports.survey import Problem
from webapp.ads.imports.uploads import Kept
from webapp.analytics import shop
from webapp.errors import UserError
from webapp.pages import web
from webapp.pages.outlooks import Outlook, left_out, outlook_of, reviewed, today, totals

bp = Blueprint("imports", __name__)

HERE = "/settings/ad-accounts/import"
MOST_BYTES = 20 * 1024 * 1024
UPLOADS, PER = 30, 600  # of one workspace in ten minutes


@bp.url_value_preprocessor
def make_room(endpoint: str | None, _: dict[str, Any] | None) -> None:
    """Only the upload may be larger than what all other forms are held to, and only of somebody signed in. This runs
    before anything has looked into the request."""
    if endpoint == "imports.upload" and current_user.is_authenticated:
        request.max_content_length = MOST_BYTES + 64 * 1024  # the form around the file


@bp.errorhandler(413)
def too_large(_: Exception) -> ResponseReturnValue:
    hint = "A file may have 20 MB. Export a shorter period, or fewer columns; files may overlap."
    return web.show_error(UserError("The file is too large", hint, status=413))


# --- choosing a file --------------------------------------------------------------------------------------------


@bp.get(HERE)
@web.within(Right.MANAGE_ADS)
def index(scope: Scope) -> ResponseReturnValue:
    return render_template("imports/index.html", problem=None)


@bp.post(HERE)
@web.within(Right.MANAGE_ADS)
def upload(scope: Scope) -> ResponseReturnValue:
    """Read the file once, keep what may be kept of it, and lead to the look at it."""
    with web.database().begin() as db:
        throttle(db, f"import:{scope.workspace_id}", UPLOADS, PER)
    file = request.files.get("file")
    if file is None or not file.filename:
        return _refused(Unreadable("Choose a file", "It is the CSV that the ad platform or the shop gave you."))
    key = web.parts().keyring.subkey(f"customers of {scope.workspace_id}")
    try:
        sheet = sniff.read(file.stream, lambda email: shop_orders.customer(key, email))  # type: ignore[arg-type]
    except Unreadable as unreadable:
        return _refused(unreadable)
    choices = _first_choices(scope, sheet)
    with web.database().begin() as db:
        upload_id = uploads.keep(scope, db, file.filename, sheet)
        uploads.choose(scope, db, upload_id, choices)
    return redirect(_place(upload_id), 303)


def _refused(unreadable: Unreadable) -> ResponseReturnValue:
    return render_template("imports/index.html", problem=unreadable), 422


def _first_choices(scope: Scope, sheet: Sheet) -> Choices:
    """What the names of the columns say; the account that knows these campaigns; the time zone already in use."""
    choices = replace(Choices.of(sheet, {}), timezone=_zone_in_use(scope))
    if sheet.kind == "shopify":
        return choices
    looked = review(sheet, replace(choices, timezone=choices.timezone or "UTC"), today=today(choices))
    with web.database().begin() as db:
        found = keeping.targets(scope, db, sheet.kind)
        if isinstance(looked.found, AdFile) and looked.found.days:
            best = keeping.best_target(scope, db, found, looked.found, looked.currency.value)
            if best:
                return replace(choices, account=str(best.id), timezone=best.timezone)
    return replace(choices, name=looked.account_name)


def _zone_in_use(scope: Scope) -> str:
    """The shop's, else that of the first ad account; empty if there is neither."""
    with web.database().begin() as db:
        there = shop.find(scope, db)
        rows = accounts.listed(scope, db)
    return there.timezone if there else rows[0].timezone if rows else ""


# --- looking ----------------------------------------------------------------------------------------------------


@bp.get(f"{HERE}/<uuid:upload_id>")
@web.within(Right.MANAGE_ADS)
def show(scope: Scope, upload_id: uuid.UUID) -> ResponseReturnValue:
    """The file and how it would be saved; once it was saved, what was."""
    with web.database().begin() as db:
        kept = uploads.find(scope, db, upload_id)
    if kept.report is not None:
        return render_template("imports/saved.html", kept=kept, report=kept.report)
    return _page(outlook_of(scope, kept))


@bp.post(f"{HERE}/<uuid:upload_id>")
@web.within(Right.MANAGE_ADS)
def check(scope: Scope, upload_id: uuid.UUID) -> ResponseReturnValue:
    """Take what was corrected, and look again."""
    return _look_again(scope, upload_id)


@bp.post(f"{HERE}/<uuid:upload_id>/save")
@web.within(Right.MANAGE_ADS)
def save(scope: Scope, upload_id: uuid.UUID) -> ResponseReturnValue:
    """Write it. A second click finds it saved."""
    with web.database().begin() as db:
        kept = uploads.find(scope, db, upload_id)
    if kept.report is not None:
        return redirect(_place(upload_id), 303)
    choices, twice = _typed_choices(kept)
    if twice or choices != kept.choices:
        web.notice("You changed how the file is read. Look at it once more, then save.", category="warning")
        return _look_again(scope, upload_id)
    outlook = reviewed(scope, kept)
    if not outlook.ready:
        return _page(outlook), 422
    _write(scope, outlook)
    return redirect(_place(upload_id), 303)


@bp.post(f"{HERE}/<uuid:upload_id>/discard")
@web.within(Right.MANAGE_ADS)
def discard(scope: Scope, upload_id: uuid.UUID) -> ResponseReturnValue:
    with web.database().begin() as db:
        uploads.discard(scope, db, upload_id)
    web.notice("The file is thrown away. Nothing was saved.")
    return redirect(url_for("imports.index"), 303)


def _look_again(scope: Scope, upload_id: uuid.UUID) -> ResponseReturnValue:
    with web.database().begin() as db:
        kept = uploads.find(scope, db, upload_id, lock=True)
        choices, twice = _typed_choices(kept)
        if kept.report is None and not twice:
            uploads.choose(scope, db, upload_id, choices)
    if twice:
        return _page(outlook_of(scope, replace(kept, choices=choices)), twice), 422
    return redirect(_place(upload_id), 303)


def _write(scope: Scope, outlook: Outlook) -> None:
    kept, found, currency = outlook.kept, outlook.review.found, outlook.review.currency.value
    with web.database().begin() as db:
        if uploads.find(scope, db, kept.id, lock=True).report is not None:
            return
        report: dict[str, Any] = {"kind": kept.sheet.kind, "left_out": len(left_out(outlook.review))}
        match found:
            case AdFile():
                account_id, days = keeping.keep(scope, db, kept.sheet.kind, kept.choices, currency, found)
                report |= {**asdict(days), "account": str(account_id)}
            case OrderFile():
                report |= asdict(orders.keep(scope, db, found, currency, kept.choices.timezone))
        uploads.close(scope, db, kept.id, report)


# --- what is shown ----------------------------------------------------------------------------------------------


def _page(outlook: Outlook, twice: Sequence[Problem] = ()) -> str:
    looked = outlook.review
    return render_template(
        "imports/mapping.html",
        outlook=outlook,
        kept=outlook.kept,
        review=looked,
        problems=[*twice, *looked.problems],
        fields=[(name, headers.LABELS[name]) for name in headers.ALIASES[looked.sheet.kind]],
        kind_name=headers.KIND_NAMES[looked.sheet.kind],
        totals=totals(looked),
        left_out=left_out(looked),
        timezones=sorted(name for name in TIMEZONES if "/" in name and not name.startswith("Etc/")),
    )


# --- what is typed ----------------------------------------------------------------------------------------------


def _typed_choices(kept: Kept) -> tuple[Choices, list[Problem]]:
    """What stands in the form. A field that two columns are chosen for is a problem, and goes to the first."""
    columns: dict[str, int] = {}
    twice = []
    for at, name in enumerate(kept.sheet.header):
        field = request.form.get(f"column-{at}", "")
        if field not in headers.ALIASES[kept.sheet.kind]:
            continue
        if field in columns:
            both = f"{kept.sheet.header[columns[field]]} and {name}"
            twice.append(Problem(f"Two columns are chosen for {headers.LABELS[field]}: {both}."))
            continue
        columns[field] = at
    if not columns and "column-0" not in request.form:
        columns = dict(kept.choices.columns)
    return Choices(
        columns,
        dates=web.typed("dates")[:3] or kept.choices.dates,
        mark=web.typed("mark")[:1] or kept.choices.mark,
        currency=web.typed("currency")[:3].upper() or kept.choices.currency,
        timezone=web.typed("timezone")[:64] or kept.choices.timezone,
        account=_an_id(request.form.get("account", kept.choices.account)),
        name=web.typed("name")[:160] or kept.choices.name,
    ), twice


def _an_id(text: str) -> str:
    with suppress(ValueError):
        return str(uuid.UUID(text))
    return ""


def _place(upload_id: uuid.UUID) -> str:
    return url_for("imports.show", upload_id=upload_id)
