"""Model lists as the providers give them: the same facts in eight shapes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from simulator.flavour import Arrival
from simulator.models import Model
from simulator.values import Json

_XAI_UNIT = 10_000  # of a dollar a million tokens


def _created(model: Model) -> int:
    return int(datetime.fromisoformat(model.released).replace(tzinfo=UTC).timestamp())


def openai(owner: str, *, created: bool = True) -> Callable[[Arrival], Json]:
    """`{"object": "list", "data": [{id, object, created, owned_by}]}`, or one of these."""

    def entry(model: Model) -> Json:
        when = {"created": _created(model)} if created else {}
        return {"id": model.id, "object": "model", **when, "owned_by": owner}

    def listed(arrival: Arrival) -> Json:
        if arrival.rest:
            return entry(_asked(arrival))
        return {"object": "list", "data": [entry(model) for model in arrival.flavour.models]}

    return listed


def xai(arrival: Arrival) -> Json:
    """`/language-models`, with prices."""
    return {
        "models": [
            {
                "id": model.id,
                "fingerprint": "fp_simulated",
                "created": _created(model),
                "object": "model",
                "owned_by": "xai",
                "version": "1.0",
                "input_modalities": ["text", "image"] if model.sees else ["text"],
                "output_modalities": ["text"],
                "prompt_text_token_price": round(model.price.input * _XAI_UNIT),
                "cached_prompt_text_token_price": round(model.price.cached * _XAI_UNIT),
                "prompt_image_token_price": round(model.price.input * _XAI_UNIT),
                "completion_text_token_price": round(model.price.output * _XAI_UNIT),
                "aliases": [model.alias] if model.alias else [],
            }
            for model in arrival.flavour.models
        ]
    }


def google(arrival: Arrival) -> Json:
    """Page by page: `pageSize` and `pageToken`."""
    if arrival.rest:
        return _gemini(_asked(arrival))
    size = arrival.query.get("pageSize", "50")
    start = arrival.query.get("pageToken", "0")
    if not size.isdigit() or not start.isdigit():
        raise arrival.flavour.invalid("Page token is not valid.")
    models, at, most = arrival.flavour.models, int(start), max(1, int(size))
    more = {"nextPageToken": str(at + most)} if at + most < len(models) else {}
    return {"models": [_gemini(model) for model in models[at : at + most]], **more}


def _gemini(model: Model) -> Json:
    methods = ["generateContent", "countTokens", "createCachedContent", "batchGenerateContent"]
    chats = "embedding" not in model.id
    return {
        "name": f"models/{model.id}",
        "version": model.line.removeprefix("gemini-"),
        "displayName": model.name,
        "description": f"{model.name}, simulated.",
        "inputTokenLimit": model.max_input,
        "outputTokenLimit": model.max_output,
        "supportedGenerationMethods": methods if chats else ["embedContent"],
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
        **({"thinking": True} if model.thinks else {}),
    }


def openrouter(arrival: Arrival) -> Json:
    """Prices are text, in dollars a token."""
    return {"data": [_routed(model) for model in arrival.flavour.models]}


def _routed(model: Model) -> Json:
    kinds = ["text", "image"] if model.sees else ["text"]
    known = ["max_tokens", "stop", "temperature", "tool_choice", "tools"]
    return {
        "id": model.id,
        "canonical_slug": model.id,
        "hugging_face_id": "",
        "name": model.name,
        "created": _created(model),
        "description": f"{model.name}, simulated.",
        "context_length": model.max_input,
        "architecture": {
            "modality": f"{'+'.join(kinds)}->text",
            "input_modalities": kinds,
            "output_modalities": ["text"],
            "tokenizer": "Other",
            "instruct_type": None,
        },
        "pricing": {
            "prompt": _dollars(model.price.input),
            "completion": _dollars(model.price.output),
            "input_cache_read": _dollars(model.price.cached),
        },
        "top_provider": {
            "context_length": model.max_input,
            "max_completion_tokens": model.max_output,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": [*known, *(["include_reasoning", "reasoning"] if model.thinks else [])],
        "default_parameters": {},
        "expiration_date": None,
    }


def _dollars(price: float) -> str:
    return f"{price / 1_000_000:.10f}".rstrip("0").rstrip(".")


def mistral(arrival: Arrival) -> Json:
    """An alias is an entry of its own, as the real list has it."""
    names = [(name, model) for model in arrival.flavour.models for name in (model.id, model.alias) if name]
    return {"object": "list", "data": [_capable(name, model) for name, model in names]}


def _capable(name: str, model: Model) -> Json:
    abilities = {
        "completion_chat": True,
        "function_calling": True,
        "completion_fim": False,
        "fine_tuning": False,
        "vision": model.sees,
        "ocr": False,
        "classification": False,
        "moderation": False,
        "audio": False,
        "reasoning": model.thinks,
    }
    other = model.id if name == model.alias else model.alias
    return {
        "id": name,
        "object": "model",
        "created": _created(model),
        "owned_by": "mistralai",
        "capabilities": abilities,
        "name": model.id,
        "description": f"{model.name}, simulated.",
        "max_context_length": model.max_input,
        "aliases": [other] if other else [],
        "deprecation": None,
        "deprecation_replacement_model": None,
        "default_model_temperature": 0.3,
        "type": "base",
    }


def groq(arrival: Arrival) -> Json:
    """Also what cannot chat."""
    speech = {
        "id": "whisper-large-v3-turbo",
        "object": "model",
        "created": 0,
        "owned_by": "OpenAI",
        "active": True,
        "context_window": 448,
        "max_completion_tokens": 448,
        "public_apps": None,
    }
    chats = [
        {
            "id": model.id,
            "object": "model",
            "created": _created(model),
            "owned_by": "Groq",
            "active": True,
            "context_window": model.max_input,
            "max_completion_tokens": model.max_output,
            "public_apps": None,
        }
        for model in arrival.flavour.models
    ]
    return {"object": "list", "data": [speech, *chats]}


def moonshot(arrival: Arrival) -> Json:
    return {
        "object": "list",
        "data": [
            {
                "id": model.id,
                "object": "model",
                "created": _created(model),
                "owned_by": "moonshot",
                "context_length": model.max_input,
                "supports_image_in": model.sees,
                "supports_video_in": False,
                "supports_reasoning": model.thinks,
            }
            for model in arrival.flavour.models
        ],
    }


def together(arrival: Arrival) -> list[Json]:
    """A bare array."""
    return [
        {
            "id": model.id,
            "object": "model",
            "created": _created(model),
            "type": "chat",
            "display_name": model.name,
            "organization": model.id.partition("/")[0],
            "link": "",
            "license": "",
            "context_length": model.max_input,
            "pricing": {
                "hourly": 0,
                "input": model.price.input,
                "output": model.price.output,
                "cached_input": model.price.cached,
                "base": 0,
                "finetune": 0,
            },
        }
        for model in arrival.flavour.models
    ]


def fireworks(arrival: Arrival) -> Json:
    return {
        "object": "list",
        "data": [
            {
                "id": model.id,
                "object": "model",
                "owned_by": "fireworks",
                "created": _created(model),
                "kind": "HF_BASE_MODEL",
                "supports_chat": True,
                "supports_image_input": model.sees,
                "supports_tools": True,
                "context_length": model.max_input,
            }
            for model in arrival.flavour.models
        ],
    }


def _asked(arrival: Arrival) -> Model:
    model = arrival.flavour.find(arrival.rest)
    if model is None:
        raise arrival.flavour.failure("nomodel", model=arrival.rest)
    return model
