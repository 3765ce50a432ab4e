"""How a request fails: ApiError is raised, Failure is the record of one provider's way to say it. Bodies are wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from simulator.values import Json


class ApiError(Exception):
    """A request ends with this error. `type`, `code` and `param` stand in the body where the provider has them;
    `details` are further fields of it."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "",
        code: str | int | None = None,
        param: str | None = None,
        retry_after: int | None = None,
        details: Json | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type
        self.code = code
        self.param = param
        self.message = message
        self.retry_after = retry_after
        self.details = details or {}
        self.headers = headers

    @property
    def retryable(self) -> bool:
        return self.status in (408, 409, 429) or self.status >= 500


@dataclass(frozen=True)
class Failure:
    """One way to fail. `{model}`, `{limit}`, `{tokens}` and `{key}` (its last four characters) in the message are
    filled in."""

    status: int
    message: str
    type: str = ""
    code: str | int | None = None
    param: str | None = None
    retry_after: int | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()

    def raised(self, **facts: object) -> ApiError:
        message = self.message
        for name, value in facts.items():
            message = message.replace(f"{{{name}}}", str(value))
        return ApiError(
            self.status,
            message,
            type=self.type,
            code=self.code,
            param=self.param,
            retry_after=self.retry_after,
            details=dict(self.details),
            headers=self.headers,
        )
