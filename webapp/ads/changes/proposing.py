"""Making plans: targets are read from their platforms, held against the guard rails, and validated by the platforms."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from webapp.accounts import Right, Scope
from webapp.ads import checks, guards
from webapp.ads.changes import facts, rows, seen, storing
from webapp.ads.changes.storing import Draft, Row
from webapp.ads.checks import Circumstances, Target
from webapp.ads.foreign import fence
from webapp.ads.guards import Rails
from webapp.ads.plans import NOTHING_BESIDES, Findings, Origin, PlanView, Refused, Wanted
from webapp.ads.platform import AdPlatform, Change, PlatformError, Platforms
from webapp.db import Database
from webapp.errors import UserError

NO_REFUND = "Undoing does not refund what was spent."


def propose(
    scope: Scope,
    database: Database,
    platforms: Platforms,
    wanted: Sequence[Wanted],
    origin: Origin,
    findings: Findings = NOTHING_BESIDES,
) -> PlanView:
    """Make and store a plan. It reads each target from its platform now, checks the guard rails (what is not known
    refuses) and has the platform validate each item. Of several items those that fail are left out, with a warning; if
    none is left, or there was but one, the plan is refused. Asked again for the same tool call it returns that plan.

    In mode "preview" the plan's status is "preview" and nothing waits. Raises Refused."""
    if made := _made(scope, database, origin):
        return made
    return _make(scope, database, platforms, wanted, origin, findings, undo_of=None)


def undo(scope: Scope, database: Database, platforms: Platforms, plan_id: uuid.UUID) -> PlanView:
    """A plan that takes back the done items of a finished one, for 7 days. It waits for a click like any other; if one
    waits already, that. Raises Refused where there is nothing (left) to undo or somebody changed it since."""
    with database.begin() as db:
        plan = rows.plan(scope, db, plan_id)
        if plan.undone_by:
            undoing = rows.plan(scope, db, plan.undone_by)
            if undoing.status == "pending":
                return undoing
    if plan.undo_until is None or not scope.may(Right.CHAT):
        raise Refused("It is undone, older than 7 days, or changed nothing.", title="There is nothing to undo")
    wanted = [
        Wanted(item.campaign_id, item.field, item.before, item.currency)
        for item in reversed(plan.items)
        if item.status == "done" and item.before is not None
    ]
    origin = Origin(None, "", "", "undo", {"plan": str(plan.id)})
    return _make(scope, database, platforms, wanted, origin, NOTHING_BESIDES, undo_of=plan)


def _make(
    scope: Scope,
    database: Database,
    platforms: Platforms,
    wanted: Sequence[Wanted],
    origin: Origin,
    findings: Findings,
    undo_of: PlanView | None,
) -> PlanView:
    around, found = _look(scope, database, wanted, undo_of)
    _refuse_at_once(platforms, around.rails, wanted, found)
    draft = _read(scope, platforms, wanted, found)
    _drop(draft, _closed)
    if undo_of:
        _keep_what_is_still_ours(draft, undo_of)
    brake = checks.is_brake([row.target for row in draft.rows], around)
    _drop(draft, lambda row: " ".join(checks.objections(row.target, around, brake=brake)))
    _refuse_if_nothing_stands(draft, wanted)
    if reasons := checks.of_the_whole([row.target for row in draft.rows], around):
        raise Refused(" ".join(reasons))
    _drop(draft, _dry_run)
    _refuse_if_nothing_stands(draft, wanted)
    cautions = [each for row in draft.rows for each in checks.cautions(row.target, around, brake=brake)]
    left_out = [f"Left out: {reason}" for reason in draft.left_out]
    draft.warnings = [*dict.fromkeys(cautions), *left_out, *([NO_REFUND] if undo_of else [])]
    return storing.store(scope, database, draft, around.rails, origin, findings, undo_of)


# --- looking ----------------------------------------------------------------------------------------------------


def _made(scope: Scope, database: Database, origin: Origin) -> PlanView | None:
    """The plan that this very call made before."""
    if origin.turn_id is None:
        return None
    with database.begin() as db:
        plans = rows.of_turn(scope, db, origin.turn_id)
    return next((plan for plan in plans if plan.tool_use_id == origin.tool_use_id), None)


def _look(
    scope: Scope, database: Database, wanted: Sequence[Wanted], undo_of: PlanView | None
) -> tuple[Circumstances, dict[uuid.UUID, facts.Known]]:
    with database.begin() as db:
        rails = guards.rails(scope, db)
        money = facts.money(scope, db)
        found = facts.known(scope, db, {each.campaign_id for each in wanted})
    by_name = all(each.evidence is None for each in wanted)
    around = Circumstances(rails, datetime.now(UTC), by_name, bool(undo_of), money.week, money.budgets)
    return around, found


def _refuse_at_once(
    platforms: Platforms, rails: Rails, wanted: Sequence[Wanted], found: dict[uuid.UUID, facts.Known]
) -> None:
    if not platforms.writes:
        raise Refused("The operator of this installation has switched all changes off (ADS_WRITES).")
    if rails.mode == "off":
        raise Refused("The guard rails of this workspace are set to off. An admin can set them under Settings.")
    if not wanted:
        raise Refused("It names no campaign.")
    if len({(each.campaign_id, each.field) for each in wanted}) < len(wanted):
        raise Refused("It names the same campaign twice.")
    if any(each.campaign_id not in found for each in wanted):
        raise Refused("There is no such campaign in the connected ad accounts.")


def _read(scope: Scope, platforms: Platforms, wanted: Sequence[Wanted], found: dict[uuid.UUID, facts.Known]) -> Draft:
    """Every target as its platform tells it now."""
    draft, opened = Draft(), dict[uuid.UUID, AdPlatform]()
    for each in wanted:
        known = found[each.campaign_id]
        try:
            platform = opened.get(known.account_id) or platforms.open(scope, known.account_id)
            target = _target(each, known, platform)
        except PlatformError as error:
            draft.left_out.append(f"{fence(known.name)} could not be read. {error.message}")
        except UserError as error:
            draft.left_out.append(f"{fence(known.name)} could not be read. {error.title}. {error.hint}")
        else:
            opened[known.account_id] = platform
            draft.rows.append(Row(known, platform, target, each.evidence))
    return draft


def _closed(row: Row) -> str:
    """Why this target is none, whatever the guard rails say."""
    if row.evidence and row.evidence.verdict != "pause":
        return f"{fence(row.known.name)}: {row.evidence.reason}"
    if not (row.known.writable and row.platform.writable):
        return f"The ad account {fence(row.known.account_name)} is connected for reading only."
    return ""


def _target(each: Wanted, known: facts.Known, platform: AdPlatform) -> Target:
    return Target(
        campaign_id=known.campaign_id,
        account_id=known.account_id,
        currency=known.currency,
        state=platform.read(known.external_id),
        field=each.field,
        value=each.value,
        value_currency=each.currency,
        week_micros=known.week_micros,
        changed_by_us=known.changed_by_us,
        budgets_this_hour=known.budgets_this_hour,
    )


def _keep_what_is_still_ours(draft: Draft, plan: PlanView) -> None:
    """An undo takes back only what still is as the plan left it."""
    left = {(item.campaign_id, item.field): item.after for item in plan.items if item.status == "done"}

    def changed_since(row: Row) -> str:
        as_left = left[row.target.campaign_id, row.target.field]
        if seen.value(row.target.state, row.target.field) == as_left:
            return ""
        return f"Somebody changed {fence(row.target.state.name)} since."

    _drop(draft, changed_since)


def _drop(draft: Draft, objection: Callable[[Row], str]) -> None:
    """Leave out the rows that there is an objection to."""
    standing = []
    for row in draft.rows:
        if reason := objection(row):
            draft.left_out.append(reason)
        else:
            standing.append(row)
    draft.rows = standing


def _dry_run(row: Row) -> str:
    """The platform's own refusal, or nothing."""
    target = row.target
    try:
        row.platform.validate(Change(target.state.external_id, target.field, target.value, target.state))
    except PlatformError as error:
        return f"The ad platform would refuse to change {fence(target.state.name)}: {fence(error.message)}"
    return ""


def _refuse_if_nothing_stands(draft: Draft, wanted: Sequence[Wanted]) -> None:
    if not draft.rows:
        raise Refused(" ".join(draft.left_out))
    if draft.left_out and all(each.evidence is None for each in wanted) and len({w.campaign_id for w in wanted}) == 1:
        raise Refused(" ".join(draft.left_out))
