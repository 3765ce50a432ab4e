"""Google's Gemini API."""

from __future__ import annotations

from simulator.dialects import gemini
from simulator.errors import Failure
from simulator.flavour import Flavour
from simulator.flavours import lists
from simulator.models import Model, Price

_VERSIONS = ("v1beta", "v1")
_BAD_KEY = "API key not valid. Please pass a valid API key."
_NO_TOKEN = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
_QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
    "head to: https://ai.google.dev/gemini-api/docs/rate-limits. To monitor your current usage, head to: "
    "https://ai.dev/rate-limit. \n"
)
_NO_SIGNATURE = (
    "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, "
    "and missing thought_signature may lead to degraded model performance. Additional data, function call "
    "`default_api:{name}` , position {position}. Please refer to "
    "https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
)
_PER_MINUTE = gemini.quota_failure("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")
_PER_DAY = gemini.quota_failure("GenerateRequestsPerDayPerProjectPerModel-FreeTier")

GOOGLE = Flavour(
    slug="google",
    prefix="/google",
    keys=("AQ.", "AIza"),
    models=(
        Model(
            "gemini-4-argon",
            "Gemini 4 Argon",
            "gemini-4",
            "2026-10-01",
            max_input=2_097_152,
            max_output=131_072,
            cache_min=4096,
            thinks=True,
            always=True,
            price=Price(2.5, 15, 0.125),
        ),
        Model(
            "gemini-3.8-flash",
            "Gemini 3.8 Flash",
            "gemini-3",
            "2026-08-01",
            alias="gemini-flash-latest",
            max_input=1_048_576,
            max_output=65_536,
            cache_min=4096,
            thinks=True,
            price=Price(0.5, 3, 0.05),
        ),
        Model(
            "gemini-3.5-flash-lite",
            "Gemini 3.5 Flash-Lite",
            "gemini-3",
            "2026-04-01",
            alias="gemini-flash-lite-latest",
            max_input=1_048_576,
            max_output=65_536,
            cache_min=4096,
            price=Price(0.15, 0.6, 0.015),
        ),
        Model(
            "gemini-2.5-flash",
            "Gemini 2.5 Flash",
            "gemini-2.5",
            "2025-06-17",
            max_input=1_048_576,
            max_output=65_536,
            cache_min=2048,
            thinks=True,
            price=Price(0.3, 2.5, 0.03),
        ),
        Model(
            "gemini-2.0-flash",
            "Gemini 2.0 Flash",
            "gemini-2.0",
            "2025-02-05",
            max_input=1_048_576,
            max_output=8192,
            cache_min=2048,
            price=Price(0.1, 0.4, 0.025),
        ),
    ),
    speaks={
        f"POST /{version}/models/*:{verb}": gemini
        for version in _VERSIONS
        for verb in ("streamGenerateContent", "generateContent")
    },
    lists={f"GET /{version}/models{one}": lists.google for version in _VERSIONS for one in ("", "/*")},
    failures={
        "invalid": Failure(400, "{message}"),
        "revoked": Failure(400, _BAD_KEY, details=gemini.error_info("API_KEY_INVALID", _BAD_KEY)),
        "nokey": Failure(
            403,
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or "
            "other form of API consumer identity to call this API.",
        ),
        "unbound": Failure(401, _NO_TOKEN, details=gemini.error_info("ACCESS_TOKEN_TYPE_UNSUPPORTED", _NO_TOKEN)),
        "forbidden": Failure(
            403,
            "Your project has been denied access. Please contact support.",
            details=gemini.error_info("CONSUMER_SUSPENDED", "Your project has been denied access."),
        ),
        "barred": Failure(403, "You do not have permission to use models/{model}."),
        "nomodel": Failure(
            404,
            "models/{model} is not found for API version v1beta, or is not supported for generateContent. Call "
            "ListModels to see the list of available models and their supported methods.",
        ),
        "ratelimited": Failure(429, f"{_QUOTA}Please retry in 7.4s.", retry_after=7, details=_PER_MINUTE),
        "nocredit": Failure(429, _QUOTA, details=_PER_DAY),
        "unbilled": Failure(
            400,
            "Gemini API free tier is not available in your country. Please enable billing on your project in Google AI "
            "Studio.",
            type="FAILED_PRECONDITION",
        ),
        "region": Failure(400, "User location is not supported for the API use.", type="FAILED_PRECONDITION"),
        "overloaded": Failure(503, "The model is overloaded. Please try again later."),
        "server": Failure(
            500,
            "An internal error has occurred. Please retry or report in "
            "https://developers.generativeai.google/guide/troubleshooting",
        ),
        "timeout": Failure(504, "The request timed out. Please try again."),
        "context": Failure(
            400, "The input token count ({tokens}) exceeds the maximum number of tokens allowed ({limit})."
        ),
        "no reasoning": Failure(400, _NO_SIGNATURE),
        "bad reasoning": Failure(400, "Corrupted thought signature."),
    },
    body=gemini.error_body,
    key_headers=("x-goog-api-key",),
    request_id_header="x-request-id",
    answer_id=("", 22),
    cache_unit=32,
    says_retry_after=False,
    events_type="text/event-stream",
    error_type="application/json; charset=UTF-8",
    stream_error_type="text/event-stream",
)
