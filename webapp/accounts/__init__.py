"""Users, their signed-in browsers, workspaces, members and invitations. `enter()` is the only way to a Scope.

scope        what a role may do; Scope and enter()
passwords    Argon2id off the gevent hub, and which passwords are refused
people       the users: sign up, look up, change
browsers     server-side sign-in sessions: a hashed token each, idle and absolute ends, revocable
throttles    counters that hold across worker processes
workspaces   create, rename, switch, delete
members      who is in a workspace as what; the last owner stays
invitations  links that let one person in, once

Only scope and throttles are re-exported; the others go by their module's name: `members.remove(scope, db, id)`.
"""

from webapp.accounts.scope import RIGHTS, Right, Role, Scope, a_role, enter
from webapp.accounts.throttles import throttle

__all__ = ["RIGHTS", "Right", "Role", "Scope", "a_role", "enter", "throttle"]
