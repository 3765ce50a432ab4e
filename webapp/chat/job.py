"""A turn to run, and how it is cut: what the runner hands to whoever answers it."""

from __future__ import annotations

from dataclasses import dataclass

from gevent import GreenletExit

from webapp.accounts import Scope
from webapp.chat.events import Cause, Ended, Trouble, TurnState
from webapp.chat.transcript import TurnRef
from webapp.llm.providers import Provider
from webapp.usage.ledger import Caller
from webapp.vault.byok import KeyRef


@dataclass(frozen=True)
class Job:
    """A turn to run, for whom, on which key."""

    scope: Scope
    ref: TurnRef
    provider: Provider
    model: str
    key: KeyRef
    surface: str = "chat"

    @property
    def caller(self) -> Caller:
        scope, ref, key = self.scope, self.ref, self.key
        place = scope.workspace_id, scope.user_id, ref.session_id, ref.id
        return Caller(*place, self.provider.slug, self.model, key.id, key.label)


class Cut(GreenletExit):  # type: ignore[misc]  # gevent has no types
    """Thrown into a turn's greenlet to end it: as what, and why."""

    def __init__(self, state: TurnState, trouble: Trouble | None = None) -> None:
        super().__init__()
        self.end = Ended(state, trouble)


def stopped() -> Cut:
    return Cut(TurnState.STOPPED)


def interrupted() -> Cut:
    return Cut(TurnState.INTERRUPTED)


def revoked() -> Cut:
    return Cut(TurnState.FAILED, Trouble(Cause.KEY_REVOKED))
