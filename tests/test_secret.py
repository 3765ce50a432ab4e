"""What a log line may say: no key, whoever wrote it and wherever in the record it stands."""

from __future__ import annotations

import io
import logging
import time

import pytest

from webapp.secret import HIDDEN, RedactedStream, Redactor, scrub

KEYS = [
    "sk-ant-api03-abcDEF0123456789",
    "sk-proj-abcDEF0123456789",
    "sk-0123456789abcdef0123",
    "sk-or-v1-0123456789abcdef",
    "xai-0123456789abcdefABCD",
    "gsk_0123456789abcdefABCD",
    "fw_0123456789abcdefABCD",
    "csk-0123456789abcdefabcd",
    "tgp_v1_0123456789abcdef_-A",
    "AIzaSyA0123456789abcdef",
    "AQ.Ab8RN6I0123456789_-",
    "0123456789abcdef0123456789abcdef.AbCdEfGhIjKlMnOp",  # Z.ai
    "0123456789abcdef" * 4,  # Together, long ago
    "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF",  # Mistral
    "EAAB0123456789abcdefABCDEFGH",
    "1//0abcdefghijklmnopqrstuv",
]
OURS = [
    "3f0e1f9a-6c1b-4b5a-9f57-2b2c1d3e4f50",  # an id
    "0123456789abcdef0123456789abcdef",  # a shop's public key
    "req_011CSHoEeqs5C35K2UUqR7Fy",
    "claude-sonnet-4-5-20250929",
    "/chat/turns/3f0e1f9a-6c1b-4b5a-9f57-2b2c1d3e4f50/stream",
]


def logged(tell: object) -> str:
    """What a handler with the redactor writes when `tell(logger)` is called."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.addFilter(Redactor())
    logger = logging.Logger("somewhere")
    logger.addHandler(handler)
    tell(logger)  # type: ignore[operator]
    return out.getvalue()


@pytest.mark.parametrize("key", KEYS)
def test_a_key_that_nobody_registered_is_known_by_its_shape(key: str) -> None:
    assert scrub(f'GET /x?key={key}&a=1 "{key}", {key}') == f'GET /x?key={HIDDEN}&a=1 "{HIDDEN}", {HIDDEN}'


@pytest.mark.parametrize("word", OURS)
def test_what_is_no_key_stays(word: str) -> None:
    assert scrub(f"turn {word} failed") == f"turn {word} failed"


def test_no_part_of_a_record_holds_a_key() -> None:
    key = KEYS[0]

    def crash(logger: logging.Logger) -> None:
        try:
            raise ValueError(f"it was {key}")
        except ValueError:
            logger.exception("with %s", key, stack_info=True)

    said = logged(crash)
    assert key not in said
    assert f"with {HIDDEN}" in said
    assert f"ValueError: it was {HIDDEN}" in said


def test_arguments_by_name_are_scrubbed_too() -> None:
    assert logged(lambda logger: logger.warning("%(r)s", {"r": f"GET /?{KEYS[0]}"})) == f"GET /?{HIDDEN}\n"


def test_what_is_printed_past_logging_is_scrubbed() -> None:
    out = io.StringIO()
    print(f"failed with {KEYS[0]}", file=RedactedStream(out))
    assert out.getvalue() == f"failed with {HIDDEN}\n"


@pytest.mark.parametrize("piece", ["a", "A1", "bearer ", "0123456789abcdef.", "sk-", "EAA", "a-", "Bearer\t\n"])
def test_no_text_takes_long(piece: str) -> None:
    began = time.monotonic()
    scrub(piece * (1_000_000 // len(piece)))
    assert time.monotonic() - began < 2
