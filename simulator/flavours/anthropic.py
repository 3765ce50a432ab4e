"""Anthropic, and the demo provider that speaks as it does."""

from __future__ import annotations

from simulator.dialects import anthropic_messages
from simulator.dialects.anthropic_models import MODELS
from simulator.errors import Failure
from simulator.flavour import Flavour

_NO_PERMISSION = "Your API key does not have permission to use the specified resource."
_RATE_LIMITED = (
    "This request would exceed your organization's rate limit of 450,000 input tokens per minute "
    "(org: 00000000-0000-0000-0000-000000000000). For details, refer to: "
    "https://docs.claude.com/en/api/rate-limits. You can see the response headers for current usage. "
    "Please reduce the prompt length or the maximum tokens requested, or try again later."
)
_NO_CREDIT = (
    "Your credit balance is too low to access the Anthropic API. "
    "Please go to Plans & Billing to upgrade or purchase credits."
)

ANTHROPIC = Flavour(
    slug="anthropic",
    prefix="",
    keys=("sk-ant-",),
    models=MODELS,
    speaks={"POST /v1/messages": anthropic_messages},
    lists={
        "GET /v1/models": anthropic_messages.model_list,
        "GET /v1/models/*": anthropic_messages.model_list,
        "POST /v1/messages/count_tokens": anthropic_messages.counted,
    },
    failures={
        "invalid": Failure(400, "{message}", type="invalid_request_error"),
        "revoked": Failure(401, "invalid x-api-key", type="authentication_error"),
        "revoked in authorization": Failure(401, "Invalid bearer token", type="authentication_error"),
        "nokey": Failure(401, "x-api-key header is required", type="authentication_error"),
        "nocredit": Failure(400, _NO_CREDIT, type="invalid_request_error"),
        "billing": Failure(402, "Your account has a billing problem.", type="billing_error"),
        "forbidden": Failure(403, _NO_PERMISSION, type="permission_error"),
        "barred": Failure(
            403, "Your API key does not have permission to use the model {model}.", type="permission_error"
        ),
        "nomodel": Failure(404, "model: {model}", type="not_found_error"),
        "context": Failure(400, "prompt is too long: {tokens} tokens > {limit} maximum", type="invalid_request_error"),
        "toolarge": Failure(413, "Request exceeds the maximum size", type="request_too_large"),
        "ratelimited": Failure(429, _RATE_LIMITED, type="rate_limit_error", retry_after=7),
        "server": Failure(500, "Internal server error", type="api_error"),
        "unavailable": Failure(503, "Service unavailable", type="api_error"),
        "timeout": Failure(504, "Timed out waiting for the model", type="timeout_error"),
        "overloaded": Failure(529, "Overloaded", type="overloaded_error"),
    },
    body=anthropic_messages.error_body,
    key_headers=("x-api-key", "authorization"),
    request_id_header="request-id",
    request_id_prefix="req_01",
    answer_id=("msg_01", 22),
    should_retry=True,
    limits="anthropic",
    cache_unit=0,
    spares_lists=frozenset(),
)
