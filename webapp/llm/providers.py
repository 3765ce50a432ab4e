"""The providers, one record each. What differs between two providers of one dialect is data here, never an `if`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from webapp.llm.errors import Kind
from webapp.llm.quirks import ChatQuirks, ResponsesQuirks, Verdict


@dataclass(frozen=True)
class WrongKey:
    """A known kind of key that cannot chat, recognised by its prefix, with the sentence that says so."""

    prefix: str
    says: str


@dataclass(frozen=True)
class Provider:
    slug: str
    name: str
    dialect: str  # a module name in llm/dialects
    base_url: str
    keys_url: str  # where a key is created and revoked
    usage_url: str
    billing_url: str
    key_hint: str  # what a key looks like, shown in the form
    key_prefix: str  # soft: a mismatch only warns
    wrong_keys: tuple[WrongKey, ...] = ()
    probe_model: str = ""  # used when the model list cannot be read
    logo: str = ""  # static/logos/<logo>.svg
    model_prefix: str = ""  # only models whose ids begin so are offered
    chats: str = ""  # pattern: where given, only listed models that match it can chat
    never_chats: str = ""  # pattern: listed models that cannot
    probe_listed: bool = False  # test with it even if the list has a cheaper one
    probe_tokens: int = 1  # the shortest answer that its models can be asked for
    chat: ChatQuirks = field(default_factory=ChatQuirks)  # how it speaks openai_chat
    responses: ResponsesQuirks = field(default_factory=ResponsesQuirks)  # how it speaks openai_responses
    patience: int = 1  # how many times longer than usual a test call may take
    self_hosted: bool = False  # each workspace types the address of its own, which may want no key
    cache_kept: int = 300  # seconds that its cache keeps what nobody reads, at least
    cache_hour: bool = False  # or an hour, if it is asked to
    price_note: str = ""  # a sentence: when it charges something else than our list says
    demo: bool = False

    def offers(self, model: str) -> bool:
        """Whether a model that it lists is one to chat with, as far as its id tells."""
        if not model or not model.startswith(self.model_prefix):
            return False
        return bool(re.search(self.chats, model)) and not (self.never_chats and re.search(self.never_chats, model))


ANTHROPIC = Provider(
    slug="anthropic",
    name="Anthropic",
    dialect="anthropic_messages",
    base_url="https://api.anthropic.com",
    keys_url="https://platform.claude.com/settings/keys",
    usage_url="https://platform.claude.com/usage",
    billing_url="https://platform.claude.com/settings/billing",
    key_hint="sk-ant-api03-…",
    key_prefix="sk-ant-",
    wrong_keys=(
        WrongKey(
            "sk-ant-admin",
            "This is an Anthropic admin key. It manages an organisation and cannot chat. Create an API key instead.",
        ),
        WrongKey(
            "sk-ant-oat",
            "This is an OAuth token of a Claude subscription, not an API key. Create an API key instead.",
        ),
        WrongKey(
            "sk-ant-ort",
            "This is an OAuth refresh token, not an API key. Create an API key in the console instead.",
        ),
        WrongKey(
            "sk-ant-sid",
            "This is a browser session key of claude.ai, not an API key. Create an API key in the console instead.",
        ),
    ),
    probe_model="claude-haiku-4-5",
    logo="anthropic",
    cache_hour=True,
)

KIMI_IDS = r"[A-Za-z0-9_.:-]{1,64}"  # Kimi's calls are called functions.name:0, wherever it runs

OPENROUTER = Provider(
    slug="openrouter",
    name="OpenRouter",
    dialect="openai_chat",
    base_url="https://openrouter.ai/api/v1",
    keys_url="https://openrouter.ai/settings/keys",
    usage_url="https://openrouter.ai/activity",
    billing_url="https://openrouter.ai/settings/credits",
    key_hint="sk-or-v1-…",
    key_prefix="sk-or-",
    probe_model="openai/gpt-6-luna",
    probe_listed=True,
    probe_tokens=16,  # some of the providers behind it refuse less
    logo="openrouter",
    chat=ChatQuirks(
        stream_options=False,
        user="user",
        cache_key="session_id",
        with_tools={"provider": {"require_parameters": True}},
        thinking={"reasoning": {"enabled": True}},
        marks_cache=("anthropic/", "qwen/", "google/"),
        echo=("reasoning_details", "reasoning"),
        echoes_extras=True,
        models_path="/models/user?output_modalities=text",
        check_path="/key",
        verdicts=(
            Verdict(
                "data.is_management_key",
                True,
                Kind.KEY_FORBIDDEN,
                "This is an OpenRouter management key. It makes other keys and cannot chat. Create an API key instead.",
            ),
            Verdict("data.limit_remaining", 0, Kind.NO_CREDIT, "The spending limit of this key is used up."),
        ),
    ),
)

MISTRAL = Provider(
    slug="mistral",
    name="Mistral",
    dialect="openai_chat",
    base_url="https://api.mistral.ai/v1",
    keys_url="https://console.mistral.ai/api-keys",
    usage_url="https://admin.mistral.ai/organization/usage",
    billing_url="https://admin.mistral.ai/organization/billing",
    key_hint="32 letters and digits",
    key_prefix="",
    probe_model="ministral-3b-latest",
    probe_listed=True,
    logo="mistral",
    chat=ChatQuirks(
        stream_options=False,  # an unknown field is a 422
        cache_key="prompt_cache_key",
        thinking={"reasoning_effort": "high"},
        tool_ids="[A-Za-z0-9]{9}",
        names_results=True,
        between="I have read the results.",
        echo=("content",),
    ),
)

ZAI = Provider(
    slug="zai",
    name="GLM (Z.ai)",
    dialect="openai_chat",
    base_url="https://api.z.ai/api/paas/v4",
    keys_url="https://z.ai/manage-apikey/apikey-list",
    usage_url="https://z.ai/manage-apikey/billing",
    billing_url="https://z.ai/manage-apikey/billing",
    key_hint="32 hex digits, a dot, 16 letters and digits",
    key_prefix="",
    never_chats="embedding|cogview|cogvideo|vidu|ocr|asr|image",
    probe_model="glm-5.3-flash",
    probe_listed=True,
    logo="zai",
    chat=ChatQuirks(
        headers={"accept-language": "en-US,en"},
        user="user_id",
        with_tools={"tool_stream": True},
        thinking={"thinking": {"type": "enabled", "clear_thinking": False}},
        echo=("reasoning_content",),
    ),
)

DEEPSEEK = Provider(
    slug="deepseek",
    name="DeepSeek",
    dialect="openai_chat",
    base_url="https://api.deepseek.com",
    keys_url="https://platform.deepseek.com/api_keys",
    usage_url="https://platform.deepseek.com/usage",
    billing_url="https://platform.deepseek.com/top_up",
    key_hint="sk-…",
    key_prefix="sk-",
    probe_model="deepseek-flash",
    probe_listed=True,
    logo="deepseek",
    price_note="Outside its peak hours (1 to 4 and 6 to 10 o'clock UTC on weekdays) DeepSeek charges half of that.",
    chat=ChatQuirks(
        cache_key="user_id",  # each value has a cache of its own: so the workspace's, not the person's
        thinking={"thinking": {"type": "enabled"}},
        no_thinking={"thinking": {"type": "disabled"}},
        echo=("reasoning_content",),
        on_calls="reasoning_content",
        check_path="/user/balance",
        verdicts=(Verdict("is_available", False, Kind.NO_CREDIT, "The balance of this account is used up."),),
    ),
)

GROQ = Provider(
    slug="groq",
    name="Groq",
    dialect="openai_chat",
    base_url="https://api.groq.com/openai/v1",
    keys_url="https://console.groq.com/keys",
    usage_url="https://console.groq.com/usage",
    billing_url="https://console.groq.com/settings/billing",
    key_hint="gsk_…",
    key_prefix="gsk_",
    never_chats="whisper|tts|orpheus|guard|compound",
    probe_model="openai/gpt-oss-20b",
    probe_listed=True,
    probe_tokens=16,
    logo="groq",
    chat=ChatQuirks(
        max_tokens="max_completion_tokens",
        user="user",
        thinking={"reasoning_format": "parsed"},
        tool_ids=KIMI_IDS,
        echo=("reasoning",),
    ),
)

MOONSHOT = Provider(
    slug="moonshot",
    name="Moonshot (Kimi)",
    dialect="openai_chat",
    base_url="https://api.moonshot.ai/v1",
    keys_url="https://platform.kimi.ai/console/api-keys",
    usage_url="https://platform.kimi.ai/console/fee-detail",
    billing_url="https://platform.kimi.ai/console/fee-detail",
    key_hint="sk-…",
    key_prefix="sk-",
    wrong_keys=(
        WrongKey(
            "sk-kimi-",
            "This key belongs to a Kimi Code membership and works only there. "
            "Create a key of the Kimi Open Platform instead.",
        ),
    ),
    never_chats="embedding|tokenizer",
    probe_model="kimi-k2.6",
    probe_listed=True,
    logo="moonshot",
    chat=ChatQuirks(
        cache_key="prompt_cache_key",
        tool_ids=KIMI_IDS,
        echo=("reasoning_content",),
        check_path="/users/me/balance",
        verdicts=(Verdict("data.available_balance", 0, Kind.NO_CREDIT, "The balance of this account is used up."),),
    ),
)

TOGETHER = Provider(
    slug="together",
    name="Together",
    dialect="openai_chat",
    base_url="https://api.together.ai/v1",
    keys_url="https://api.together.ai/settings/api-keys",
    usage_url="https://api.together.ai/settings/billing",
    billing_url="https://api.together.ai/settings/billing",
    key_hint="tgp_v1_…",
    key_prefix="",  # older keys are 64 hex digits
    probe_model="openai/gpt-oss-20b",
    probe_listed=True,
    logo="together",
    chat=ChatQuirks(tool_ids=KIMI_IDS),
)

OPENAI = Provider(
    slug="openai",
    name="OpenAI",
    dialect="openai_responses",
    base_url="https://api.openai.com/v1",
    keys_url="https://platform.openai.com/api-keys",
    usage_url="https://platform.openai.com/usage",
    billing_url="https://platform.openai.com/settings/organization/billing",
    key_hint="sk-proj-…",
    key_prefix="sk-",
    wrong_keys=(
        WrongKey(
            "sk-admin-",
            "This is an OpenAI admin key. It manages an organisation and cannot chat. Create a project key instead.",
        ),
    ),
    probe_model="gpt-6-luna",
    probe_listed=True,
    logo="openai",
    chats=r"^(gpt-(4\.1|4o|[5-9])|o[34])",
    never_chats=r"audio|realtime|transcribe|tts|image|search|instruct|embedding|moderation|deep-research|cyber|rosalind",
    probe_tokens=16,
    responses=ResponsesQuirks(
        user="safety_identifier",
        body={"stream_options": {"include_obfuscation": False}},  # no padding that hides lengths
        reasons=r"(gpt-[5-9](?!.*chat)|o\d)",
        diagnoses=r"gpt-(5\.([6-9]|\d\d)|[6-9]|\d\d)",  # gpt-5.6 and newer; older ones answer 400
    ),
    cache_kept=1800,
)

GOOGLE = Provider(
    slug="google",
    name="Google",
    dialect="gemini",
    base_url="https://generativelanguage.googleapis.com/v1beta",
    keys_url="https://aistudio.google.com/apikey",
    usage_url="https://aistudio.google.com/usage",
    billing_url="https://aistudio.google.com/billing",
    key_hint="AQ.… or AIza…",
    key_prefix="",  # two kinds of keys, both fine
    wrong_keys=(
        WrongKey(
            "ya29.", "This is a short-lived OAuth token, not an API key. Create a key in Google AI Studio instead."
        ),
    ),
    probe_model="gemini-flash-lite-latest",
    probe_listed=True,
    logo="google",
    chats=r"^gemini-",
    never_chats=r"image|tts|audio|live|embedding|computer-use|robotics|omni|deep-research|customtools|nano-banana",
    probe_tokens=8,
)

XAI = Provider(
    slug="xai",
    name="xAI",
    dialect="openai_responses",
    base_url="https://api.x.ai/v1",
    keys_url="https://console.x.ai",
    usage_url="https://console.x.ai",
    billing_url="https://console.x.ai",
    key_hint="xai-…",
    key_prefix="xai-",
    wrong_keys=(
        WrongKey(
            "xai-token-",
            "This is an xAI management key. It manages a team and cannot chat. Create an API key instead.",
        ),
    ),
    probe_model="grok-4.3",
    probe_listed=True,
    logo="xai",
    never_chats=r"multi-agent|image|video|embedding",
    probe_tokens=16,
    responses=ResponsesQuirks(
        reasons=r"grok-(?!.*non-reasoning)(3-mini|[4-9]|code)",
        models_path="/language-models",
        check_path="/api-key",
        verdicts=(
            Verdict("api_key_blocked", True, Kind.KEY_FORBIDDEN, "This key is blocked."),
            Verdict("api_key_disabled", True, Kind.KEY_FORBIDDEN, "This key is disabled."),
            Verdict("team_blocked", True, Kind.KEY_FORBIDDEN, "The team of this key is blocked."),
        ),
    ),
)

SELF_HOSTED = Provider(
    slug="self_hosted",
    name="Your server",
    dialect="openai_chat",
    base_url="",
    keys_url="",
    usage_url="",
    billing_url="",
    key_hint="what the server was started with. Leave it empty if the server wants none.",
    key_prefix="",
    never_chats=r"(?i)embed|rerank|whisper|tts|stable-diffusion|(^|/)(bge|gte|e5)-",
    logo="self_hosted",
    chat=ChatQuirks(tool_ids=KIMI_IDS, think_tags=True),
    patience=3,  # the model may have to be loaded first
    self_hosted=True,
)

DEMO = Provider(
    slug="demo",
    name="Demo model",
    dialect="anthropic_messages",
    base_url="",
    keys_url="",
    usage_url="",
    billing_url="",
    key_hint="sk-ant-demo-…",
    key_prefix="sk-ant-demo",
    probe_model="demo-sonnet",
    model_prefix="demo-",
    logo="demo",
    cache_hour=True,
    demo=True,
)

FIREWORKS = Provider(
    slug="fireworks",
    name="Fireworks",
    dialect="openai_chat",
    base_url="https://api.fireworks.ai/inference/v1",
    keys_url="https://app.fireworks.ai/settings/users/api-keys",
    usage_url="https://app.fireworks.ai/account/usage",
    billing_url="https://app.fireworks.ai/account/billing",
    key_hint="fw_…",
    key_prefix="fw_",
    probe_model="accounts/fireworks/models/gpt-oss-20b",
    probe_listed=True,
    logo="fireworks",
    chat=ChatQuirks(user="user", echo=("reasoning_content",), think_tags=True),
)

CEREBRAS = Provider(
    slug="cerebras",
    name="Cerebras",
    dialect="openai_chat",
    base_url="https://api.cerebras.ai/v1",
    keys_url="https://cloud.cerebras.ai",
    usage_url="https://cloud.cerebras.ai",
    billing_url="https://cloud.cerebras.ai",
    key_hint="csk-…",
    key_prefix="csk-",
    probe_model="gpt-oss-120b",
    probe_listed=True,
    logo="cerebras",
    chat=ChatQuirks(max_tokens="max_completion_tokens", user="user", echo=("reasoning",)),
)

PROVIDERS = (  # in the order of the page
    ANTHROPIC,
    OPENROUTER,
    OPENAI,
    GOOGLE,
    MISTRAL,
    ZAI,
    DEEPSEEK,
    XAI,
    GROQ,
    MOONSHOT,
    TOGETHER,
    FIREWORKS,
    CEREBRAS,
)


def catalogue(base_urls: Mapping[str, str]) -> dict[str, Provider]:
    """The providers of this installation by slug, each with its base URL overridden where one is given.

    The demo provider is there only if it was given a base URL (make run gives it the simulator's).
    """
    known = [*PROVIDERS, SELF_HOSTED, *([DEMO] if base_urls.get("demo") else [])]
    return {p.slug: at(p, base_urls.get(p.slug, "")) for p in known}


def cache_seconds(slug: str, ttl: str) -> int:
    """How long the provider's cache keeps a prefix that nobody reads, where a workspace wants "5m" or "1h"."""
    known = next((p for p in (*PROVIDERS, SELF_HOSTED, DEMO) if p.slug == slug), SELF_HOSTED)
    return 3600 if ttl == "1h" and known.cache_hour else known.cache_kept


def at(provider: Provider, base_url: str) -> Provider:
    """The same provider at another address, if one is given."""
    return replace(provider, base_url=base_url.rstrip("/")) if base_url else provider
