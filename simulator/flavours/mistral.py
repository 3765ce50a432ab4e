"""Mistral: content in parts, calls and usage in the last chunk, flat errors, strict about fields and ids."""

from __future__ import annotations

from simulator.dialects import openai_chat
from simulator.errors import Failure
from simulator.flavour import Chat, Flavour
from simulator.flavours import bodies, lists
from simulator.flavours.history import INVALID
from simulator.models import Model, Price

_FIELDS = frozenset(
    {
        "model",
        "messages",
        "stream",
        "max_tokens",
        "temperature",
        "top_p",
        "stop",
        "random_seed",
        "metadata",
        "response_format",
        "tools",
        "tool_choice",
        "presence_penalty",
        "frequency_penalty",
        "n",
        "prediction",
        "parallel_tool_calls",
        "prompt_mode",
        "reasoning_effort",
        "prompt_cache_key",
        "safe_prompt",
        "guardrails",
    }
)

MISTRAL = Flavour(
    slug="mistral",
    prefix="/mistral",
    keys=("",),
    models=(
        Model(
            "mistral-large-2512",
            "Mistral Large 3",
            "mistral",
            "2025-12-02",
            alias="mistral-large-latest",
            max_input=262_144,
            cache_min=64,
            price=Price(0.5, 1.5, 0.05),
        ),
        Model(
            "magistral-medium-2509",
            "Magistral Medium",
            "magistral",
            "2025-09-17",
            alias="magistral-medium-latest",
            max_input=131_072,
            max_output=40_000,
            cache_min=64,
            thinks=True,
            price=Price(2, 5, 0.2),
        ),
        Model(
            "ministral-3b-2512",
            "Ministral 3 3B",
            "ministral",
            "2025-12-02",
            alias="ministral-3b-latest",
            max_input=262_144,
            cache_min=64,
            price=Price(0.1, 0.1, 0.01),
        ),
    ),
    speaks={"POST /v1/chat/completions": openai_chat},
    lists={"GET /v1/models": lists.mistral},
    failures={
        "invalid": Failure(422, "{message}", type="invalid_request_message_order", code="3230"),
        "extra field": Failure(
            422,
            "",
            details={"detail": [{"type": "extra_forbidden", "loc": ["body"], "msg": "Extra inputs are not permitted"}]},
        ),
        "revoked": Failure(401, "Invalid API Key", details={"detail": "Invalid API Key"}),
        "nokey": Failure(401, "Unauthorized", details={"detail": "Unauthorized"}),
        "nocredit": Failure(
            402, "Payment required: your workspace has no active payment method.", type="payment_required", code="1400"
        ),
        "forbidden": Failure(403, "Forbidden", details={"detail": "Forbidden"}),
        "barred": Failure(
            403, "You are not allowed to access the model {model}.", type="model_access_denied", code="1501"
        ),
        "nomodel": Failure(400, "Invalid model: {model}", type="invalid_model", code="1500"),
        "ratelimited": Failure(429, "Rate limit exceeded", type="rate_limited", code="1300"),
        "capacity": Failure(
            429, "Service tier capacity exceeded for this model.", type="service_tier_capacity_exceeded", code="3505"
        ),
        "overloaded": Failure(500, "Service unavailable.", type="internal_server_error", code="1000"),
        "context": Failure(
            400,
            "Prompt contains {tokens} tokens and 0 draft tokens, too large for model with {limit} "
            "maximum context length",
            type="invalid_request_prompt",
            code="3051",
        ),
        "call id": Failure(
            400,
            "Tool call id was {id} but must be a-z, A-Z, 0-9, with a length of 9.",
            type="invalid_function_call",
            code="3280",
        ),
        "nameless": Failure(
            400,
            "Tool messages must have the name of the function they answer for.",
            type="invalid_request_message_order",
            code="3230",
        ),
        "unanswered": Failure(
            400,
            "Not the same number of function calls and responses",
            type="invalid_request_message_order",
            code="3230",
        ),
        "unasked": Failure(
            400, "Unexpected tool call id {id} in tool results", type="invalid_request_message_order", code="3230"
        ),
        "user after tool": Failure(
            400, "Unexpected role 'user' after role 'tool'", type="invalid_request_message_order", code="3230"
        ),
        "prefill": Failure(
            400,
            "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
            type="invalid_request_message_order",
            code="3230",
        ),
        "empty assistant": Failure(
            400,
            "Assistant message must have either content or tool_calls, but not none.",
            type="invalid_request_assistant_message",
            code="3240",
        ),
        "tool choice": Failure(
            422,
            "",
            details={
                "detail": [
                    {
                        "type": "enum",
                        "loc": ["body", "tool_choice"],
                        "msg": "Input should be 'auto', 'none', 'any' or 'required'",
                    }
                ]
            },
        ),
        "always thinks": Failure(
            400, "Reasoning effort none is not supported for model {model}", type=INVALID, code="3051"
        ),
    },
    body=bodies.mistral,
    request_id_header="mistral-correlation-id",
    request_id_prefix="",
    chat=Chat(
        fields=_FIELDS,
        max_fields=("max_tokens",),
        choices=frozenset({"auto", "none", "any", "required", "function"}),
        choices_thinking=frozenset({"auto", "none", "any", "required", "function"}),
        call_id="[A-Za-z0-9]{9}",
        call_id_prefix="",
        call_id_length=9,
        tool_name_required=True,
        opening={"role": "assistant", "content": ""},
        closing={"content": ""},
        choice={},
        reasoning="parts",
        calls_close=True,
        usage=("finish",),
        usage_style="mistral",
        padding="p",
    ),
)
