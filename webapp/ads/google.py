"""An ad account at Google Ads, over its REST API: what is asked of it. What is said: google_wire.py, google_faults.py.

developers.google.com/google-ads/api/rest/overview. A search answers in pages of 10,000 rows; a mutation with
`validateOnly` is checked by all of Google's rules and changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from webapp.ads import google_faults, google_wire
from webapp.ads.answer import Answer
from webapp.ads.google_signin import TOKEN_URL, AccessTokens, read_credentials
from webapp.ads.google_wire import Mutation, Row
from webapp.ads.platform import AccountInfo, CampaignState, Change, DailyInsight, PlatformError, Trouble
from webapp.ads.wire import Wire, answered, patiently, unsure, without
from webapp.secret import Secret

__all__ = ["GOOGLE_ADS", "TOKEN_URL", "VERSION", "VERSION_ENDS", "AccessTokens", "Google", "accounts"]

GOOGLE_ADS = "https://googleads.googleapis.com"
VERSION = "v26"
# October 2026 to November 2027, by developers.google.com/ads/blog/posts/2025/09/more-frequent-releases-coming-for
VERSION_ENDS = date(2027, 11, 1)
WINDOW = 30  # days asked for at once
MOST_PAGES = 1000


def accounts(
    credentials: Secret,
    *,
    login_customer_id: str = "",
    base_url: str = GOOGLE_ADS,
    token_url: str = TOKEN_URL,
    version: str = VERSION,
    proxy: str = "",
    tokens: AccessTokens | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> list[AccountInfo]:
    """Every ad account behind a sign-in, also those under its manager accounts; AccountInfo.through is then the
    login_customer_id to reach it with. `credentials` is a JSON {client_id, client_secret, refresh_token}; this is also
    the test call. Raises PlatformError: TOKEN if Google does not accept the sign-in, or it is no such JSON."""
    api = _Api(credentials, login_customer_id, base_url, token_url, version, proxy, tokens, pause)
    if login_customer_id:
        return _clients(api, google_wire.digits(login_customer_id))
    names = api.get("customers:listAccessibleCustomers").get("resourceNames", ())
    found: dict[str, AccountInfo] = {}
    for name in names:
        for info in _behind(api, google_wire.digits(str(name).removeprefix("customers/"))):
            if info.external_id not in found or not info.through:
                found[info.external_id] = info
    return list(found.values())


def _behind(api: _Api, customer: str) -> list[AccountInfo]:
    """The customer itself, or the accounts below it if it is a manager. One that cannot be asked says why."""
    try:
        row: Row = next(api.search(customer, google_wire.CUSTOMER), {"customer": {}})
        with google_wire.reading():
            manager = bool(row["customer"].get("manager"))
            return _clients(api, customer) if manager else [google_wire.read_account(row["customer"])]
    except PlatformError as error:
        if error.trouble not in (Trouble.PERMISSION, Trouble.NOT_FOUND, Trouble.REFUSED, Trouble.CHECKPOINT):
            raise
        return [AccountInfo(customer, customer, "", "", usable=False, why_not=error.message)]


def _clients(api: _Api, manager: str) -> list[AccountInfo]:
    rows = api.search(manager, google_wire.CLIENTS, login=manager)
    with google_wire.reading():
        return [google_wire.read_account(row["customerClient"], through=manager) for row in rows]


class Google:
    """One ad account, as AdPlatform (platform.py). An empty `base_url`, `version` or `token_url` is the default."""

    def __init__(
        self,
        credentials: Secret,
        external_id: str,
        currency: str,
        login_customer_id: str = "",
        *,
        writable: bool = False,
        base_url: str = GOOGLE_ADS,
        token_url: str = TOKEN_URL,
        version: str = VERSION,
        proxy: str = "",
        tokens: AccessTokens | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Ids with or without dashes. Not `writable`: validate and update raise PERMISSION, unasked. Raises
        PlatformError for credentials that are none."""
        self.writable = writable
        self.currency = currency  # of all its micros
        self._id = google_wire.digits(external_id)
        self._api = _Api(credentials, login_customer_id, base_url, token_url, version, proxy, tokens, pause)

    def campaigns(self) -> Sequence[CampaignState]:
        """All but removed ones."""
        rows = list(self._api.search(self._id, google_wire.LISTED))
        with google_wire.reading():
            return google_wire.read_campaigns(rows)

    def insights(self, since: date, until: date) -> Iterator[DailyInsight]:
        """Days of campaigns, removed ones too: `campaign_id` may be one that campaigns() does not list (read() tells
        of it). In windows of 30 days."""
        while since <= until:
            last = min(until, since + timedelta(days=WINDOW - 1))
            for row in self._api.search(self._id, google_wire.DAYS.format(since=since, until=last)):
                with google_wire.reading():
                    found = google_wire.read_insight(row)
                yield found
            since = last + timedelta(days=1)

    def read(self, external_id: str) -> CampaignState:
        asked = f"{google_wire.CAMPAIGNS} WHERE campaign.id = {google_wire.digits(external_id)}"
        row = next(self._api.search(self._id, asked), None)
        if row is None:
            raise PlatformError(Trouble.NOT_FOUND, "This ad account has no such campaign.")
        with google_wire.reading():
            return google_wire.read_campaign(row, self._on_budget_of(row))

    def validate(self, change: Change) -> None:
        self._api.check(self._id, self._mutation(change).validating())

    def update(self, change: Change) -> str:
        return self._api.mutate(self._id, self._mutation(change))

    def _on_budget_of(self, row: Row) -> list[Row]:
        budget = row.get("campaignBudget", {})
        if not budget.get("explicitlyShared"):
            return []
        asked = f"{google_wire.LISTED} AND campaign_budget.id = {google_wire.digits(str(budget['id']))}"
        return list(self._api.search(self._id, asked))

    def _mutation(self, change: Change) -> Mutation:
        if not self.writable:
            raise PlatformError(Trouble.PERMISSION, "This ad account is connected for reading only.")
        return google_wire.written(change, self._id)


class _Api:
    """Calls with one sign-in. What it raises is a PlatformError without secrets."""

    def __init__(
        self,
        credentials: Secret,
        login_customer_id: str,
        base_url: str,
        token_url: str,
        version: str,
        proxy: str,
        tokens: AccessTokens | None,
        pause: Callable[[float], None],
    ) -> None:
        self._sign_in = read_credentials(credentials)
        self._login = google_wire.digits(login_customer_id) if login_customer_id else ""
        self._root = f"{(base_url or GOOGLE_ADS).rstrip('/')}/{version or VERSION}/"
        self._token_url = token_url
        self._wire = Wire("Google", proxy)
        self._tokens = tokens or AccessTokens()
        self._pause = pause

    def get(self, path: str) -> Row:
        return patiently(lambda: self._json("GET", path), self._pause)

    def search(self, customer: str, query: str, *, login: str = "") -> Iterator[Row]:
        """The rows of a GAQL query, page by page."""
        token = ""
        for _ in range(MOST_PAGES):
            page = self._page(customer, {"query": query} | ({"pageToken": token} if token else {}), login)
            yield from page.get("results", ())
            token = str(page.get("nextPageToken", ""))
            if not token:
                return
        raise PlatformError(Trouble.TOO_MUCH, "Google's list does not end.")

    def check(self, customer: str, mutation: Mutation) -> None:
        """A mutation that changes nothing."""
        path = f"customers/{customer}/{mutation.path}"
        patiently(lambda: self._json("POST", path, mutation.body), self._pause)

    def mutate(self, customer: str, mutation: Mutation) -> str:
        """Sent once; Google's request id. Anything but a clear answer is UNKNOWN_OUTCOME."""
        answer = self._ask("POST", f"customers/{customer}/{mutation.path}", mutation.body, write=True)
        error = google_faults.failure(answer)
        if error:
            raise without(unsure(error), self._sign_in.secrets)
        return google_faults.request_id(answer)

    def _page(self, customer: str, body: dict[str, str], login: str) -> Row:
        path = f"customers/{customer}/googleAds:search"
        return patiently(lambda: self._json("POST", path, body, login=login), self._pause)

    def _json(self, method: str, path: str, body: Any = None, *, login: str = "") -> Row:
        answer = self._ask(method, path, body, write=False, login=login)
        error = google_faults.failure(answer)
        if error:
            raise without(error, self._sign_in.secrets)
        found: Row = answer.json()
        return found

    def _ask(self, method: str, path: str, body: Any, *, write: bool, login: str = "") -> Answer:
        """A token that ended before its time is refused before anything is done: then once more, with a new one."""
        answer = self._send(method, path, body, write, login)
        if answer.status != 401:
            return answer
        self._tokens.forget(self._sign_in)
        return self._send(method, path, body, write, login)

    def _send(self, method: str, path: str, body: Any, write: bool, login: str) -> Answer:
        bearer = self._tokens.get(self._sign_in, self._wire, self._token_url, self._pause)
        manager = login or self._login
        headers = {"login-customer-id": manager} if manager else {}
        return answered(
            lambda: self._wire.ask(method, self._root + path, bearer=bearer, body=body, headers=headers), write=write
        )
