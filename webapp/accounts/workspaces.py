"""Workspaces: create, rename, list, delete. Who is in one: members.py. Looking at one: browsers.look_at."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import func, select, update

from webapp import audit
from webapp.accounts.members import hold
from webapp.accounts.scope import Right, Role, Scope, as_role, enter
from webapp.db import Session
from webapp.db.models import Workspace, WorkspaceMember
from webapp.errors import UserError

NAME_LENGTH = 80


@dataclass(frozen=True)
class Joined:
    """A workspace of a person, for the switcher."""

    id: uuid.UUID
    name: str
    role: Role


def name_problem(name: str) -> str:
    """Why the name is refused, as a sentence for its field; "" if it is fine."""
    if not name:
        return "Enter a name."
    if len(name) > NAME_LENGTH:
        return f"Use at most {NAME_LENGTH} characters."
    return ""


def of(db: Session, user_id: uuid.UUID) -> list[Joined]:
    """The person's workspaces by name."""
    rows = db.execute(
        select(Workspace.id, Workspace.name, WorkspaceMember.role)
        .join(WorkspaceMember, WorkspaceMember.workspace_id == Workspace.id)
        .where(WorkspaceMember.user_id == user_id, Workspace.deleted_at.is_(None))
        .order_by(func.lower(Workspace.name), Workspace.id)
    )
    return [Joined(id, name, as_role(role)) for id, name, role in rows]


def create(db: Session, user_id: uuid.UUID, name: str) -> Scope:
    """A new workspace that the user owns."""
    workspace = Workspace(id=uuid.uuid4(), name=name, created_by=user_id)
    db.add(workspace)
    db.flush()
    db.add(WorkspaceMember(workspace_id=workspace.id, user_id=user_id, role="owner"))
    db.flush()
    scope = enter(db, user_id, workspace.id)
    audit.record(scope, db, "workspace.created", name)
    return scope


def rename(scope: Scope, db: Session, name: str) -> None:
    scope = hold(scope, db, Right.MANAGE_WORKSPACE)
    if name == scope.workspace_name:
        return
    db.execute(update(Workspace).where(Workspace.id == scope.workspace_id).values(name=name))
    audit.record(scope, db, "workspace.renamed", name, was=scope.workspace_name)


def delete(scope: Scope, db: Session, *, typed_name: str) -> None:
    """Mark it as deleted: from now on nobody can enter it. Raises a 422 UserError unless its name was typed.

    Its provider keys belong to the vault: the caller revokes them in the same transaction.
    """
    scope = hold(scope, db, Right.DELETE_WORKSPACE)
    if typed_name != scope.workspace_name:
        raise UserError("The name does not match", f"Type {scope.workspace_name} exactly as written.", status=422)
    audit.record(scope, db, "workspace.deleted", scope.workspace_name)
    db.execute(
        update(Workspace)
        .where(Workspace.id == scope.workspace_id)
        .values(deleted_at=func.now(), deleted_by=scope.user_id)
    )
