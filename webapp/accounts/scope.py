"""What a role may do, and Scope: a user inside a workspace. `enter()` is the only way to one."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

from sqlalchemy import select

from webapp.db import Session
from webapp.db.models import User, Workspace, WorkspaceMember
from webapp.errors import not_found

Role = Literal["owner", "admin", "member", "viewer"]
ROLES: tuple[Role, ...] = get_args(Role)  # the strongest first


class Right(StrEnum):
    """What a role may do in a workspace. A rule in pages/ names the right it needs."""

    READ = "read"
    CHAT = "chat"
    MANAGE_KEYS = "manage_keys"
    MANAGE_ADS = "manage_ads"  # ad accounts, imports, guard rails
    APPROVE_CHANGES = "approve_changes"  # unless the guard rails let members, too
    MANAGE_MEMBERS = "manage_members"
    MANAGE_WORKSPACE = "manage_workspace"
    DELETE_WORKSPACE = "delete_workspace"


RIGHTS: dict[str, frozenset[Right]] = {
    "viewer": frozenset({Right.READ}),
    "member": frozenset({Right.READ, Right.CHAT}),
    "admin": frozenset(Right) - {Right.DELETE_WORKSPACE},
    "owner": frozenset(Right),
}


@dataclass(frozen=True)
class Scope:
    """A user inside a workspace. Only enter() makes one; every function that touches a tenant's rows takes it first."""

    user_id: uuid.UUID
    workspace_id: uuid.UUID
    role: Role
    user_name: str
    workspace_name: str

    def may(self, right: Right) -> bool:
        return right in RIGHTS[self.role]


def enter(db: Session, user_id: uuid.UUID, workspace_id: uuid.UUID) -> Scope:
    """The user's Scope in the workspace. Raises the not-found UserError for a stranger, as for what does not exist."""
    row = db.execute(
        select(User.name, Workspace.name, WorkspaceMember.role)
        .join(WorkspaceMember, WorkspaceMember.user_id == User.id)
        .join(Workspace, Workspace.id == WorkspaceMember.workspace_id)
        .where(User.id == user_id, Workspace.id == workspace_id, Workspace.deleted_at.is_(None))
    ).one_or_none()
    if row is None:
        raise not_found()
    user_name, workspace_name, role = row
    return Scope(user_id, workspace_id, as_role(role), user_name, workspace_name)


def a_role(role: Role) -> str:
    """How a sentence names it: "a member", "an owner"."""
    return f"{'an' if role[0] in 'aeiou' else 'a'} {role}"


def as_role(stored: str) -> Role:
    """The word from a table, whose check constraint allows no other."""
    return next(role for role in ROLES if role == stored)
