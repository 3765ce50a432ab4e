"""The simulated keys: which exist, and what is wrong with them.

`sk-ant-demo…` and `sk-ant-api03-ok…` work. `sk-ant-api03-<flaw>…` answers with its flaw, always (see FLAWS).
Any key can be revoked, and restored, at run time. Every other key was never issued.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.wire import ApiError

SLOW = 30.0  # seconds a `slow` key waits before it is served

FLAWS: dict[str, str] = {
    "revoked": "401, as any key that does not exist",
    "nocredit": "400 credit balance too low",
    "forbidden": "403 no permission",
    "ratelimited": "429 with retry-after",
    "overloaded": "529",
    "slow": "answers after 30 seconds",
    "html": "200 with the HTML of a login page",
    "noopus": "403 on the Opus models, works on the others",
}
_WORKING = ("sk-ant-demo", "sk-ant-api03-ok")
_ISSUED = "sk-ant-api03-"

_NO_CREDIT = (
    "Your credit balance is too low to access the Anthropic API. "
    "Please go to Plans & Billing to upgrade or purchase credits."
)
_RATE_LIMITED = (
    "This request would exceed your organization's rate limit of 450,000 input tokens per minute "
    "(org: 00000000-0000-0000-0000-000000000000). For details, refer to: "
    "https://docs.claude.com/en/api/rate-limits. You can see the response headers for current usage. "
    "Please reduce the prompt length or the maximum tokens requested, or try again later."
)
_ERRORS: dict[str, tuple[int, str, int | None]] = {  # status, message, retry-after
    "nocredit": (400, _NO_CREDIT, None),
    "forbidden": (403, "Your API key does not have permission to use the specified resource.", None),
    "ratelimited": (429, _RATE_LIMITED, 7),
    "overloaded": (529, "Overloaded", None),
}


@dataclass(frozen=True)
class Account:
    key: str
    flaw: str = ""

    def refuse(self) -> None:
        """Raises the error this key always meets, if it has one."""
        if self.flaw in _ERRORS:
            status, message, retry_after = _ERRORS[self.flaw]
            raise ApiError(status, message, retry_after=retry_after)

    def refuse_model(self, model_id: str, line: str) -> None:
        if self.flaw == "noopus" and line == "opus":
            raise ApiError(403, f"Your API key does not have permission to use the model {model_id}.")


@dataclass
class Accounts:
    """Looks keys up; remembers which were revoked since the process began."""

    revoked: set[str] = field(default_factory=set)

    def enter(self, headers: dict[str, str]) -> Account:
        """The account of a request's `x-api-key` or `Authorization: Bearer` header. Raises ApiError 401."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        key = headers.get("x-api-key", "") or bearer
        if not key:
            raise ApiError(401, "x-api-key header is required")
        account = self._find(key)
        if account is None:
            raise ApiError(401, "Invalid bearer token" if bearer else "invalid x-api-key")
        return account

    def revoke(self, key: str) -> None:
        self.revoked.add(key)

    def restore(self, key: str) -> None:
        self.revoked.discard(key)

    def _find(self, key: str) -> Account | None:
        if key in self.revoked:
            return None
        if key.startswith(_WORKING):
            return Account(key)
        rest = key.removeprefix(_ISSUED)
        flaw = next((name for name in FLAWS if rest.startswith(name)), "") if rest != key else ""
        return Account(key, flaw) if flaw and flaw != "revoked" else None
