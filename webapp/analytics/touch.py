"""How somebody came to the shop: a channel from the address they landed on and the page they came from. Pure rules.

The first rule that fits decides:

    1  a click id of Google (gclid, gbraid, wbraid, dclid)      google: only ads carry one
    2  utm_medium says paid                                      google, meta by utm_source; else social, unknown
    3  utm_medium or utm_source says email, social, organic ...  that
    4  other utm parameters                                      by utm_source, as if it were the referrer's name
    5  fbclid alone                                              social: posts carry it, too
    6  the referrer: search engine, social site, webmail         organic, social, email
    7  the shop itself, a checkout's bank, nobody                direct
    8  any other referrer                                        referral

A campaign named by utm_id or utm_campaign that is ours is proof of an ad, whatever the rules say: collector.py looks it
up. Channels are those of store.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

MOST_FIELDS = 40  # of an address; what stands behind them is not looked at
GOOGLE_CLICKS = ("gclid", "gbraid", "wbraid", "dclid")
PAID = re.compile(
    r"^(cpc|ppc|cpm|cpv|cpa|paid.*|.*[-_ ]paid|ads?|display|banner|shopping|pmax|performance.?max|retargeting|"
    r"remarketing)$"
)
EMAIL = re.compile(r"^(e-?mail|newsletter|klaviyo|mailchimp|brevo|sendinblue|omnisend|hubspot|flow|campaign_?monitor)$")
GOOGLE = re.compile(r"^(google|adwords|google[-_. ]?ads|youtube|gdn)$")
META = re.compile(
    r"^(facebook|fb|instagram|ig|meta|facebook[-_. ]?ads|meta[-_. ]?ads|an|msg|messenger|audience_network)$"
)
SOCIAL = re.compile(
    r"^(facebook|fb|instagram|ig|meta|messenger|tiktok|pinterest|twitter|x|t\.co|linkedin|lnkd|reddit|youtube|threads|"
    r"snapchat|whatsapp|telegram|vk|bluesky|mastodon)$"
)
SEARCH = re.compile(r"^(google|bing|duckduckgo|ecosia|yahoo|yandex|baidu|qwant|startpage|brave|kagi|naver|seznam)$")
MAIL_HOSTS = re.compile(r"^(mail\.|outlook\.|webmail\.|.*\.mail\.)|(^|\.)(mail|gm|android\.email)(\.|$)")
BANKS = re.compile(
    r"(^|\.)(paypal|stripe|klarna|adyen|mollie|myshopify|shopify|amazonpay|sofort|afterpay|clearpay)\.|^shop\.app$"
)
SHORT = {
    "t.co": "twitter",
    "x.com": "twitter",
    "lnkd.in": "linkedin",
    "youtu.be": "youtube",
    "wa.me": "whatsapp",
    "fb.me": "facebook",
}
MEDIA = {
    "social": "social",
    "organic": "organic",
    "referral": "referral",
    "affiliate": "referral",
    "link": "referral",
    "organic_social": "social",
    "social-organic": "social",
}


@dataclass(frozen=True)
class Touch:
    """`campaign_id` and `campaign` are what the address says of a campaign: utm_id and utm_campaign."""

    channel: str
    campaign_id: str = ""
    campaign: str = ""


def touch(query: str, referrer: str, own_hosts: Sequence[str] = ()) -> Touch:
    """`query` is the address behind its question mark, `referrer` a whole address. `own_hosts` are the shop's."""
    fields = parse_qsl("&".join(query.split("&")[:MOST_FIELDS]))
    marks = {name.lower(): value.replace("\0", "").strip()[:200] for name, value in fields}
    channel = _paid(marks) or _said(marks) or ("social" if "fbclid" in marks else "") or _from(referrer, own_hosts)
    return Touch(channel, marks.get("utm_id", ""), marks.get("utm_campaign", ""))


def _paid(marks: Mapping[str, str]) -> str:
    if any(name in marks for name in GOOGLE_CLICKS):
        return "google"
    source = marks.get("utm_source", "").lower()
    if not PAID.fullmatch(marks.get("utm_medium", "").lower()):
        return ""
    if GOOGLE.fullmatch(source):
        return "google"
    if META.fullmatch(source):
        return "meta"
    return "social" if SOCIAL.fullmatch(source) else "unknown"


def _said(marks: Mapping[str, str]) -> str:
    """What utm parameters say, short of an ad; empty if there are none."""
    medium, source = marks.get("utm_medium", "").lower(), marks.get("utm_source", "").lower()
    if EMAIL.fullmatch(medium) or EMAIL.fullmatch(source):
        return "email"
    if medium in MEDIA:
        return MEDIA[medium]
    if not source:
        return ""
    return _site(source) or "unknown"


def _from(referrer: str, own_hosts: Sequence[str]) -> str:
    host = _host(referrer)
    if not host or host in own_hosts or BANKS.search(host):
        return "direct"
    if MAIL_HOSTS.search(host):
        return "email"
    labels = [SHORT[host]] if host in SHORT else [label for label in host.split(".") if len(label) > 1]
    return next(filter(None, map(_site, labels)), "referral")


def _site(name: str) -> str:
    """The channel of a site's name, empty for one we do not know. "google" is organic: an ad of it says so."""
    if SEARCH.fullmatch(name):
        return "organic"
    return "social" if SOCIAL.fullmatch(name) else ""


def _host(referrer: str) -> str:
    """Of an app (android-app://com.google.android.gm) it is the app's name."""
    try:
        return (urlsplit(referrer).hostname or "").removeprefix("www.")
    except ValueError:
        return ""
