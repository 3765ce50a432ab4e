"""OpenAI, and xAI which speaks Responses too."""

from __future__ import annotations

from simulator.dialects import openai_chat, openai_responses
from simulator.errors import Failure
from simulator.flavour import Chat, Flavour
from simulator.flavours import bodies, lists
from simulator.models import Model, Price
from simulator.values import Json

_ACCOUNT_KEYS = "https://platform.openai.com/account/api-keys"
_SCOPES = (
    "You have insufficient permissions for this operation. Missing scopes: {}. Check that you have the correct role in "
    "your organization (Reader, Writer, Owner) and project (Member, Owner), and if you're using a restricted API key, "
    "that it has the necessary scopes."
)
_INVALID = "invalid_request_error"

OPENAI = Flavour(
    slug="openai",
    prefix="/openai",
    keys=("sk-proj-", "sk-svcacct-", "sk-"),
    models=(
        Model(
            "gpt-6.2-sol",
            "GPT-6.2 Sol",
            "gpt-6",
            "2026-11-17",
            max_input=1_050_000,
            cache_min=1024,
            thinks=True,
            always=True,
            price=Price(2, 10, 0.2),
        ),
        Model(
            "gpt-6-sol",
            "GPT-6 Sol",
            "gpt-6",
            "2026-08-20",
            max_input=1_050_000,
            cache_min=1024,
            thinks=True,
            price=Price(2, 10, 0.2),
        ),
        Model(
            "gpt-6-luna",
            "GPT-6 Luna",
            "gpt-6",
            "2026-08-20",
            max_input=400_000,
            cache_min=1024,
            thinks=True,
            price=Price(0.1, 0.6, 0.01),
        ),
        Model(
            "gpt-4.1",
            "GPT-4.1",
            "gpt-4.1",
            "2025-04-14",
            max_input=1_047_576,
            max_output=32_768,
            cache_min=1024,
            price=Price(2, 8, 0.5),
        ),
        Model(
            "text-embedding-3-small",
            "Text Embedding 3 Small",
            "embedding",
            "2024-01-25",
            max_input=8191,
            price=Price(0.02, 0, 0),
        ),
    ),
    speaks={"POST /v1/responses": openai_responses, "POST /v1/chat/completions": openai_chat},
    lists={"GET /v1/models": lists.openai("openai"), "GET /v1/models/*": lists.openai("openai")},
    failures={
        "invalid": Failure(400, "{message}", type=_INVALID),
        "revoked": Failure(
            401,
            f"Incorrect API key provided: sk-*****{{key}}. You can find your API key at {_ACCOUNT_KEYS}.",
            type=_INVALID,
            code="invalid_api_key",
        ),
        "nokey": Failure(
            401,
            "You didn't provide an API key. You need to provide your API key in an Authorization "
            "header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY). You can obtain an API key "
            f"from {_ACCOUNT_KEYS}.",
            type=_INVALID,
        ),
        "forbidden": Failure(401, _SCOPES.format("api.responses.write"), type=_INVALID, code="missing_scope"),
        "nolist": Failure(401, _SCOPES.format("api.model.read"), type=_INVALID, code="missing_scope"),
        "region": Failure(
            403,
            "Country, region, or territory not supported",
            type="request_forbidden",
            code="unsupported_country_region_territory",
        ),
        "barred": Failure(
            403,
            "Project `proj_0123456789` does not have access to model `{model}`",
            type=_INVALID,
            code="model_not_found",
        ),
        "nomodel": Failure(
            404,
            "The model `{model}` does not exist or you do not have access to it.",
            type=_INVALID,
            code="model_not_found",
        ),
        "nomodel in responses": Failure(
            400, "The requested model '{model}' does not exist.", type=_INVALID, param="model", code="model_not_found"
        ),
        "ratelimited": Failure(
            429,
            "Rate limit reached for {model} in organization org-0123456789abcdef on requests "
            "per min (RPM): Limit 500, Used 500, Requested 1. Please try again in 7s. Visit "
            "https://platform.openai.com/account/rate-limits to learn more.",
            type="requests",
            code="rate_limit_exceeded",
            retry_after=7,
            headers=(("retry-after-ms", "7000"),),
        ),
        "nocredit": Failure(
            429,
            "You exceeded your current quota, please check your plan and billing details. For more "
            "information on this error, read the docs: "
            "https://platform.openai.com/docs/guides/error-codes/api-errors.",
            type="insufficient_quota",
            code="insufficient_quota",
        ),
        "overloaded": Failure(
            503,
            "Our servers are currently overloaded. Please try again later.",
            type="service_unavailable_error",
            code="server_is_overloaded",
        ),
        "server": Failure(
            500,
            "An error occurred while processing your request. You can retry your request, or "
            "contact us through our help center at help.openai.com if the error persists.",
            type="server_error",
            code="server_error",
        ),
        "context": Failure(
            400,
            "Your input exceeds the context window of this model. Please adjust your input and try again.",
            type=_INVALID,
            param="input",
            code="context_length_exceeded",
        ),
        "always thinks": Failure(
            400,
            "Unsupported value: 'none' is not supported with the '{model}' model. Supported "
            "values are: 'low', 'medium', 'high', and 'xhigh'.",
            type=_INVALID,
            param="reasoning.effort",
            code="unsupported_value",
        ),
        "bad reasoning": Failure(
            400,
            "The encrypted content {start}... could not be verified. Reason: Encrypted "
            "content could not be decrypted or parsed.",
            type=_INVALID,
            code="invalid_encrypted_content",
        ),
        "tools while thinking": Failure(
            400,
            "Function tools with reasoning_effort are not supported for {model} in "
            "/v1/chat/completions. To use function tools, use /v1/responses or set "
            "reasoning_effort to 'none'.",
            type=_INVALID,
            param="reasoning_effort",
        ),
        "refused max": Failure(
            400,
            "Unsupported parameter: '{name}' is not supported with this model. Use 'max_completion_tokens' instead.",
            type=_INVALID,
            param="max_tokens",
            code="unsupported_parameter",
        ),
        "unanswered": Failure(
            400,
            "An assistant message with 'tool_calls' must be followed by tool messages responding "
            "to each 'tool_call_id'. The following tool_call_ids did not have response messages: "
            "{id}",
            type=_INVALID,
            param="messages",
        ),
        "unasked": Failure(
            400,
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding "
            "message with 'tool_calls'.",
            type=_INVALID,
            param="messages",
        ),
        "empty assistant": Failure(
            400,
            "Invalid value for 'content': expected a string, got null.",
            type=_INVALID,
            param="messages.[{index}].content",
        ),
        "tool choice": Failure(400, "Invalid value: '{choice}'.", type=_INVALID, param="tool_choice"),
    },
    body=bodies.openai,
    answer_id=("", 48),
    limits="openai",
    cache_unit=128,
    cache_writes=True,
    diagnoses=r"gpt-(5\.[6-9]|6)",
    breaks_in_stream=True,
    seals="gAAAAA",
    chat=Chat(
        id_prefix="chatcmpl-",
        refused_max="max_tokens",
        tools_while_thinking=False,
        opening={"role": "assistant", "content": "", "refusal": None},
        chunk={"service_tier": "default", "system_fingerprint": None},
        usage_null=True,
        padding="obfuscation",
        refusals=True,
        reasoning="",
    ),
)

_NO_CREDIT = (
    "Your newly created team doesn't have any credits or licenses yet. You can purchase those on "
    "https://console.x.ai/team/00000000-0000-0000-0000-000000000000."
)


def _about_key(flaw: str) -> Json:
    """`/api-key`: what it may do."""
    return {
        "redacted_api_key": "xai-...simu",
        "user_id": "simulated",
        "name": "simulated",
        "create_time": "2026-11-24T00:00:00Z",
        "modify_time": "2026-11-24T00:00:00Z",
        "modified_by": "simulated",
        "team_id": "simulated",
        "acls": ["api-key:model:*", "api-key:endpoint:*"],
        "api_key_id": "simulated",
        "team_blocked": False,
        "api_key_blocked": flaw == "forbidden",
        "api_key_disabled": False,
    }


XAI = Flavour(
    slug="xai",
    prefix="/xai",
    keys=("xai-",),
    models=(
        Model(
            "grok-4.7",
            "Grok 4.7",
            "grok-4",
            "2026-10-10",
            max_input=2_000_000,
            cache_min=64,
            thinks=True,
            always=True,
            price=Price(3, 15, 0.75),
        ),
        Model(
            "grok-4.3",
            "Grok 4.3",
            "grok-4",
            "2026-03-01",
            alias="grok-4.3-latest",
            max_input=1_000_000,
            cache_min=64,
            thinks=True,
            price=Price(1.25, 2.5, 0.2),
        ),
        Model(
            "grok-4.20-multi-agent",
            "Grok 4.20 Multi-Agent",
            "grok-4",
            "2026-03-09",
            max_input=2_000_000,
            cache_min=64,
            thinks=True,
            price=Price(2, 6, 0.2),
        ),
    ),
    speaks={"POST /v1/responses": openai_responses},
    lists={
        "GET /v1/language-models": lists.xai,
        "GET /v1/models": lists.openai("xai"),
        "GET /v1/models/*": lists.openai("xai"),
    },
    checks={"GET /v1/api-key": _about_key},
    failures={
        "invalid": Failure(400, "{message}", code="invalid-argument"),
        "revoked": Failure(
            400,
            "Incorrect API key provided. You can obtain an API key from https://console.x.ai.",
            code="invalid-argument",
        ),
        "nokey": Failure(
            401,
            "No authentication credentials provided. You can obtain an API key from https://console.x.ai.",
            code="unauthenticated:no-credentials",
        ),
        "nocredit": Failure(403, _NO_CREDIT, code="permission-denied"),
        "spent": Failure(
            429,
            "Your team 00000000-0000-0000-0000-000000000000 has either used all available credits or "
            "reached its monthly spending limit. To continue making API requests, please purchase more "
            "credits or raise your spending limit.",
            code="resource-exhausted",
        ),
        "forbidden": Failure(
            403,
            "The API key is blocked or does not have permission to perform this operation.",
            code="permission-denied",
        ),
        "barred": Failure(
            403,
            "The API key does not have access to the model {model}. Please check its ACLs.",
            code="permission-denied",
        ),
        "nomodel": Failure(400, "Model not found: {model}", code="invalid-argument"),
        "ratelimited": Failure(
            429,
            "Too many requests for team 00000000-0000-0000-0000-000000000000 and model "
            "{model}. Your team's rate limit is - Requests per Second (actual/limit): 8/8.",
            code="resource-exhausted",
            retry_after=7,
        ),
        "overloaded": Failure(
            503,
            "The model is at capacity and currently cannot serve this request. Please try again later.",
            code="unavailable",
        ),
        "server": Failure(500, "Internal error", code="internal"),
        "quiet": Failure(200, "Internal error: the model could not be reached.", code="internal"),
        "context": Failure(
            400,
            "This model's maximum prompt length is {limit} but the request contains {tokens} tokens.",
            code="invalid-argument",
        ),
        "always thinks": Failure(400, "Model {model} does not support reasoning effort none.", code="invalid-argument"),
        "bad reasoning": Failure(400, "Could not decrypt the provided encrypted content.", code="invalid-argument"),
    },
    body=bodies.xai,
    answer_id=("", 36),
    limits="openai",
    adds_cached=True,
)
