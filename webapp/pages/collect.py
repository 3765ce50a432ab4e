"""POST /collect and GET /collect.js: the two addresses that other sites may use. What they do: analytics/collector.py.

Each event is answered with 204 and nothing else, whatever is wrong with it: a shop's pages must not wait, and a
stranger must not learn which keys there are. No cookie is read or set. What is sent is text/plain, so a browser asks
no permission first (no preflight); the answer may be read only by a site that the shop listed.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from webapp.accounts.throttles import network
from webapp.analytics import collector
from webapp.analytics.pace import Pace
from webapp.pages import web

bp = Blueprint("collect", __name__)

LARGEST = 4096  # bytes of an event
KEPT = 3600  # seconds that a browser may keep the script
PACE = Pace()


@bp.url_value_preprocessor
def small(endpoint: str | None, _: dict[str, Any] | None) -> None:
    """Before anything has looked into the request."""
    if endpoint == "collect.receive":
        request.max_content_length = LARGEST


@bp.errorhandler(413)
def too_large(_: Exception) -> ResponseReturnValue:
    return _nothing()


@bp.post("/collect")
@web.public
def receive() -> ResponseReturnValue:
    headers = request.headers
    origin = headers.get("Origin", "").lower()
    event = collector.read(request.get_data())
    if event is None or not origin or headers.get("Sec-GPC") == "1" or headers.get("DNT") == "1":
        return _nothing()
    if not PACE.allows(network(request.remote_addr or ""), event.key):
        return _nothing()
    with web.database().begin() as db:
        listed = collector.receive(db, event, origin=origin, user_agent=headers.get("User-Agent", ""))
    return _nothing(origin if listed else "")


@bp.get("/collect.js")
@web.public
def script() -> ResponseReturnValue:
    answer = Response(_source(), mimetype="text/javascript")
    answer.headers["Cache-Control"] = f"public, max-age={KEPT}"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"  # it is there to be loaded by other sites
    return answer


def _nothing(reader: str = "") -> Response:
    answer = Response(status=204)
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    answer.vary.add("Origin")
    if reader:
        answer.headers["Access-Control-Allow-Origin"] = reader
    return answer


@cache
def _source() -> bytes:
    return (web.STATIC / "collect.js").read_bytes()
