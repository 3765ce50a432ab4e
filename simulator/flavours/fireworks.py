"""Fireworks."""

from __future__ import annotations

from simulator.dialects import openai_chat
from simulator.errors import Failure
from simulator.flavour import Chat, Flavour
from simulator.flavours import bodies, lists
from simulator.flavours.history import INVALID, MISFITS
from simulator.models import Model, Price

FIREWORKS = Flavour(
    slug="fireworks",
    prefix="/fireworks",
    keys=("fw_",),
    models=(
        Model(
            "accounts/fireworks/models/gpt-oss-120b",
            "OpenAI gpt-oss-120b",
            "gpt-oss",
            "2025-08-05",
            max_input=131_072,
            max_output=65_536,
            cache_min=1024,
            thinks=True,
            sees=False,
            price=Price(0.15, 0.6, 0.015),
        ),
        Model(
            "accounts/fireworks/models/gpt-oss-20b",
            "OpenAI gpt-oss-20b",
            "gpt-oss",
            "2025-08-05",
            max_input=131_072,
            max_output=65_536,
            cache_min=1024,
            sees=False,
            price=Price(0.07, 0.3, 0.035),
        ),
    ),
    speaks={"POST /inference/v1/chat/completions": openai_chat},
    lists={"GET /inference/v1/models": lists.fireworks},
    failures={
        **MISFITS,
        "invalid": Failure(400, "{message}", type=INVALID),
        "revoked": Failure(401, "The API key you provided is invalid.", type="error", code="UNAUTHORIZED"),
        "nokey": Failure(401, "The API key you provided is invalid.", type="error", code="UNAUTHORIZED"),
        "nocredit": Failure(
            412,
            "Account simulated is suspended, possibly due to reaching the monthly spending limit "
            "or failure to pay past invoices. Please go to https://fireworks.ai/account/billing for "
            "more information.",
            type="error",
            code="PRECONDITION_FAILED",
        ),
        "forbidden": Failure(403, "Forbidden", type="error", code="FORBIDDEN"),
        "barred": Failure(403, "Account simulated has no access to {model}", type="error", code="FORBIDDEN"),
        "nomodel": Failure(404, "Model not found, inaccessible, and/or not deployed", type="error", code="NOT_FOUND"),
        "ratelimited": Failure(
            429, "Too many requests. Please slow down.", type="error", code="RATE_LIMIT_EXCEEDED", retry_after=7
        ),
        "overloaded": Failure(
            503, "The service is overloaded, please try again later.", type="error", code="SERVICE_UNAVAILABLE"
        ),
        "server": Failure(500, "Internal server error", type="internal_server_error"),
        "context": Failure(
            400, "The prompt is too long: {tokens}, model maximum context length: {limit}", type=INVALID
        ),
    },
    body=bodies.openai,
    events_type="text/event-stream",
    chat=Chat(opening={"role": "assistant"}, choice={}, usage=("finish",), usage_style="mistral"),
)
