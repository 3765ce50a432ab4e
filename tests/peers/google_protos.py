"""Google's own protos as a judge of JSON. Run by test_ad_sdks.py, elsewhere: cases in on stdin, complaints out as JSON.

A case is [kind, value]: the name of a message and a JSON body of it, or "GAQL" and a query, whose fields must be there.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from google.ads.googleads.v26.errors.types.errors import GoogleAdsFailure
from google.ads.googleads.v26.resources.types.campaign import Campaign
from google.ads.googleads.v26.services.types.campaign_budget_service import (
    MutateCampaignBudgetsRequest,
    MutateCampaignBudgetsResponse,
)
from google.ads.googleads.v26.services.types.campaign_service import MutateCampaignsRequest, MutateCampaignsResponse
from google.ads.googleads.v26.services.types.customer_service import ListAccessibleCustomersResponse
from google.ads.googleads.v26.services.types.google_ads_service import (
    GoogleAdsRow,
    SearchGoogleAdsRequest,
    SearchGoogleAdsResponse,
)
from google.protobuf.json_format import ParseDict, ParseError

MESSAGES = {
    each.__name__: each
    for each in (
        Campaign,
        GoogleAdsFailure,
        GoogleAdsRow,
        ListAccessibleCustomersResponse,
        MutateCampaignBudgetsRequest,
        MutateCampaignBudgetsResponse,
        MutateCampaignsRequest,
        MutateCampaignsResponse,
        SearchGoogleAdsRequest,
        SearchGoogleAdsResponse,
    )
}


def complaint(kind: str, value: Any) -> str:
    """Empty: the protos know it."""
    if kind == "GAQL":
        return ", ".join(path for path in re.findall(r"\b[a-z_]+\.[a-z_.]+\b", value) if not known(path))
    try:
        ParseDict(value, MESSAGES[kind].pb(MESSAGES[kind]()))
    except ParseError as error:
        return f"{kind}: {error}"
    return ""


def known(path: str) -> bool:
    """Whether a row has such a field."""
    message = GoogleAdsRow.pb(GoogleAdsRow()).DESCRIPTOR
    for part in path.split("."):
        field = message.fields_by_name.get(part) if message else None
        if field is None:
            return False
        message = field.message_type
    return True


if __name__ == "__main__":
    print(json.dumps([each for each in (complaint(*case) for case in json.load(sys.stdin)) if each]))
