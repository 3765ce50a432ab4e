"""What chat completions and Responses have in common: bodies, limits, the order of calls and results, usage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence

from simulator.flavour import Answer, Arrival, Flavour
from simulator.values import Json

SENSIBLE_LIMIT = 16_000  # tokens of an answer when the request names none
_NOISE = "abcdefghijklmnopqrstuvwxyz0123456789"
_AUDIO = {"audio_tokens": 0}


def body_of(arrival: Arrival) -> Json:
    """The request as JSON. Raises ApiError if it is none."""
    try:
        raw = json.loads(arrival.body)
    except ValueError:
        raw = None
    if not isinstance(raw, dict):
        raise arrival.flavour.invalid("We could not parse the JSON body of your request.")
    return raw


def limit_of(flavour: Flavour, raw: Json, names: Sequence[str], most: int) -> int:
    """The largest answer a request allows, from the first of `names` that it has."""
    for name in names:
        value = raw.get(name)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise flavour.invalid(f"Invalid '{name}': integer below minimum value. Expected a value >= 1.", param=name)
        if value > most:
            raise flavour.invalid(
                f"{name} is too large: {value}. This model supports at most {most} completion tokens.", param=name
            )
        return value
    return SENSIBLE_LIMIT


def checked_results(steps: Sequence[tuple[str, list[str]]]) -> Iterator[tuple[str, str]]:
    """(problem, id) of what is wrong with a history of `call` and `answer` steps, each with its ids.

    A call is `unanswered` when something else comes before its answer; an answer to no open call is `unasked`.
    """
    open_calls: list[str] = []
    for kind, ids in steps:
        if kind == "answer":
            for id in ids:
                if id not in open_calls:
                    yield "unasked", id
                else:
                    open_calls.remove(id)
        else:
            if open_calls:
                yield "unanswered", open_calls[0]
            open_calls = list(ids)
    if open_calls:
        yield "unanswered", open_calls[0]


def image() -> Json:
    return {"type": "image", "source": {}}


def noise(data: str) -> str:
    """Of a length that has nothing to do with that of the data."""
    return _NOISE[: int(hashlib.sha256(data.encode()).hexdigest(), 16) % len(_NOISE)]


def usage_of(answer: Answer) -> Json:
    """`usage` of chat completions, in the style of the provider."""
    used, reply, flavour = answer.usage, answer.reply, answer.flavour
    plain: Json = {
        "prompt_tokens": used.total,
        "completion_tokens": reply.tokens,
        "total_tokens": used.total + reply.tokens,
    }
    cached: Json = {"cached_tokens": used.read}
    if flavour.cache_writes:
        cached["cache_write_tokens"] = used.written_5m
    reasoning: Json = {"reasoning_tokens": reply.thinking_tokens}
    match flavour.chat.usage_style:
        case "openai":
            return plain | {
                "prompt_tokens_details": cached | _AUDIO,
                "completion_tokens_details": reasoning
                | _AUDIO
                | {"accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
            }
        case "deepseek":
            split = {"prompt_cache_hit_tokens": used.read, "prompt_cache_miss_tokens": used.total - used.read}
            return plain | {"prompt_tokens_details": cached, "completion_tokens_details": reasoning} | split
        case "openrouter":
            return plain | _costs(answer) | {"prompt_tokens_details": cached, "completion_tokens_details": reasoning}
        case "groq":
            times = {"queue_time": 0.02, "prompt_time": 0.01, "completion_time": 0.1, "total_time": 0.11}
            thought = {"completion_tokens_details": reasoning} if reply.thinking_tokens else {}
            hit = {"prompt_tokens_details": cached} if used.read else {}
            return plain | times | hit | thought
        case "mistral":
            return plain | {"prompt_tokens_details": cached}
        case "moonshot":
            return plain | cached | {"prompt_tokens_details": cached}
        case "plain":
            return plain
    return plain | {"prompt_tokens_details": cached, "completion_tokens_details": reasoning}


def _costs(answer: Answer) -> Json:
    used, price = answer.usage, answer.prompt.model.price
    asked = ((used.total - used.read) * price.input + used.read * price.cached) / 1_000_000
    said = answer.reply.tokens * price.output / 1_000_000
    details = {
        "upstream_inference_cost": None,
        "upstream_inference_prompt_cost": round(asked, 9),
        "upstream_inference_completions_cost": round(said, 9),
    }
    return {"cost": round(asked + said, 9), "is_byok": False, "cost_details": details}
