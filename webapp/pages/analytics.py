"""/dashboard/analytics: the page, its board for another period, and each of its panels alone.

The page itself asks no pipe: it is there at once, and each panel is fetched by itself. A browser without script is sent
on to the page with every panel in it (?whole=1), within a time that is kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from flask import Blueprint, abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.accounts import Right, Scope
from webapp.ads import accounts
from webapp.analytics import source, standing
from webapp.analytics.answers import PipeResult
from webapp.analytics.columns import Source
from webapp.errors import Link
from webapp.pages import figures, freshness, web
from webapp.pages.board import asked as urls
from webapp.pages.board import course, panels
from webapp.pages.board.asked import Asked
from webapp.pages.board.panels import PANELS, Shown
from webapp.pages.board.sight import Sight

bp = Blueprint("analytics", __name__)

WHOLE_WITHIN = 12.0  # seconds, after which the rest of a whole page is left to a second try
COMPARE = (("prev", "Previous period"), ("year", "Year before"), ("none", "Compare with nothing"))
PLATFORMS = (("", "All channels"), ("meta", "Meta"), ("google", "Google"))


@bp.get("/dashboard/analytics")
@web.within(Right.READ)
def index(scope: Scope) -> ResponseReturnValue:
    """The page. For htmx what was chosen: the board, or with `panel` that one, and the URL that shows the same."""
    of = _sight(scope)
    status = 422 if of.asked.problem(of.standing.today) else 200
    if not web.is_htmx() or "HX-History-Restore-Request" in request.headers:
        return render_template("analytics/index.html", **_board(scope, of)), status
    pipe = request.args.get("panel", "")
    if pipe in PANELS:
        answer = make_response(_panel(of, pipe))
    else:
        answer = make_response(render_template("analytics/_board.html", **_board(scope, of)), status)
    answer.headers["HX-Push-Url"] = of.asked.url()
    return answer


@bp.get("/dashboard/analytics/<pipe>")
@web.within(Right.READ)
def panel(scope: Scope, pipe: str) -> ResponseReturnValue:
    """One panel as it is when its pipe has answered; the page at that panel for who comes here without htmx."""
    if pipe not in PANELS:
        abort(404)
    of = _sight(scope)
    return _panel(of, pipe) if web.is_htmx() else redirect(of.asked.url(pipe))


def _panel(of: Sight, pipe: str) -> ResponseReturnValue:
    found = panels.shown(PANELS[pipe], of)
    return render_template("analytics/_panel.html", shown=found, **_words(of)), found.status


def _sight(scope: Scope) -> Sight:
    """What this request asks for, as of today where the shop is."""
    with web.database().look() as db:
        stands = standing.read(scope, db)
    asked = Asked.of(request.args)
    anew = request.args.get("anew") == "1"

    def asking(pipe: str, params: Mapping[str, Any]) -> PipeResult:
        return source.run(scope, web.database(), pipe, params, engine=web.parts().engine, anew=anew)

    return Sight(asked, stands, asked.days(stands.today), asking)


# --- what the templates are given -------------------------------------------------------------------------------


def _board(scope: Scope, of: Sight) -> dict[str, Any]:
    with web.database().look() as db:
        connected = accounts.listed(scope, db)
    every = _whole(of) if of.asked.whole else (panels.waiting(each, of) for each in PANELS.values())
    return {
        "panels": list(every) if of.standing.sources else [],
        "problem": of.asked.problem(of.standing.today),
        "outlook": freshness.outlook(connected),
        "late": panels.behind(of),
        "gaps": [(gap, _way_to(gap.source)) for gap in panels.gaps(of)],
        **_words(of),
    }


def _whole(of: Sight) -> Iterator[Shown]:
    """Every panel, one after the other; those that there is no time for say so."""
    began = time.monotonic()
    for each in PANELS.values():
        in_time = time.monotonic() - began < WHOLE_WITHIN
        yield panels.shown(each, of) if in_time else panels.late(each, of)


def _words(of: Sight) -> dict[str, Any]:
    return {
        "asked": of.asked,
        "of": of,
        "days": of.days,
        "figures": figures,
        "urls": urls,
        "compares": COMPARE,
        "platforms": PLATFORMS,
        "accounts_page": accounts.PAGE.url,
        "orders_page": _way_to("orders").url,
        "course_picks": course.picks,
        "in_words": _in_words,
        "ask_url": _ask_url,
    }


def _way_to(missing: Source) -> Link:
    """Where somebody gets what is missing."""
    match missing:
        case "ads":
            return Link("Connect an ad account", accounts.PAGE.url)
        case "orders":
            return Link("Import orders", url_for("imports.index"))
        case "visits":
            return Link("Set up the collector", url_for("store.index"))


def _in_words(name: str, without: str = "") -> list[tuple[str, str]]:
    """The choices of a field with what they are called; `without`: what it is called to choose none."""
    none = [("", without)] if without else []
    return [*none, *((value, panels.called(name, value)) for value in urls.CHOICES[name])]


def _ask_url(question: str, where: str = "chat.index") -> str:
    """Where the surface of this page is asked, with a question prepared."""
    return url_for(where, surface="analytics", draft=question)
