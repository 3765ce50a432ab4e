"""A model of a simulated provider. The lists of them stand with their providers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Price:
    """US dollars a million tokens."""

    input: float
    output: float
    cached: float


FREE = Price(0, 0, 0)


@dataclass(frozen=True)
class Model:
    """`line` is its family: what one model of it thought, another may read. `thinks` when the request does not say;
    `always` means that it cannot be told not to."""

    id: str
    name: str
    line: str
    released: str
    alias: str = ""
    max_input: int = 1_000_000
    max_output: int = 128_000
    cache_min: int = 512  # tokens; a shorter prefix is silently not cached
    thinks: bool = False
    always: bool = False
    sees: bool = True  # reads images
    price: Price = FREE
