"""Secret: a value that refuses to print, pickle or serialise; and the redactor that guards every log line.

`expose()` is the only way to the value. tests/test_architecture.py lists the modules that may call it:
sealing (vault/keyring.py), deriving (vault/keyring.py) and the moment of sending (llm/client.py).
"""

from __future__ import annotations

import base64
import hmac
import logging
import re
from typing import NoReturn, TextIO
from urllib.parse import quote

HIDDEN = "[hidden]"
SHORTEST = 16  # characters of a provider's key; servers of one's own have shorter ones

# Shapes of keys and tokens, for text that holds one nobody registered (a person pasted it in the wrong box).
KEY_SHAPES = re.compile(
    r"(sk-ant-[A-Za-z0-9_-]{8,}|sk-or-[A-Za-z0-9_-]{8,}|sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{8,}"
    r"|sk-[A-Za-z0-9]{16,}|xai-[A-Za-z0-9]{16,}|gsk_[A-Za-z0-9]{16,}|AIza[A-Za-z0-9_-]{16,}|AQ\.[A-Za-z0-9_-]{16,}"
    r"|\bfw_[A-Za-z0-9]{16,}|\bcsk-[A-Za-z0-9]{16,}|\btgp_v1_[A-Za-z0-9_-]{16,}"
    r"|\bEAA[A-Za-z0-9]{24,}|\b1//0[A-Za-z0-9_-]{20,}|\bGOCSPX-[A-Za-z0-9_-]{16,}|\bya29\.[A-Za-z0-9_-]{16,}"
    r"|(?i:bearer)\s+[A-Za-z0-9._~+/-]{16,}=*"
    # Keys without a prefix: of Z.ai (hex, a dot, letters), of Together (64 hex digits), of Mistral (32 letters of both
    # cases and digits; our own ids have one case only).
    r"|(?<![\w-])[0-9a-f]{32}\.[A-Za-z0-9]{16}(?![\w-])|(?<![\w-])[0-9a-f]{64}(?![\w-])"
    r"|(?<![\w-])(?=[a-z0-9]{0,31}[A-Z])(?=[A-Z0-9]{0,31}[a-z])(?=[A-Za-z]{0,31}[0-9])[A-Za-z0-9]{32}(?![\w-]))"
)


class Secret:
    """A string nobody can print by accident. Equality is constant-time; it is not hashable."""

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: str) -> None:
        self._value = value

    def expose(self) -> str:
        """The value itself. Call it only where it is sealed or sent."""
        return self._value

    def prefix(self) -> str:
        """The six characters that logs and pages may show (mission: 'a 6-character prefix'); two of a short key, of
        which six would be most."""
        return self._value[: 6 if len(self._value) >= SHORTEST else 2]

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._bytes(), other._bytes())

    def _bytes(self) -> bytes:
        return self._value.encode("utf-8", "surrogatepass")  # an encoding error would carry the value

    def __repr__(self) -> str:
        return f"Secret({HIDDEN})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret does not pickle")


def scrub(text: str, *secrets: Secret) -> str:
    """`text` without the given secrets (raw, base64, URL-quoted, any slice of 12) and without key-shaped words."""
    for secret in secrets:
        text = _without(text, secret.expose())
    return KEY_SHAPES.sub(HIDDEN, text)


def _without(text: str, value: str) -> str:
    if len(value) < 8:
        return text
    forms = {value, quote(value, safe=""), base64.b64encode(value.encode()).decode().rstrip("=")}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    for start in range(len(value) - 11):
        while value[start : start + 12] in text:
            end = max(e for e in range(start + 12, len(value) + 1) if value[start:e] in text)
            text = text.replace(value[start:end], HIDDEN)
    return text


class Redactor(logging.Filter):
    """Scrubs key-shaped words from every record: message, arguments and traceback text."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = scrub(record.getMessage())
        record.args = None
        if record.exc_info:
            record.exc_text = scrub(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        if record.stack_info:
            record.stack_info = scrub(record.stack_info)
        return True


class RedactedStream:
    """A text stream for what is printed past logging, with the same words hidden."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(scrub(text))

    def flush(self) -> None:
        self._stream.flush()
