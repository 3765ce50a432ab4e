"""Cerebras: flat errors."""

from __future__ import annotations

from simulator.dialects import openai_chat
from simulator.errors import Failure
from simulator.flavour import Chat, Flavour
from simulator.flavours import bodies, lists
from simulator.flavours.history import INVALID, MISFITS
from simulator.models import Model, Price

CEREBRAS = Flavour(
    slug="cerebras",
    prefix="/cerebras",
    keys=("csk-",),
    models=(
        Model(
            "zai-glm-4.7",
            "GLM 4.7",
            "glm-4",
            "2026-01-10",
            max_input=131_072,
            max_output=40_960,
            cache_min=128,
            thinks=True,
            sees=False,
            price=Price(2.25, 2.75, 2.25),
        ),
        Model(
            "gpt-oss-120b",
            "GPT-OSS 120B",
            "gpt-oss",
            "2025-08-05",
            max_input=131_072,
            max_output=32_768,
            cache_min=128,
            thinks=True,
            sees=False,
            price=Price(0.35, 0.75, 0.35),
        ),
    ),
    speaks={"POST /v1/chat/completions": openai_chat},
    lists={"GET /v1/models": lists.openai("Cerebras")},
    failures={
        **MISFITS,
        "invalid": Failure(400, "{message}", type=INVALID),
        "revoked": Failure(401, "Wrong API Key", type=INVALID, param="api_key", code="wrong_api_key"),
        "nokey": Failure(401, "Wrong API Key", type=INVALID, param="api_key", code="wrong_api_key"),
        "nocredit": Failure(
            402,
            "Payment required to access this resource.",
            type="payment_required_error",
            param="quota",
            code="payment_required",
        ),
        "forbidden": Failure(403, "Access denied", type="permission_error", code="forbidden"),
        "barred": Failure(
            404,
            "Model {model} does not exist or you do not have access to it.",
            type="not_found_error",
            param="model",
            code="model_not_found",
        ),
        "nomodel": Failure(
            404,
            "Model {model} does not exist or you do not have access to it.",
            type="not_found_error",
            param="model",
            code="model_not_found",
        ),
        "ratelimited": Failure(
            429,
            "Requests per second limit exceeded - too many requests sent.",
            type="too_many_requests_error",
            param="quota",
            code="request_quota_exceeded",
            headers=(("retry-after-ms", "7000"),),
        ),
        "overloaded": Failure(
            503,
            "We're experiencing high traffic right now! Please try again soon.",
            type="too_many_requests_error",
            param="queue",
            code="queue_exceeded",
        ),
        "server": Failure(500, "Encountered a server error, please try again.", type="server_error"),
        "context": Failure(
            400,
            "Please reduce the length of the messages or completion. Current length is {tokens} while limit is {limit}",
            type=INVALID,
            param="messages",
            code="context_length_exceeded",
        ),
    },
    body=bodies.flat,
    limits="openai",
    events_type="text/event-stream",
    chat=Chat(
        id_prefix="chatcmpl-",
        opening={"role": "assistant"},
        choice={},
        reasoning="reasoning",
        whole_calls=True,
        usage=("finish",),
        usage_style="mistral",
    ),
)
