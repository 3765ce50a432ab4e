"""Which models a workspace can pick, and which it picked last. The store of model_lists and model_choices.

A list is what the provider itself last answered for this key, joined with our table of prices and abilities. It is kept
per key and asked for again when it is older than FRESH, without making a page wait. A model that the key was refused
stays in the list, marked with the reason.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import cast, func, select, update
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH, insert

from webapp.accounts import Scope
from webapp.db import Session
from webapp.db.models import ByokKey, ModelChoice, ModelList
from webapp.errors import UserError
from webapp.llm.errors import Fault
from webapp.llm.models import Model, RemoteModel, join
from webapp.llm.providers import Provider, at
from webapp.vault import byok
from webapp.vault.byok import KeyRef

FRESH = timedelta(hours=1)
OWN = "+own"  # behind the provider in a pick's value: on the person's own key
FAVOURED = ("sonnet",)  # a line to begin with, where nobody has chosen yet: able, and not the dearest


@dataclass(frozen=True)
class Pick:
    """A model of a connected provider."""

    provider: Provider
    key: KeyRef
    model: Model
    refused: str = ""

    @property
    def value(self) -> str:
        """Names who pays, too: a page that showed another key must not be answered on this one."""
        return f"{self.provider.slug}{OWN if self.key.personal else ''}:{self.model.id}"


@dataclass(frozen=True)
class Group:
    """What one connected key can use. `stale` asks for a refresh."""

    provider: Provider
    key: KeyRef
    picks: tuple[Pick, ...]
    stale: bool


def groups(scope: Scope, db: Session, providers: Mapping[str, Provider]) -> list[Group]:
    """One group per provider that the person can use, in the catalogue's order: on their own key, else the team's."""
    cards = byok.usable(scope, db)
    lists = _lists(db, [card.id for card in cards.values()])
    found: list[Group] = []
    for slug, provider in providers.items():
        card = cards.get(slug)
        if card is not None:
            found.append(_group(at(provider, card.base_url), card.ref, lists.get(card.id)))
    return found


def _lists(db: Session, key_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, tuple[ModelList, bool]]:
    old = ModelList.fetched_at < func.now() - FRESH
    rows = db.execute(select(ModelList, old).where(ModelList.byok_key_id.in_(key_ids)))
    return {row.byok_key_id: (row, stale) for row, stale in rows}


def _group(provider: Provider, key: KeyRef, kept: tuple[ModelList, bool] | None) -> Group:
    if kept is None:
        return Group(provider, key, (), stale=True)
    row, stale = kept
    models = [Model.from_json(raw) for raw in row.models]
    picks = tuple(Pick(provider, key, m, _refusal(row.refused.get(m.id))) for m in models)
    return Group(provider, key, picks, stale)


def _refusal(raw: Mapping[str, Any] | None) -> str:
    return str(raw["message"] or raw["kind"]) if raw else ""


def current(scope: Scope, db: Session, found: Sequence[Group], provider: str = "", model: str = "") -> Pick | None:
    """The model to use: the session's own, else the workspace's last choice, else, where nobody chose yet, a sensible
    one. None if what was chosen is not to be had any more: what stands in for it is for a person to choose."""
    provider, model = wanted(scope, db, provider, model)
    return find(found, provider, model) if model else _first(found)


def wanted(scope: Scope, db: Session, provider: str = "", model: str = "") -> tuple[str, str]:
    """Provider and model that the session, else the workspace, has chosen; empty where nobody chose yet."""
    if model:
        return provider, model
    chosen = db.get(ModelChoice, scope.workspace_id)
    return (chosen.provider, chosen.model) if chosen else ("", "")


def find(found: Sequence[Group], provider: str, model: str) -> Pick | None:
    picks = (p for g in found if g.provider.slug == provider.removesuffix(OWN) for p in g.picks)
    return next((p for p in picks if p.model.id == model), None)


def _first(found: Sequence[Group]) -> Pick | None:
    by_own_key = sorted(found, key=lambda g: g.provider.demo)
    return next((pick for group in by_own_key if (pick := first_of(group))), None)


def first_of(group: Group) -> Pick | None:
    """A sensible model of one provider: of a favoured line, else the first that the key was not refused."""
    picks = [p for p in group.picks if not p.refused]
    favoured = (p for p in picks if p.model.line in FAVOURED)
    return next(favoured, picks[0] if picks else None)


def choose(scope: Scope, db: Session, pick: Pick) -> None:
    """Remember the pick as the workspace's default; not one on a key that only its owner can use."""
    if pick.key.personal:
        return
    values = {"provider": pick.provider.slug, "model": pick.model.id, "chosen_by": scope.user_id}
    statement = insert(ModelChoice).values(workspace_id=scope.workspace_id, **values)
    db.execute(
        statement.on_conflict_do_update(index_elements=["workspace_id"], set_={**values, "chosen_at": func.now()})
    )


def must_find(found: Sequence[Group], value: str) -> Pick:
    """The pick named by its value. Raises UserError for what is not in the lists, or now on another key than shown."""
    provider, _, model = value.partition(":")
    pick = find(found, provider, model)
    if pick is None:
        raise UserError("That model is not available", "Pick one from the list.", status=422)
    must_be_paid(pick, personal=provider.endswith(OWN))
    return pick


def must_be_paid(pick: Pick, *, personal: bool) -> None:
    """By the person, or by the team: as the page said that asks. Raises a UserError if it is the other one by now."""
    if pick.key.personal == personal:
        return
    whose = "your own key" if pick.key.personal else "the team's key"
    hint = (
        f"{pick.model.name} would now be answered on {whose} “{pick.key.label}”. If that is right, pick it once more."
    )
    raise UserError("Another key would pay now", f"{hint} Nothing was sent.", status=409)


def keep_list(scope: Scope, db: Session, key_id: uuid.UUID, provider: str, remote: Sequence[RemoteModel]) -> None:
    """Keep what the provider answered for this key."""
    if db.scalar(select(ByokKey.id).where(ByokKey.id == key_id, ByokKey.workspace_id == scope.workspace_id)) is None:
        return
    models = [model.to_json() for model in join(provider, remote)]
    statement = insert(ModelList).values(byok_key_id=key_id, models=models)
    db.execute(
        statement.on_conflict_do_update(
            index_elements=["byok_key_id"], set_={"models": models, "fetched_at": func.now()}
        )
    )


def keep_old_list(db: Session, key_id: uuid.UUID) -> None:
    """The provider did not answer: the list it gave before is good for another while."""
    db.execute(update(ModelList).where(ModelList.byok_key_id == key_id).values(fetched_at=func.now()))


def has_list(db: Session, key_id: uuid.UUID) -> bool:
    return db.get(ModelList, key_id) is not None


def remember_refused(scope: Scope, db: Session, key_id: uuid.UUID, model: str, fault: Fault) -> None:
    """Mark a model that this key was refused."""
    row = db.get(ModelList, key_id, with_for_update=True)
    if row is not None:
        row.refused = {**row.refused, model: fault.to_json()}


def facts(db: Session, key_id: uuid.UUID, model: str) -> Model | None:
    """What is known of a model of this key's list."""
    named = func.jsonb_path_query_first(
        ModelList.models, cast("$[*] ? (@.id == $id)", JSONPATH), cast({"id": model}, JSONB)
    )
    found = db.scalar(select(named).where(ModelList.byok_key_id == key_id))
    return Model.from_json(found) if found else None
