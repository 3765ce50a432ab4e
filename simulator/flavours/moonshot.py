"""Moonshot (Kimi): usage inside the choice, calls that say who they are in each fragment."""

from __future__ import annotations

from simulator.dialects import openai_chat
from simulator.errors import Failure
from simulator.flavour import Chat, Flavour
from simulator.flavours import bodies, lists
from simulator.flavours.history import AUTO_ONLY, INVALID, MISFITS
from simulator.models import Model, Price
from simulator.values import Json


def _balance(flaw: str) -> Json:
    """`/users/me/balance`."""
    left = 0 if flaw == "nocredit" else 49.58894
    data = {"available_balance": left, "voucher_balance": 0, "cash_balance": left}
    return {"code": 0, "data": data, "scode": "0x0", "status": True}


_KIMI_CHOICES = frozenset({"auto", "none", "function"})

MOONSHOT = Flavour(
    slug="moonshot",
    prefix="/moonshot",
    keys=("sk-",),
    models=(
        Model(
            "kimi-k3",
            "Kimi K3",
            "kimi-k3",
            "2026-07-15",
            cache_min=256,
            thinks=True,
            always=True,
            price=Price(3, 15, 0.3),
        ),
        Model(
            "kimi-k2.6",
            "Kimi K2.6",
            "kimi-k2",
            "2026-04-20",
            max_input=262_144,
            cache_min=256,
            thinks=True,
            price=Price(0.95, 4, 0.16),
        ),
        Model(
            "kimi-k2.7-code",
            "Kimi K2.7 Code",
            "kimi-k2",
            "2026-06-12",
            max_input=262_144,
            cache_min=256,
            thinks=True,
            always=True,
            sees=False,
            price=Price(0.95, 4, 0.19),
        ),
    ),
    speaks={"POST /v1/chat/completions": openai_chat},
    lists={"GET /v1/models": lists.moonshot},
    checks={"GET /v1/users/me/balance": _balance},
    failures={
        **MISFITS,
        "invalid": Failure(400, "Invalid request: {message}", type=INVALID),
        "revoked": Failure(401, "Invalid Authentication", type="invalid_authentication_error"),
        "nokey": Failure(401, "Incorrect API key provided", type="incorrect_api_key_error"),
        "nocredit": Failure(
            429,
            "Your account org-simulated<ak-simulated> is suspended due to insufficient balance, "
            "please recharge your account or check your plan and billing details",
            type="exceeded_current_quota_error",
        ),
        "forbidden": Failure(403, "The API you are accessing is not open", type="permission_denied_error"),
        "barred": Failure(404, "Not found the model {model} or Permission denied", type="resource_not_found_error"),
        "nomodel": Failure(404, "Not found the model {model} or Permission denied", type="resource_not_found_error"),
        "ratelimited": Failure(
            429,
            "Your account org-simulated<ak-simulated> request reached organization max RPM: 20, "
            "please try again after 7 seconds",
            type="rate_limit_reached_error",
        ),
        "overloaded": Failure(
            429, "The engine is currently overloaded, please try again later", type="engine_overloaded_error"
        ),
        "moderated": Failure(
            400, "The request was rejected because it was considered high risk", type="content_filter"
        ),
        "server": Failure(500, "Internal server error", type="server_error"),
        "context": Failure(400, "Invalid request: Your request exceeded model token limit: {limit}", type=INVALID),
        "always thinks": Failure(400, "invalid thinking: only type=enabled is allowed for this model", type=INVALID),
        "tool choice": Failure(400, "tool_choice '{choice}' is incompatible with thinking enabled", type=INVALID),
    },
    body=bodies.bare,
    request_id_header="msh-request-id",
    request_id_prefix="",
    cache_unit=256,
    chat=Chat(
        id_prefix="chatcmpl-",
        choices=_KIMI_CHOICES,
        choices_thinking=AUTO_ONLY,
        switch="thinking",
        names_calls=True,
        opening={"role": "assistant", "content": ""},
        chunk={"system_fingerprint": "fpv0_simulated"},
        choice={},
        repeats_call=True,
        usage=("choice",),
        usage_style="moonshot",
    ),
)
