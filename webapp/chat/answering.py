"""What a running turn needs around it: the request that it begins with, the key it is asked on, and its limits.

How greenlets run turns, and what ends them from outside, is runner.py's; the loop itself is turn.py's.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from webapp.accounts import Scope
from webapp.ads.platform import Platforms
from webapp.analytics.source import Engine
from webapp.chat import picker, prefixes, side_by_side, transcript, turn
from webapp.chat.events import Cause, Trouble, TurnEvent, TurnState
from webapp.chat.job import Cut, Job, interrupted, revoked, stopped
from webapp.chat.limits import NEAR_BUDGET, Limit, Limits, warning
from webapp.chat.log import BUFFER_SECONDS, LiveTurn
from webapp.chat.surfaces import SURFACES
from webapp.db import Database, Session
from webapp.errors import UserError
from webapp.llm.client import Client
from webapp.llm.errors import Kind, ProviderError
from webapp.llm.events import Event, Notice, Usage
from webapp.llm.models import Model
from webapp.llm.request import ModelRequest
from webapp.secret import Secret
from webapp.tools import ToolContext
from webapp.usage import budgets, ledger
from webapp.usage.policy import Policy, policy
from webapp.vault import byok
from webapp.vault.byok import KeyUnreadable
from webapp.vault.keyring import Keyring

MAX_OUTPUT = 16_000  # tokens of an answer with its thinking, where the model allows as many


@dataclass(frozen=True)
class Answering:
    """Asks providers for the answers of this process's turns."""

    database: Database
    keeping: Database  # for what must not wait behind pages
    keyring: Keyring
    client: Client
    platforms: Platforms
    turn_timeout: float
    turn_max_usd: float
    engine: Engine | None = None  # of analytics; None: our own database

    def events(self, job: Job, live: LiveTurn) -> Iterator[TurnEvent]:
        """Of a turn that goes on, those after what its log holds already."""
        if not live.fold.rounds:
            self._begin(job)
        with self.database.begin() as db:
            secret = self._reveal(job, db)
            history = transcript.history(job.scope, db, job.ref.id)
            facts = picker.facts(db, job.key.id, job.model)
            surface = SURFACES[job.surface]
            prefix = prefixes.of_session(db, job.ref.session_id, surface)
            wanted = policy(job.scope, db)
            follows = ledger.last_response(db, job.ref.session_id, job.provider.slug)
            limits = self._limits(db, job, facts, wanted)
        request = ModelRequest(
            model=job.model,
            messages=(*history.messages, *live.fold.messages()),
            system=prefix.system,
            tools=prefix.tools,
            max_output=min(MAX_OUTPUT, (facts and facts.max_output) or MAX_OUTPUT),
            thinking="adaptive" if facts and "adaptive" in facts.thinking else "",
            user_hash=user_hash(job.scope),
            cache_key=cache_key(job.scope, prefix.hash),
            cache_ttl=wanted.cache_ttl,
            follows=follows,
        )
        for refused in history.refused.union(n.kind for n in live.fold.notices).intersection(turn.LEFT_OUT):
            request = turn.LEFT_OUT[refused](request)
        world = turn.World(
            ask=lambda asked: self._ask(job, asked, secret),
            sleep=time.sleep,
            dialect=job.provider.dialect,
            toolbox=surface.toolbox,
            context=ToolContext(job.scope, self.database, self.platforms, job.ref.id, job.model, self.engine),
            together=side_by_side.run,
            allow=partial(self._before_call, live, limits),
        )
        yield from turn.run(request, world, turn.SoFar(live.fold.rounds, live.fold.usage))

    def _limits(self, db: Session, job: Job, facts: Model | None, wanted: Policy) -> Limits:
        one_turn = Limit(self.turn_max_usd, facts)
        lasts = self.turn_timeout + BUFFER_SECONDS + transcript.LEASE  # then its end is stored, or it has no owner
        return Limits(job.caller, one_turn, wanted, budgets.are_set(db, job.caller), job.key.personal, lasts)

    def _before_call(
        self, live: LiveTurn, limits: Limits, request: ModelRequest, spent: Usage
    ) -> Trouble | Notice | None:
        """Before each round: what the finished ones used goes into the ledger, where everybody's limits see it, and
        what this one may cost is held. That a budget is nearly used is said once a turn. A process that slept until
        its turn was taken over books too, and asks no more."""
        calls = live.fold.calls()
        if not calls and limits.nothing_to_ask:
            return limits.known(spent)
        with self.keeping.begin() as db:
            ledger.book(db, limits.caller, calls, limits.turn.model)
            ours = live.ref is not None and transcript.is_held(db, live.ref)
            found = (limits.known(spent) or limits.reserve(db, request)) if ours else ()
        if not ours:
            raise interrupted()
        if isinstance(found, Trouble):
            return found
        said = any(notice.kind == NEAR_BUDGET for notice in live.fold.notices)
        return None if said else warning(found)

    def _begin(self, job: Job) -> None:
        with self.database.begin() as db:
            if not transcript.begin(db, job.ref, job.key.id, job.key.label):
                raise stopped()

    def _reveal(self, job: Job, db: Session) -> Secret:
        try:
            return byok.reveal(job.scope, db, self.keyring, job.key.id, job.key.base_url)
        except KeyUnreadable as error:
            raise Cut(TurnState.FAILED, Trouble(Cause.KEY_UNREADABLE)) from error
        except UserError as error:
            raise revoked() from error

    def _ask(self, job: Job, request: ModelRequest, secret: Secret) -> Iterator[Event]:
        try:
            yield from self.client.stream(job.provider, request, secret)
        except ProviderError as error:
            self._learn_from(job, error)
            raise

    def _learn_from(self, job: Job, error: ProviderError) -> None:
        """A refused key raises the banner; a refused model is marked in the picker."""
        with self.database.begin() as db:
            match error.fault.kind:
                case Kind.INVALID_KEY:
                    byok.mark_refused(job.scope, db, job.key.id, error.fault)
                case Kind.MODEL_FORBIDDEN | Kind.MODEL_NOT_FOUND:
                    picker.remember_refused(job.scope, db, job.key.id, job.model, error.fault)
                case _:
                    return


def user_hash(scope: Scope) -> str:
    """An opaque id of the person for the provider's abuse control; says nothing about them."""
    return hashlib.sha256(b"user:" + scope.user_id.bytes).hexdigest()[:32]


def cache_key(scope: Scope, prefix: bytes) -> str:
    """An opaque id of those whose calls may meet the same cache: one workspace, and one version of a prefix."""
    return hashlib.sha256(b"workspace:" + scope.workspace_id.bytes + prefix).hexdigest()[:32]
