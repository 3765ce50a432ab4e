"""Z.ai (GLM): error codes of digits, whole calls unless streaming of them is asked for."""

from __future__ import annotations

from simulator.dialects import openai_chat
from simulator.errors import Failure
from simulator.flavour import Chat, Flavour
from simulator.flavours import bodies, lists
from simulator.flavours.history import AUTO_ONLY
from simulator.models import Model, Price

ZAI = Flavour(
    slug="zai",
    prefix="/zai",
    keys=("",),
    models=(
        Model(
            "glm-5.3",
            "GLM-5.3",
            "glm-5",
            "2026-09-15",
            cache_min=64,
            thinks=True,
            always=True,
            sees=False,
            price=Price(1.4, 4.4, 0.26),
        ),
        Model(
            "glm-5.3-flash",
            "GLM-5.3 Flash",
            "glm-5",
            "2026-09-15",
            cache_min=64,
            thinks=True,
            always=True,
            price=Price(0.1, 0.4, 0.02),
        ),
        Model(
            "glm-4.7",
            "GLM-4.7",
            "glm-4",
            "2025-12-22",
            max_input=200_000,
            cache_min=64,
            thinks=True,
            sees=False,
            price=Price(0.6, 2.2, 0.11),
        ),
    ),
    speaks={"POST /api/paas/v4/chat/completions": openai_chat},
    lists={"GET /api/paas/v4/models": lists.openai("z-ai")},
    failures={
        "invalid": Failure(400, "{message}", code="1210"),
        "revoked": Failure(401, "Authentication Failed", code="1000"),
        "nokey": Failure(401, "Authentication parameter not received in Header, unable to authenticate", code="1001"),
        "expired": Failure(401, "Authentication Token has expired, please regenerate/obtain", code="1003"),
        "nocredit": Failure(429, "Insufficient balance or no resource package. Please recharge.", code="1113"),
        "planned": Failure(
            429, "Usage limit reached for 5 hour. Your limit will reset at 2026-11-24 18:00:00", code="1308"
        ),
        "forbidden": Failure(403, "Your account has been locked, please contact customer service", code="1112"),
        "barred": Failure(403, "You do not have permission to access {model}", code="1220"),
        "unplanned": Failure(429, "The current subscription plan does not yet include access to {model}", code="1311"),
        "nomodel": Failure(400, "Unknown Model, please check the model code.", code="1211"),
        "ratelimited": Failure(429, "Rate limit reached for requests", code="1302"),
        "overloaded": Failure(429, "The service may be temporarily overloaded, please try again later", code="1305"),
        "server": Failure(500, "Internal network failure, please try again later", code="1234"),
        "context": Failure(400, "Prompt exceeds max length", code="1261"),
        "moderated": Failure(
            400,
            "System detected potentially unsafe or sensitive content in input or generation. "
            "Please avoid using prompts that may generate sensitive content.",
            code="1301",
        ),
        "unanswered": Failure(400, "The messages parameter is illegal. Please check the documentation.", code="1214"),
        "unasked": Failure(400, "The messages parameter is illegal. Please check the documentation.", code="1214"),
        "empty assistant": Failure(
            400, "The messages parameter is illegal. Please check the documentation.", code="1214"
        ),
        "tool choice": Failure(400, "API call parameters are incorrect: tool_choice only supports auto", code="1210"),
        "always thinks": Failure(400, "The model {model} does not support thinking disabled", code="1210"),
    },
    body=bodies.zai,
    error_type="",
    request_id_header="x-log-id",
    request_id_prefix="",
    chat=Chat(
        max_fields=("max_tokens",),
        choices=AUTO_ONLY,
        choices_thinking=AUTO_ONLY,
        switch="thinking",
        every={"role": "assistant"},
        closing={"role": "assistant", "content": ""},
        choice={},
        finish_null=False,
        whole_calls=True,
        streams_on_request=True,
        usage=("finish",),
        usage_style="zai",
        stops={"content_filter": "sensitive"},
    ),
)
