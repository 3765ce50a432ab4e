"""The users: sign up, look up, change. Hashing passwords: passwords.py. Who is signed in where: browsers.py."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.dialects.postgresql import insert

from webapp.db import Session
from webapp.db.models import User

THEMES = ("system", "light", "dark")
NAME_LENGTH, EMAIL_LENGTH = 80, 254
# Not RFC 5322: enough to catch a slip of the finger. Whether the address works, only a letter to it can tell.
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


@dataclass(frozen=True)
class Credentials:
    """What a sign-in needs to know of the person it is for."""

    user_id: uuid.UUID
    password_hash: str


def normal_email(typed: str) -> str:
    return typed.strip().lower()


def email_problem(email: str) -> str:
    """Why the address is refused, as a sentence for its field; "" if it is fine."""
    if not email:
        return "Enter your email address."
    if len(email) > EMAIL_LENGTH or not EMAIL.fullmatch(email):
        return "This does not look like an email address."
    return ""


def name_problem(name: str) -> str:
    """Why the name of a person is refused; "" if it is fine."""
    if not name:
        return "Enter your name."
    if len(name) > NAME_LENGTH:
        return f"Use at most {NAME_LENGTH} characters."
    return ""


def sign_up(db: Session, *, name: str, email: str, password_hash: str) -> uuid.UUID | None:
    """The new user's id; None if the address is taken (also when two ask for it at once)."""
    made = insert(User).values(id=uuid.uuid4(), name=name, email=normal_email(email), password_hash=password_hash)
    found: uuid.UUID | None = db.execute(
        made.on_conflict_do_nothing(index_elements=[User.email]).returning(User.id)
    ).scalar_one_or_none()
    return found


def by_email(db: Session, email: str) -> Credentials | None:
    return _credentials(db, User.email == normal_email(email))


def by_id(db: Session, user_id: uuid.UUID) -> Credentials | None:
    return _credentials(db, User.id == user_id)


def rename(db: Session, user_id: uuid.UUID, name: str) -> None:
    db.execute(update(User).where(User.id == user_id).values(name=name))


def set_password(db: Session, user_id: uuid.UUID, password_hash: str) -> None:
    db.execute(update(User).where(User.id == user_id).values(password_hash=password_hash))


def set_theme(db: Session, user_id: uuid.UUID, theme: str) -> None:
    """`theme` is one of THEMES."""
    db.execute(update(User).where(User.id == user_id).values(theme=theme))


def _credentials(db: Session, which: ColumnElement[bool]) -> Credentials | None:
    row = db.execute(select(User.id, User.password_hash).where(which)).one_or_none()
    return Credentials(row.id, row.password_hash) if row else None
