"""Together: a bare array of models, `eos`, usage in a chunk of its own."""

from __future__ import annotations

from simulator.dialects import openai_chat
from simulator.errors import Failure
from simulator.flavour import Chat, Flavour
from simulator.flavours import bodies, lists
from simulator.flavours.history import INVALID, MISFITS
from simulator.models import Model, Price

TOGETHER = Flavour(
    slug="together",
    prefix="/together",
    keys=("tgp_v1_", ""),
    models=(
        Model(
            "deepseek-ai/DeepSeek-V4-Flash-0731",
            "DeepSeek V4 Flash",
            "deepseek",
            "2026-07-31",
            cache_min=1024,
            thinks=True,
            sees=False,
            price=Price(0.14, 0.28, 0.028),
        ),
        Model(
            "openai/gpt-oss-20b",
            "OpenAI GPT-OSS 20B",
            "gpt-oss",
            "2025-08-05",
            max_input=131_072,
            max_output=32_768,
            cache_min=1024,
            sees=False,
            price=Price(0.05, 0.2, 0.05),
        ),
        Model(
            "meta-llama/Llama-3.3-70B-Instruct-Turbo",
            "Meta Llama 3.3 70B Instruct Turbo",
            "llama",
            "2024-12-06",
            max_input=131_072,
            max_output=32_768,
            cache_min=1024,
            sees=False,
            price=Price(0.88, 0.88, 0.88),
        ),
    ),
    speaks={"POST /v1/chat/completions": openai_chat},
    lists={"GET /v1/models": lists.together},
    failures={
        **MISFITS,
        "invalid": Failure(400, "{message}", type=INVALID),
        "revoked": Failure(
            401,
            "Invalid API key provided. You can find your API key at https://api.together.ai/settings/api-keys.",
            type=INVALID,
            code="invalid_api_key",
        ),
        "nokey": Failure(401, "Missing API key", type=INVALID, code="missing_api_key"),
        "nocredit": Failure(
            402,
            "Credit limit exceeded, please navigate to https://api.together.ai/settings/billing to add credit.",
            type="credit_limit",
            code="credit_limit",
        ),
        "forbidden": Failure(403, "You do not have permission to do this", type="permission_error"),
        "barred": Failure(
            403,
            "Your account does not have access to the model {model}",
            type="permission_error",
            code="model_not_available",
        ),
        "nomodel": Failure(
            404,
            "Unable to access model {model}. Please visit https://api.together.ai/models to view "
            "the list of supported models.",
            type=INVALID,
            code="model_not_available",
        ),
        "ratelimited": Failure(
            429,
            "You have reached the rate limit specific to this model {model}. Please retry later.",
            type="rate_limit",
            code="rate_limit",
            retry_after=7,
        ),
        "overloaded": Failure(
            503, "The server is overloaded or not ready yet.", type="service_unavailable", code="overloaded"
        ),
        "engine": Failure(529, "The server is overloaded or not ready yet.", type="engine_overloaded"),
        "server": Failure(500, "Internal server error", type="server_error"),
        "context": Failure(
            422,
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= {limit}. Given: "
            "{tokens} `inputs` tokens",
            type=INVALID,
        ),
    },
    body=bodies.openai,
    limits="openai",
    events_type="text/event-stream",
    chat=Chat(
        opening={"role": "assistant", "content": ""},
        choice={"logprobs": None, "text": "", "seed": None},
        reasoning="reasoning",
        usage=("tail",),
        usage_style="plain",
        stops={"stop": "eos"},
    ),
)
