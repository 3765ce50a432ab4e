"""DeepSeek: reasoning that must come back, keep-alive comments, hits and misses of the cache."""

from __future__ import annotations

from simulator.dialects import openai_chat
from simulator.errors import Failure
from simulator.flavour import Chat, Flavour
from simulator.flavours import bodies, lists
from simulator.flavours.history import AUTO_ONLY, INVALID, MISFITS
from simulator.models import Model, Price
from simulator.values import Json


def _balance(flaw: str) -> Json:
    """`/user/balance`."""
    empty = flaw == "nocredit"
    total = "0.00" if empty else "12.34"
    info = {"currency": "USD", "total_balance": total, "granted_balance": "0.00", "topped_up_balance": total}
    return {"is_available": not empty, "balance_infos": [info]}


DEEPSEEK = Flavour(
    slug="deepseek",
    prefix="/deepseek",
    keys=("sk-",),
    models=(
        Model(
            "deepseek-v4-pro",
            "DeepSeek V4 Pro",
            "deepseek",
            "2026-04-24",
            cache_min=64,
            max_output=393_216,
            thinks=True,
            sees=False,
            price=Price(1.74, 3.48, 0.145),
        ),
        Model(
            "deepseek-flash",
            "DeepSeek Flash",
            "deepseek",
            "2026-07-24",
            cache_min=64,
            max_output=393_216,
            thinks=True,
            price=Price(0.14, 0.28, 0.0028),
        ),
    ),
    speaks={"POST /chat/completions": openai_chat, "POST /v1/chat/completions": openai_chat},
    lists={
        "GET /models": lists.openai("deepseek", created=False),
        "GET /v1/models": lists.openai("deepseek", created=False),
    },
    checks={"GET /user/balance": _balance},
    failures={
        **MISFITS,
        "invalid": Failure(400, "{message}", type=INVALID, code=INVALID),
        "revoked": Failure(
            401, "Authentication Fails, Your api key: ****{key} is invalid", type="authentication_error", code=INVALID
        ),
        "nokey": Failure(
            401,
            "Authentication Fails (auth header format should be Bearer sk-...)",
            type="authentication_error",
            code=INVALID,
        ),
        "nocredit": Failure(402, "Insufficient Balance", type="unknown_error", code=INVALID),
        "forbidden": Failure(403, "Access denied", type="permission_error", code=INVALID),
        "barred": Failure(403, "No permission for model {model}", type="permission_error", code=INVALID),
        "nomodel": Failure(400, "Model Not Exist", type=INVALID, code=INVALID),
        "ratelimited": Failure(
            429, "Rate limit reached: too many concurrent requests", type="rate_limit_error", code="rate_limit_error"
        ),
        "overloaded": Failure(
            503,
            "Service is too busy. We advise users to temporarily switch to alternative LLM API service providers.",
            type="service_unavailable_error",
            code="service_unavailable_error",
        ),
        "server": Failure(500, "Internal server error", type="internal_error", code="internal_error"),
        "context": Failure(
            400,
            "This model's maximum context length is {limit} tokens. However, you requested {tokens} "
            "tokens ({tokens} in the messages, 0 in the completion). Please reduce the length of the "
            "messages or completion.",
            type=INVALID,
            code=INVALID,
        ),
        "no reasoning": Failure(
            400,
            "The `reasoning_content` in the thinking mode must be passed back to the API.",
            type=INVALID,
            code=INVALID,
        ),
        "tool choice": Failure(400, "deepseek-reasoner does not support this tool_choice", type=INVALID, code=INVALID),
    },
    body=bodies.openai,
    error_type="application/octet-stream",
    request_id_header="x-ds-trace-id",
    request_id_prefix="",
    cache_unit=64,
    chat=Chat(
        max_fields=("max_tokens",),
        choices_thinking=AUTO_ONLY,
        switch="thinking",
        reasoning_replay=True,
        call_id_prefix="call_00_",
        opening={"role": "assistant", "content": ""},
        opening_thinking={"role": "assistant", "content": None, "reasoning_content": ""},
        nulls=True,
        closing={"content": ""},
        chunk={"system_fingerprint": "fp_simulated_prod_fp8_kvcache"},
        usage=("finish",),
        usage_null=True,
        usage_style="deepseek",
        comment="keep-alive",
        comments=1,
    ),
)
