"""The simulated keys: which exist, and what is wrong with them.

A key begins as the provider's usually do. After that, `ok` or `demo` makes it work, and the name of a flaw makes it
answer so, always; the first such word counts. Any key can be revoked, and restored, at run time. Every other key was
never issued. The flaws are below and, by name, the provider's failures in `flavours.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from simulator.flavour import Flavour

SLOW = 30.0  # seconds a `slow` key waits before it is served
FLAWS: dict[str, str] = {
    "revoked": "as any key that does not exist",
    "nocredit": "nothing is left to pay with",
    "forbidden": "may not do this",
    "ratelimited": "too much of late, with the time to wait",
    "overloaded": "the provider has too much to do",
    "slow": "answers after 30 seconds",
    "html": "200 with the HTML of a login page",
    "noopus": "refused on Anthropic's Opus models, works on the others",
    "notop": "refused on the first model of the list, works on the others",
}
_WORKING = ("ok", "demo")


@dataclass(frozen=True)
class Account:
    flavour: Flavour
    key: str
    flaw: str = ""

    def refuse(self, *, listing: bool = False) -> None:
        """Raises the error this key always meets, if it has one; some errors spare the model list, one is its own."""
        spared = self.flaw in self.flavour.spares_lists if listing else self.flaw == "nolist"
        if self.flaw in self.flavour.failures and not spared:
            raise self.flavour.failure(self.flaw, model=self.flavour.models[0].id, key=self.key[-4:])

    def refuse_model(self, id: str) -> None:
        """Raises the error of a key that is refused one model."""
        top = self.flavour.models[0].id
        if (self.flaw == "noopus" and "-opus-" in id) or (self.flaw == "notop" and id == top):
            raise self.flavour.failure("barred", model=id)


@dataclass
class Accounts:
    """Looks keys up; remembers which were revoked since the process began."""

    revoked: set[str] = field(default_factory=set)

    def enter(self, flavour: Flavour, headers: Mapping[str, str]) -> Account:
        """The account of the key in a request's headers. Raises ApiError where there is none."""
        header, key = _sent(flavour, headers)
        if not key:
            raise flavour.failure("nokey")
        account = self._find(flavour, key)
        if account is None or account.flaw == "revoked":
            name = f"revoked in {header}"
            raise flavour.failure(name if name in flavour.failures else "revoked", key=key[-4:])
        return account

    def revoke(self, key: str) -> None:
        self.revoked.add(key)

    def restore(self, key: str) -> None:
        self.revoked.discard(key)

    def _find(self, flavour: Flavour, key: str) -> Account | None:
        prefix = next((prefix for prefix in flavour.keys if key.startswith(prefix)), None)
        if prefix is None or key in self.revoked:
            return None
        rest = key.removeprefix(prefix)
        named = {rest.find(word): word for word in sorted({*FLAWS, *_WORKING, *flavour.failures}, key=len)}
        named.pop(-1, "")
        word = named[min(named)] if named else ""
        return Account(flavour, key, "" if word in _WORKING else word) if word else None


def _sent(flavour: Flavour, headers: Mapping[str, str]) -> tuple[str, str]:
    """The header that carries a key, and the key."""
    for header in flavour.key_headers:
        value = headers.get(header, "").strip()
        if header == "authorization":
            scheme, _, value = value.partition(" ")
            value = value.strip() if scheme.lower() == "bearer" else ""
        if value:
            return header, value
    return "", ""
