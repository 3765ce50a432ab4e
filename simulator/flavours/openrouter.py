"""OpenRouter: comments, reasoning in two fields, errors inside chunks, the true cost."""

from __future__ import annotations

from simulator.dialects import openai_chat
from simulator.errors import Failure
from simulator.flavour import Chat, Flavour
from simulator.flavours import bodies, lists
from simulator.flavours.history import MISFITS
from simulator.models import Model, Price
from simulator.values import Json


def _overload(raw: str) -> Json:
    return {"error_type": "provider_overloaded", "provider_name": "Anthropic", "raw": raw}


def _about_key(flaw: str) -> Json:
    """`/key`: what it may spend."""
    limit = 10 if flaw in ("nocredit", "spent") else None
    return {
        "data": {
            "label": "sk-or-v1-sim...ulated",
            "limit": limit,
            "limit_remaining": 0 if limit else None,
            "limit_reset": None,
            "usage": 10 if limit else 0.25,
            "usage_daily": 0,
            "usage_weekly": 0,
            "usage_monthly": 0,
            "is_free_tier": False,
            "is_management_key": flaw == "manages",
            "is_provisioning_key": flaw == "manages",
            "expires_at": None,
        }
    }


OPENROUTER = Flavour(
    slug="openrouter",
    prefix="/openrouter",
    keys=("sk-or-v1-", "sk-or-"),
    models=(
        Model(
            "anthropic/claude-sonnet-5.5",
            "Anthropic: Claude Sonnet 5.5",
            "claude",
            "2026-10-21",
            cache_min=1024,
            thinks=True,
            price=Price(3, 15, 0.15),
        ),
        Model(
            "openai/gpt-6-luna",
            "OpenAI: GPT-6 Luna",
            "gpt-6",
            "2026-08-20",
            max_input=400_000,
            cache_min=1024,
            price=Price(0.1, 0.6, 0.01),
        ),
        Model(
            "moonshotai/kimi-k2.6",
            "MoonshotAI: Kimi K2.6",
            "kimi",
            "2026-04-20",
            max_input=262_144,
            thinks=True,
            cache_min=1024,
            sees=False,
            price=Price(0.6, 2.5, 0.15),
        ),
        Model(
            "meta-llama/llama-3.3-70b-instruct:free",
            "Meta: Llama 3.3 70B (free)",
            "llama",
            "2024-12-06",
            max_input=131_072,
            max_output=32_768,
            cache_min=1024,
            sees=False,
        ),
    ),
    speaks={"POST /api/v1/chat/completions": openai_chat},
    lists={"GET /api/v1/models": lists.openrouter, "GET /api/v1/models/user": lists.openrouter},
    checks={"GET /api/v1/key": _about_key},
    failures={
        **MISFITS,
        "invalid": Failure(400, "{message}"),
        "revoked": Failure(401, "User not found."),
        "nokey": Failure(401, "Missing Authentication header"),
        "nocredit": Failure(
            402,
            "Insufficient credits. Add more using https://openrouter.ai/settings/credits",
            details={"error_type": "payment_required"},
        ),
        "manages": Failure(401, "Provisioning keys cannot be used for inference."),
        "forbidden": Failure(
            403,
            "This key is not allowed to do this by a guardrail of its workspace.",
            details={"error_type": "permission_denied"},
        ),
        "moderated": Failure(
            403,
            "Your chosen model requires moderation and your input was flagged.",
            details={
                "reasons": ["violence"],
                "flagged_input": "simulated",
                "provider_name": "OpenAI",
                "error_type": "content_policy_violation",
            },
        ),
        "barred": Failure(
            404,
            "No endpoints found for {model} that match your data policy and privacy settings. "
            "Configure: https://openrouter.ai/settings/privacy",
            details={"error_type": "not_found"},
        ),
        "nomodel": Failure(400, "{model} is not a valid model ID"),
        "ratelimited": Failure(
            429,
            "Provider returned error",
            retry_after=7,
            details={
                "provider_name": "Google",
                "error_type": "rate_limit_exceeded",
                "raw": "google/gemini-3.8-flash is temporarily rate-limited upstream. Please "
                "retry shortly, or add your own key to accumulate your rate limits: "
                "https://openrouter.ai/settings/integrations",
            },
        ),
        "overloaded": Failure(
            503,
            "Provider returned error",
            details=_overload(
                '{"type":"error","error":{"type":"overloaded_error","message":'
                '"Overloaded"},"request_id":"req_simulated"}'
            ),
        ),
        "unavailable": Failure(
            502,
            "Provider returned error",
            details={"error_type": "provider_unavailable", "provider_name": "OpenAI", "raw": "upstream connect error"},
        ),
        "timeout": Failure(408, "Request timed out", details={"error_type": "timeout"}),
        "server": Failure(500, "Internal Server Error"),
        "context": Failure(
            400,
            "This endpoint's maximum context length is {limit} tokens. However, you requested about "
            "{tokens} tokens ({tokens} of text input). Please reduce the length of either one, or use "
            "the context-compression plugin to compress your prompt automatically.",
            details={"provider_name": None, "error_type": "context_length_exceeded"},
        ),
        "always thinks": Failure(400, "Reasoning is mandatory for this endpoint and cannot be disabled."),
        "bad reasoning": Failure(
            400,
            "Provider returned error",
            details={
                "provider_name": "Anthropic",
                "raw": '{"type":"error","error":{"type":'
                '"invalid_request_error","message":"messages.1.content.0: Invalid `signature` '
                'in `thinking` block"}}',
            },
        ),
    },
    body=bodies.openrouter,
    request_id_header="x-generation-id",
    request_id_prefix="gen-",
    events_type="text/event-stream",
    cache_unit=1,
    cache_writes=True,
    chat=Chat(
        id_prefix="gen-",
        switch="reasoning",
        every={"role": "assistant", "content": ""},
        closing={"role": "assistant", "content": ""},
        chunk={"provider": "Anthropic"},
        choice={},
        native_finish=True,
        reasoning="details",
        usage=("tail",),
        tail_repeats=True,
        usage_style="openrouter",
        comment="OPENROUTER PROCESSING",
        comments=3,
        error_chunk="choice",
        done_after_error=True,
    ),
)
