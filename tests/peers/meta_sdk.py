"""Meta's own SDK, told to use another Graph: prints as JSON what it saw and did. Run by test_ad_sdks.py, elsewhere.

python meta_sdk.py BASE_URL TOKEN ACCOUNT
"""

from __future__ import annotations

import json
import sys
from typing import Any

from facebook_business.adobjects.adaccount import AdAccount
from facebook_business.adobjects.campaign import Campaign
from facebook_business.adobjects.user import User
from facebook_business.api import FacebookAdsApi
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession

SPAN = {"since": "2026-11-01", "until": "2026-11-20"}
STATUSES = {"field": "campaign.effective_status", "operator": "IN", "value": ["ACTIVE", "PAUSED", "DELETED"]}


def main(base_url: str, token: str, account_id: str) -> dict[str, Any]:
    FacebookSession.GRAPH = base_url
    FacebookAdsApi.init(access_token=token, crash_log=False)
    account = AdAccount(f"act_{account_id}")
    campaigns = account.get_campaigns(["name", "effective_status", "daily_budget"], {"limit": 2})
    days = account.get_insights(
        ["campaign_id", "spend", "actions"],
        {"level": "campaign", "time_range": SPAN, "time_increment": 1, "filtering": [STATUSES], "limit": 7},
    )
    sets = Campaign("2").get_ad_sets(["name", "daily_budget", "learning_stage_info"])
    return {
        "version": FacebookAdsApi.API_VERSION,
        "accounts": [dict(each) for each in User("me").get_ad_accounts(["account_id", "name", "currency"])],
        "campaigns": [each.export_all_data() for each in campaigns],
        "days": [[each["campaign_id"], each["date_start"], each["spend"]] for each in days],
        "sets": [[each["id"], each["learning_stage_info"]["status"]] for each in sets],
        "changed": changed(),
        "refusals": [refused("1", {"daily_budget": 50}), refused("2", {"daily_budget": 9000}), refused("99", {})],
        "dead": dead(token),
    }


def changed() -> dict[str, Any]:
    """What a dry run and a change leave behind."""
    one = Campaign("1")
    one.api_update(params={"status": "PAUSED", "execution_options": ["validate_only"]})
    before = Campaign("1").api_get(["status"])["status"]
    one.api_update(params={"status": "PAUSED", "daily_budget": 6500})
    after = Campaign("1").api_get(["status", "daily_budget"])
    return {"dry": before, "status": after["status"], "daily_budget": after["daily_budget"]}


def refused(id: str, params: dict[str, Any]) -> list[Any]:
    try:
        Campaign(id).api_update(params=params)
    except FacebookRequestError as error:
        return [error.api_error_code(), error.api_error_subcode(), error.api_error_message()]
    return []


def dead(token: str) -> list[Any]:
    FacebookAdsApi.init(access_token=f"{token}x", crash_log=False)
    return refused("1", {"status": "ACTIVE"})[:2]


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
