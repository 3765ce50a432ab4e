"""What a person pastes to connect an ad platform: read from the form, checked before anybody is asked, then tested.

Meta wants one token. Google wants the three parts of an OAuth sign-in, which are kept as one JSON. Nothing secret is
ever shown again: a Typed holds what goes back into the form, a Pasted what was tested.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass

from flask import request

from webapp.accounts import Scope
from webapp.ads import envelope
from webapp.ads.faults import NAMES, explain
from webapp.ads.opener import Seen
from webapp.ads.platform import AccountInfo, PlatformError
from webapp.errors import Link
from webapp.pages import web
from webapp.pages.providers import pasted
from webapp.secret import Secret, scrub

TOKEN = re.compile(r"[\x21-\x7e]{16,2000}")
CLIENT_ID = re.compile(r"[\w.-]{8,200}\.apps\.googleusercontent\.com")
CUSTOMER_ID = re.compile(r"\d{3}-?\d{3}-?\d{4}")
SYSTEM_USERS = Link("System users at Meta", "https://business.facebook.com/settings/system-users")
CREDENTIALS = Link("Credentials at Google Cloud", "https://console.cloud.google.com/apis/credentials")


@dataclass(frozen=True)
class Typed:
    """What the form shows again. Ids of customers are digits with or without dashes, as typed."""

    client_id: str = ""
    customer_id: str = ""
    login_customer_id: str = ""
    read_only: bool = False


@dataclass(frozen=True)
class Trouble:
    """Why nothing was connected: our words, then the platform's own."""

    title: str
    hint: str
    said: str = ""
    code: str = ""
    link: Link | None = None


@dataclass(frozen=True)
class Pasted:
    """A sign-in to be tested: a token, or Google's JSON."""

    platform: str
    secret: Secret
    typed: Typed


def typed() -> Typed:
    return Typed(
        client_id=web.typed("client_id")[:200],
        customer_id=web.typed("customer_id")[:20],
        login_customer_id=web.typed("login_customer_id")[:20],
        read_only="read_only" in request.form,
    )


def read(platform: str) -> Pasted | Trouble:
    """The form as it was sent, or what is wrong with it."""
    shown = typed()
    if platform == "meta":
        token = pasted(request.form.get("token", ""))
        return _meta_trouble(token) or Pasted(platform, Secret(token), shown)
    secret, refresh = (pasted(request.form.get(name, "")) for name in ("client_secret", "refresh_token"))
    if trouble := _google_trouble(shown, secret, refresh):
        return trouble
    parts = {"client_id": shown.client_id, "client_secret": secret, "refresh_token": refresh}
    return Pasted(platform, Secret(json.dumps(parts)), shown)


def chosen(scope: Scope, platform: str) -> Pasted | Trouble:
    """The sign-in that came back with the choice of accounts."""
    keyring = web.parts().keyring
    secret = envelope.unseal(scope, keyring, platform, request.form.get("sealed", ""), time.time())
    if secret is None:
        return Trouble("The choice came too late", "For safety a pasted sign-in waits an hour only. Paste it again.")
    return Pasted(platform, secret, typed())


def sealed(scope: Scope, sign_in: Pasted) -> str:
    return envelope.seal(scope, web.parts().keyring, sign_in.platform, sign_in.secret, time.time())


def test(sign_in: Pasted) -> Seen | Trouble:
    """Ask the platform, with no transaction open."""
    opener, shown = web.parts().platforms, sign_in.typed
    try:
        if sign_in.platform == "meta":
            return opener.test_meta(sign_in.secret, read_only=shown.read_only)
        login = digits(shown.login_customer_id)
        return opener.test_google(sign_in.secret, login_customer_id=login, read_only=shown.read_only)
    except PlatformError as error:
        words = explain(error.trouble, sign_in.platform)
        link = SYSTEM_USERS if sign_in.platform == "meta" else CREDENTIALS
        return Trouble(words.title, words.hint, scrub(error.message, sign_in.secret), error.code, link)


def without_accounts(sign_in: Pasted, seen: Seen) -> Trouble | None:
    """What keeps a good sign-in from connecting anything."""
    wanted, name = digits(sign_in.typed.customer_id), NAMES[sign_in.platform]
    if wanted and not named(seen, wanted):
        hint = f"It sees {len(seen.accounts)} others. Check the id, or fill in the manager account that leads to it."
        return Trouble(f"This sign-in does not see {sign_in.typed.customer_id}", hint)
    candidates = named(seen, wanted) if wanted else seen.accounts
    if any(info.usable for info in candidates):
        return None
    if not candidates:
        hint = "Assign an ad account to the system user." if sign_in.platform == "meta" else "Ask for access to one."
        return Trouble("The sign-in is good, but sees no ad account", f"{hint} Then try again.")
    reasons = "; ".join(f"{info.name or info.external_id}: {info.why_not}" for info in candidates[:3])
    return Trouble("The ad account cannot be used", f"{name} gives the reason.", said=reasons)


def named(seen: Seen, customer: str) -> tuple[AccountInfo, ...]:
    return tuple(info for info in seen.accounts if info.external_id == customer)


def digits(text: str) -> str:
    return text.replace("-", "")


def _meta_trouble(token: str) -> Trouble | None:
    if not token:
        return Trouble("Paste a token first", "It is long and starts with EAA", link=SYSTEM_USERS)
    if re.fullmatch(r"\d+\|\S+", token):
        hint = "It stands for an app and sees no ad account. Generate a token for a system user."
        return Trouble("This is an app token", hint, link=SYSTEM_USERS)
    if not TOKEN.fullmatch(token):
        hint = "A token is letters and digits without spaces, and starts with EAA"
        return Trouble("This is not a token of Meta", hint, link=SYSTEM_USERS)
    return None


def _google_trouble(shown: Typed, secret: str, refresh: str) -> Trouble | None:
    if not CLIENT_ID.fullmatch(shown.client_id):
        hint = "It ends in .apps.googleusercontent.com"
        return Trouble("The client ID does not look right", hint, link=CREDENTIALS)
    if not TOKEN.fullmatch(secret):
        return Trouble(
            "Paste the client secret", "It starts with GOCSPX- and belongs to the client ID", link=CREDENTIALS
        )
    if refresh.startswith("ya29."):
        return Trouble("This is an access token", "It ends in an hour. Paste the refresh token; it starts with 1//")
    if refresh.startswith("4/"):
        return Trouble("This is an authorization code", "Exchange it first. The refresh token starts with 1//")
    if not TOKEN.fullmatch(refresh):
        return Trouble("Paste the refresh token", "It starts with 1//")
    for label, text in (("customer ID", shown.customer_id), ("manager's ID", shown.login_customer_id)):
        if text and not CUSTOMER_ID.fullmatch(text):
            return Trouble(f"The {label} does not look right", "It has ten digits, as in 123-456-7890.")
    return None
