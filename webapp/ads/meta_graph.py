"""Calls to Meta's Graph API with one token: paging, repeating, and a pace that Meta bears.

The token goes in the Authorization header. `paging.next` holds it in its URL, so it is never followed: the cursor is
put into a request of our own. Meta says in each answer how much of its limits is used: from 75 % on we wait between
calls, at 95 % only what a person waits for is still asked (reading one campaign, validating, writing).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import date

from webapp.ads import meta_faults
from webapp.ads.answer import Answer
from webapp.ads.meta_faults import Usage
from webapp.ads.meta_wire import Row
from webapp.ads.platform import PlatformError, Trouble
from webapp.ads.wire import Form, Wire, answered, patiently, unsure, without
from webapp.secret import Secret, scrub

GRAPH = "https://graph.facebook.com"
VERSION = "v26.0"
# Meta has not said yet when v26.0 ends (out 29 July 2026). The versions before it lived for eleven months at least:
# developers.facebook.com/documentation/ads-commerce/marketing-api/marketing-api-changelog/versions
VERSION_ENDS = date(2027, 6, 29)
OLD_VERSION = "X-Ad-Api-Version-Warning"

LIMITS = (500, 250, 100, 50)  # rows a page; a smaller one where Meta says that it is too much data
MOST_PAGES = 1000
SLOW_FROM, STOP_FROM = 75.0, 95.0  # percent of a limit
LONGEST_PAUSE = 5.0  # seconds between two calls

log = logging.getLogger(__name__)


class Graph:
    """Calls with one token, at a pace that Meta bears. What it raises is a PlatformError without the token."""

    def __init__(
        self,
        token: Secret,
        base_url: str,
        version: str,
        app_secret: Secret | None,
        proxy: str,
        pause: Callable[[float], None],
    ) -> None:
        self._root = f"{(base_url or GRAPH).rstrip('/')}/{version or VERSION}/"
        self._token = token
        self._app_secret = app_secret
        self._secrets = [token, *([app_secret] if app_secret else [])]
        self._wire = Wire("Meta", proxy)
        self._pause = pause
        self._pace = _Pace(pause)
        self.warnings: list[str] = []

    def get(self, path: str, query: Mapping[str, str], *, urgent: bool = False) -> Row:
        return patiently(lambda: self._json("GET", path, query=query, urgent=urgent), self._pause)

    def rows(self, path: str, query: Mapping[str, str], *, urgent: bool = False) -> Iterator[Row]:
        """All pages of an edge, in smaller ones where Meta asks for it."""
        limits, cursor = list(LIMITS), ""
        for _ in range(MOST_PAGES):
            asked = {**query, "limit": str(limits[0])} | ({"after": cursor} if cursor else {})
            try:
                page = self.get(path, asked, urgent=urgent)
            except PlatformError as error:
                if error.trouble is not Trouble.TOO_MUCH or len(limits) == 1:
                    raise
                limits.pop(0)
                continue
            yield from page.get("data", ())
            before, cursor = cursor, _after(page)
            if cursor in ("", before):
                return
        raise PlatformError(Trouble.TOO_MUCH, "Meta's list does not end.")

    def look(self) -> Row:
        """debug_token. A POST that says it is a GET, as Meta's own SDKs send it, keeps the token out of the URL."""
        form: Form = {"method": "get", "input_token": self._token}
        return patiently(lambda: self._json("POST", "debug_token", form=form, urgent=True), self._pause)

    def check(self, path: str, form: Form) -> None:
        """A POST that changes nothing."""
        patiently(lambda: self._json("POST", path, form=form, urgent=True), self._pause)

    def write(self, path: str, form: Form) -> str:
        """A POST, sent once; its trace id. Anything but a clear answer is UNKNOWN_OUTCOME."""
        answer = self._ask("POST", path, form=form, urgent=True, write=True)
        error = meta_faults.failure(answer)
        if error:
            raise without(unsure(error), self._secrets)
        if answer.json().get("success") is False:
            raise PlatformError(Trouble.REFUSED, "Meta did not take the change, and gave no reason.")
        return meta_faults.trace(answer.headers)

    def _json(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, form: Form | None = None, urgent: bool
    ) -> Row:
        answer = self._ask(method, path, query=query, form=form, urgent=urgent, write=False)
        error = meta_faults.failure(answer)
        if error:
            raise without(error, self._secrets)
        found: Row = answer.json()
        return found

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        form: Form | None = None,
        urgent: bool,
        write: bool,
    ) -> Answer:
        self._pace.wait(urgent=urgent)
        proof = self._proof()
        query = {**query, **proof} if query is not None else None
        form = {**form, **proof} if form is not None else None
        answer = answered(
            lambda: self._wire.ask(method, self._root + path, bearer=self._token, query=query, form=form), write=write
        )
        self._pace.note(meta_faults.usage(answer.headers))
        self._hear(answer)
        return answer

    def _proof(self) -> dict[str, str]:
        """That whoever uses the token knows the app it belongs to (…/docs/graph-api/guides/secure-requests)."""
        if not self._app_secret:
            return {}
        secret, token = self._app_secret.expose().encode(), self._token.expose().encode()
        return {"appsecret_proof": hmac.new(secret, token, hashlib.sha256).hexdigest()}

    def _hear(self, answer: Answer) -> None:
        warning = scrub(answer.headers.get(OLD_VERSION, ""), self._token)
        if warning and warning not in self.warnings:
            self.warnings.append(warning)
            log.warning("Meta about the API version: %s", warning)


class _Pace:
    """How fast to go on, from what the last answer said."""

    def __init__(self, pause: Callable[[float], None]) -> None:
        self._pause = pause
        self._usage = Usage()
        self._until = 0.0

    def note(self, usage: Usage) -> None:
        self._usage = usage
        self._until = time.monotonic() + (usage.wait or meta_faults.SHORTEST_WAIT)

    def wait(self, *, urgent: bool) -> None:
        """Pause, or raise THROTTLED with the seconds until Meta bears more. What is urgent goes at once."""
        left = self._until - time.monotonic()
        if urgent or left <= 0 or self._usage.percent < SLOW_FROM:
            return
        if self._usage.percent >= STOP_FROM:
            minutes = max(1, round(left / 60))
            said = f"Meta's limit is nearly used up. It bears more in about {minutes} min."
            raise PlatformError(Trouble.THROTTLED, said, retry_after=left)
        self._pause(LONGEST_PAUSE * (self._usage.percent - SLOW_FROM) / (STOP_FROM - SLOW_FROM))


def _after(page: Row) -> str:
    """The cursor of the next page. The last page has a cursor too, but no `next`."""
    paging = page.get("paging") or {}
    return str((paging.get("cursors") or {}).get("after", "")) if "next" in paging else ""
