"""Every provider the simulator stands in for: one record each.

| provider | base URL behind the simulator's | a key that works |
|---|---|---|
| anthropic, demo | | sk-ant-api03-ok…, sk-ant-demo… |
| openai | /openai/v1 | sk-proj-ok… |
| xai | /xai/v1 | xai-ok… |
| google | /google/v1beta | AQ.ok…, AIzaok… |
| openrouter | /openrouter/api/v1 | sk-or-v1-ok… |
| mistral | /mistral/v1 | ok… |
| zai | /zai/api/paas/v4 | 0123abcd.ok… |
| deepseek | /deepseek | sk-ok… |
| groq | /groq/openai/v1 | gsk_ok… |
| moonshot | /moonshot/v1 | sk-ok… |
| together | /together/v1 | tgp_v1_ok… |
| fireworks | /fireworks/inference/v1 | fw_ok… |
| cerebras | /cerebras/v1 | csk-ok… |

The words of errors are those of recordings where one exists, of the providers' documentation otherwise.
"""

from __future__ import annotations

from simulator.flavour import Flavour
from simulator.flavours.anthropic import ANTHROPIC
from simulator.flavours.cerebras import CEREBRAS
from simulator.flavours.deepseek import DEEPSEEK
from simulator.flavours.fireworks import FIREWORKS
from simulator.flavours.google import GOOGLE
from simulator.flavours.groq import GROQ
from simulator.flavours.mistral import MISTRAL
from simulator.flavours.moonshot import MOONSHOT
from simulator.flavours.openai import OPENAI, XAI
from simulator.flavours.openrouter import OPENROUTER
from simulator.flavours.together import TOGETHER
from simulator.flavours.zai import ZAI

FLAVOURS: tuple[Flavour, ...] = (
    ANTHROPIC, OPENAI, XAI, GOOGLE, OPENROUTER, MISTRAL, ZAI, DEEPSEEK, GROQ, MOONSHOT, TOGETHER, FIREWORKS, CEREBRAS,
)  # fmt: skip
