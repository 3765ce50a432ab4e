"""Writes webapp/llm/model_catalog.json, prices and abilities of models, from two packages on PyPI: `make catalog`.

It runs in an environment of its own (.venv/catalog), which holds litellm (only its price table is read; nothing of it
is run) and genai-prices. litellm goes first, since it knows abilities too; genai-prices adds names and the models that
litellm lacks. Both are under the MIT licence; prices are facts. What neither says is left out.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from genai_prices.data import providers as genai_providers

TARGET = Path(__file__).parent / "webapp" / "llm" / "model_catalog.json"
TABLE = "model_prices_and_context_window_backup.json"
ABOUT = (
    "Prices are facts in USD per million tokens: in, out, cr (cache read), cw (cache write, 5 minutes where there are "
    "two kinds), cw1h (1-hour cache write), long_ctx {input tokens: [in, out]} beyond a threshold. ctx and max_out are "
    "tokens; cache_min is the smallest prefix that is cached; thinks says that it can reason aloud. Ids are in lower "
    "case. An absent field is unknown."
)
SOURCES = {
    "litellm": f"{TABLE} (MIT licence, https://github.com/BerriAI/litellm)",
    "genai-prices": "its data (MIT licence, https://github.com/pydantic/genai-prices)",
}
PROVIDERS = {  # our slug -> their names: litellm's, genai-prices'
    "anthropic": ("anthropic", "anthropic"),
    "openai": ("openai", "openai"),
    "google": ("gemini", "google"),
    "mistral": ("mistral", "mistral"),
    "zai": ("zai", "zai"),
    "deepseek": ("deepseek", "deepseek"),
    "xai": ("xai", "x-ai"),
    "groq": ("groq", "groq"),
    "moonshot": ("moonshot", "moonshotai"),
    "together": ("together_ai", "together"),
    "fireworks": ("fireworks_ai", "fireworks"),
    "cerebras": ("cerebras", "cerebras"),
}
SAYS_ITSELF = {"anthropic"}  # whose own list says which of its models think, and how
COSTS = {
    "in": "input_cost_per_token",
    "out": "output_cost_per_token",
    "cr": "cache_read_input_token_cost",
    "cw": "cache_creation_input_token_cost",
    "cw1h": "cache_creation_input_token_cost_above_1hr",
}
GENAI_PRICES = {
    "in": "input_mtok",
    "out": "output_mtok",
    "cr": "cache_read_mtok",
    "cw": "cache_write_mtok",
    "cw1h": "cache_write_1h_mtok",
}
NO_CHAT = re.compile(r"embed|moderation|whisper|tts|transcribe|rerank|image|audio|realtime|ocr|-live|robotics|guard")

Entry = dict[str, Any]


def main() -> None:
    now = datetime.now(UTC)
    prices = litellm_prices()
    tables = {slug: table(slug, prices, now) for slug in PROVIDERS}
    head = {
        "generated": now.date().isoformat(),
        "about": ABOUT,
        "sources": [f"{name} {version(name)}, {where}" for name, where in SOURCES.items()],
    }
    TARGET.write_text(written(head, tables), "utf-8")
    sys.stdout.write(f"{sum(map(len, tables.values()))} models of {len(tables)} providers in {TARGET.name}\n")


def table(slug: str, prices: Mapping[str, Entry], now: datetime) -> dict[str, Entry]:
    """The entries of a provider by id, sorted."""
    litellm, genai = PROVIDERS[slug]
    found: dict[str, Entry] = {}
    for id, entry in [*of_litellm(litellm, prices), *of_genai(genai, now)]:
        if slug in SAYS_ITSELF:
            entry.pop("thinks", None)
        if {"in", "out"} <= set(entry) and not NO_CHAT.search(id):
            found[id] = {**entry, **found.get(id, {})}
    return {id: sparse(found[id]) for id in sorted(found)}


# --- litellm ------------------------------------------------------------------------------------------------------


def litellm_prices() -> dict[str, Entry]:
    """Its table, without importing the package."""
    spec = find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("litellm is not installed here: run make catalog")
    prices: dict[str, Entry] = json.loads((Path(spec.submodule_search_locations[0]) / TABLE).read_text("utf-8"))
    return prices


def of_litellm(provider: str, prices: Mapping[str, Entry]) -> Iterator[tuple[str, Entry]]:
    for name, said in prices.items():
        if said.get("litellm_provider") == provider and said.get("mode") in ("chat", "responses"):
            yield name.removeprefix(f"{provider}/").lower(), sparse(litellm_entry(said))


def litellm_entry(said: Mapping[str, Any]) -> Entry:
    return {
        "ctx": said.get("max_input_tokens"),
        "max_out": said.get("max_output_tokens"),
        "tools": said.get("supports_function_calling"),
        "vision": said.get("supports_vision"),
        "thinks": True if said.get("supports_reasoning") else None,
        **{ours: million(said.get(theirs)) for ours, theirs in COSTS.items()},
        "cache_min": said.get("prompt_cache_min_tokens"),
        "long_ctx": litellm_steps(said),
    }


def litellm_steps(said: Mapping[str, Any]) -> dict[str, list[float | None]] | None:
    for name in said:
        step = re.fullmatch(r"input_cost_per_token_above_(\d+k)_tokens", name)
        if step:
            out = said.get(f"output_cost_per_token_above_{step[1]}_tokens", said.get("output_cost_per_token"))
            return {step[1]: [million(said[name]), million(out)]}
    return None


def million(price: Any) -> float | None:
    return None if price is None else round(float(price) * 1_000_000, 6)


# --- genai-prices -------------------------------------------------------------------------------------------------


def of_genai(provider: str, now: datetime) -> Iterator[tuple[str, Entry]]:
    models: list[Any] = next((p.models for p in genai_providers if p.id == provider), [])
    for model in models:
        prices = model.get_prices(now)
        entry: Entry = {"name": model.name, "ctx": model.context_window}
        for ours, theirs in GENAI_PRICES.items():
            price = getattr(prices, theirs, None)
            entry[ours] = plain(getattr(price, "base", price))
        yield model.id.lower(), sparse(entry)


def plain(price: Any) -> float | None:
    return None if price is None else float(price)


# --- writing ------------------------------------------------------------------------------------------------------

ORDER = ("name", "ctx", "max_out", "tools", "vision", "thinks", *COSTS, "cache_min", "long_ctx")


def sparse(entry: Entry) -> Entry:
    return {name: entry[name] for name in ORDER if entry.get(name) is not None}


def written(head: Entry, tables: Mapping[str, Mapping[str, Entry]]) -> str:
    """JSON with one model a line, so that a refresh shows what changed."""
    lines = [
        f'  "{name}": {json.dumps(value, indent=2).replace(chr(10), chr(10) + "  ")},' for name, value in head.items()
    ]
    lines.append('  "providers": {')
    blocks = []
    for slug, entries in tables.items():
        models = ",\n".join(
            f"      {json.dumps(id)}: {json.dumps(entry, ensure_ascii=False)}" for id, entry in entries.items()
        )
        blocks.append(f'    "{slug}": {{\n{models}\n    }}')
    return "{\n" + "\n".join(lines) + "\n" + ",\n".join(blocks) + "\n  }\n}\n"


if __name__ == "__main__":
    main()
