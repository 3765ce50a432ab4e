"""Groq: usage in `x_groq`, reasoning apart, whole calls, failed tool calls, status 498."""

from __future__ import annotations

from simulator.dialects import openai_chat
from simulator.errors import Failure
from simulator.flavour import Chat, Flavour
from simulator.flavours import bodies, lists
from simulator.flavours.history import INVALID, MISFITS
from simulator.models import Model, Price

_FAILED_GENERATION = '{"name": "get_something", "arguments": {"invalid_param": "value"}}'

GROQ = Flavour(
    slug="groq",
    prefix="/groq",
    keys=("gsk_",),
    models=(
        Model(
            "openai/gpt-oss-120b",
            "GPT OSS 120B",
            "gpt-oss",
            "2025-08-05",
            max_input=131_072,
            max_output=65_536,
            cache_min=128,
            thinks=True,
            sees=False,
            price=Price(0.15, 0.6, 0.075),
        ),
        Model(
            "openai/gpt-oss-20b",
            "GPT OSS 20B",
            "gpt-oss",
            "2025-08-05",
            max_input=131_072,
            max_output=65_536,
            cache_min=128,
            thinks=True,
            sees=False,
            price=Price(0.075, 0.3, 0.0375),
        ),
        Model(
            "llama-3.3-70b-versatile",
            "Llama 3.3 70B",
            "llama",
            "2024-12-06",
            max_input=131_072,
            max_output=32_768,
            cache_min=128,
            sees=False,
            price=Price(0.59, 0.79, 0.59),
        ),
    ),
    speaks={"POST /openai/v1/chat/completions": openai_chat},
    lists={"GET /openai/v1/models": lists.groq},
    failures={
        **MISFITS,
        "invalid": Failure(400, "{message}", type=INVALID),
        "revoked": Failure(401, "Invalid API Key", type=INVALID, code="invalid_api_key"),
        "nokey": Failure(401, "Invalid API Key", type=INVALID, code="invalid_api_key"),
        "nocredit": Failure(
            400,
            "API access is blocked because a spend alert threshold was met for your organization.",
            type=INVALID,
            code="blocked_api_access",
        ),
        "forbidden": Failure(
            403, "Access denied. Please check your network settings.", type="permissions_error", code="access_denied"
        ),
        "barred": Failure(
            403,
            "The model `{model}` is blocked at the project level. Please have a project admin "
            "enable this model in the project settings.",
            type="permissions_error",
            code="model_permission_blocked_project",
        ),
        "nomodel": Failure(
            404,
            "The model `{model}` does not exist or you do not have access to it.",
            type=INVALID,
            code="model_not_found",
        ),
        "ratelimited": Failure(
            429,
            "Rate limit reached for model `{model}` in organization `org_simulated` service "
            "tier `on_demand` on tokens per minute (TPM): Limit 6000, Used 5447, Requested 783. "
            "Please try again in 2.3s. Need more tokens? Upgrade to Dev Tier today at "
            "https://console.groq.com/settings/billing",
            type="tokens",
            code="rate_limit_exceeded",
            retry_after=3,
        ),
        "toolarge": Failure(
            413,
            "Request too large for model `{model}` in organization `org_simulated` service tier "
            "`on_demand` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce your "
            "message size and try again.",
            type="tokens",
            code="rate_limit_exceeded",
        ),
        "overloaded": Failure(
            498,
            "Flex tier capacity exceeded for model `{model}`. Please try again later.",
            type="invalid_request_error",
            code="capacity_exceeded",
        ),
        "unavailable": Failure(
            503,
            "{model} is currently over capacity. Please try again and back off exponentially. "
            "Visit https://groqstatus.com to see if there is an active incident.",
            type="internal_server_error",
        ),
        "server": Failure(500, "Internal Server Error", type="internal_server_error"),
        "tool_use_failed": Failure(
            400,
            "Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details.",
            type=INVALID,
            code="tool_use_failed",
            details={"failed_generation": _FAILED_GENERATION},
        ),
        "context": Failure(
            400,
            "Please reduce the length of the messages or completion.",
            type=INVALID,
            code="context_length_exceeded",
        ),
    },
    body=bodies.bare,
    limits="openai",
    events_type="text/event-stream",
    cache_unit=128,
    chat=Chat(
        id_prefix="chatcmpl-",
        opening={"role": "assistant", "content": ""},
        chunk={"system_fingerprint": "fp_simulated"},
        reasoning="reasoning",
        channel="analysis",
        call_id_prefix="fc_",
        whole_calls=True,
        usage=("x_groq", "finish", "tail-if-asked"),
        usage_style="groq",
        error_chunk="event",
    ),
)
