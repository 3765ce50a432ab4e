"""What the guides in docs/guides/ads may say of an ad platform: drawn from the code that asks it."""

from __future__ import annotations

from datetime import timedelta

from webapp.ads import google, google_signin, meta, meta_graph, meta_wire, sync
from webapp.ads.faults import explain
from webapp.ads.imports import uploads
from webapp.ads.money import META_WHOLE
from webapp.ads.platform import Trouble
from webapp.analytics import pace, shop
from webapp.pages import collect, imports, web

TOLD = (  # what people meet, the most frequent first
    Trouble.TOKEN,
    Trouble.PERMISSION,
    Trouble.THROTTLED,
    Trouble.CHECKPOINT,
    Trouble.NOT_FOUND,
    Trouble.POLICY,
    Trouble.TOO_MUCH,
    Trouble.UNREACHABLE,
    Trouble.VERSION,
)


def of(platform: str) -> dict[str, str]:
    """The facts of one guide: "meta", "google", "import" or "collector"."""
    if platform == "import":
        return _of_import()
    if platform == "collector":
        return _of_collector()
    drawn = {
        "ads.first_days": str(sync.FIRST),
        "ads.again_days": str(sync.AGAIN),
        "ads.every_hours": str(sync.EVERY // timedelta(hours=1)),
        "ads.errors": _errors(platform),
    }
    return drawn | (_of_meta() if platform == "meta" else _of_google())


def _of_meta() -> dict[str, str]:
    return {
        "meta.url": meta.GRAPH,
        "meta.version": meta.VERSION,
        "meta.purchases": ", then ".join(f"`{each}`" for each in meta_wire.PURCHASES),
        "meta.whole": ", ".join(sorted(META_WHOLE)),
        "meta.slow": f"{meta_graph.SLOW_FROM:.0f}",
        "meta.stop": f"{meta_graph.STOP_FROM:.0f}",
        "meta.pages": ", ".join(str(each) for each in meta_graph.LIMITS),
    }


def _of_google() -> dict[str, str]:
    return {
        "google.url": google.GOOGLE_ADS,
        "google.version": google.VERSION,
        "google.token_url": google_signin.TOKEN_URL,
    }


def _of_import() -> dict[str, str]:
    return {
        "import.megabytes": str(imports.MOST_BYTES // 2**20),
        "import.minutes": str(uploads.LIFETIME // timedelta(minutes=1)),
        "import.uploads": f"{imports.UPLOADS} in {imports.PER // 60} minutes",
    }


def _of_collector() -> dict[str, str]:
    return {
        "collector.bytes": f"{collect.LARGEST:,}",
        "collector.per_address": f"{pace.PER_ADDRESS:,}",
        "collector.per_shop": f"{pace.PER_SHOP:,}",
        "collector.sites": str(shop.MOST_ORIGINS),
        "collector.script_bytes": f"{(web.STATIC / 'collect.js').stat().st_size:,}",
    }


def _errors(platform: str) -> str:
    told = [explain(trouble, platform) for trouble in TOLD]
    return "\n".join(["| You read | What to do |", "| --- | --- |", *(f"| {it.title} | {it.hint} |" for it in told)])
