"""What a model thought, sealed for the way to the client and back: encrypted reasoning, thought signatures.

A seal is base64 of a JSON list (what it is bound to, the text) and an HMAC over it. The key is a constant, so that a
seal stays good when the simulator restarts. (Anthropic's signatures are bound to a whole conversation and have a
module of their own.)
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from simulator.values import compact

_KEY = b"simulator: not a secret"


def seal(text: str, *bound: str, prefix: str = "") -> str:
    """The text, sealed and bound: only who names the same can open it."""
    fields = compact([*bound, text])
    return prefix + base64.urlsafe_b64encode(compact([fields, _mac(fields)]).encode()).decode()


def unseal(sealed: str, *bound: str, prefix: str = "") -> str | None:
    """The text of a seal; None if it is forged, altered or bound to something else."""
    try:
        fields, mac = json.loads(base64.urlsafe_b64decode(sealed.removeprefix(prefix)))
        *then, text = json.loads(fields)
        genuine = hmac.compare_digest(mac, _mac(fields))
    except (ValueError, TypeError):
        return None
    return str(text) if genuine and then == list(bound) else None


def _mac(fields: str) -> str:
    return hmac.new(_KEY, fields.encode(), hashlib.sha256).hexdigest()
