"""The chat pages: sessions, the transcript, sending, stopping, the model picker, and the stream of a live turn."""

from __future__ import annotations

import html
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp.accounts import Right, Scope, browsers, enter
from webapp.ads.plans import PlanView
from webapp.chat import picker, transcript
from webapp.chat.job import Job
from webapp.chat.picker import Group, Pick
from webapp.chat.surfaces import SURFACES
from webapp.chat.transcript import Asking, SessionRow, Standing
from webapp.db import UNAVAILABLE
from webapp.errors import Link, UserError
from webapp.pages import cards, conversation, frames, results, stream, web, words
from webapp.vault import byok

bp = Blueprint("chat", __name__)


# --- pages ------------------------------------------------------------------------------------------------------


@bp.get("/chat")
@web.within(Right.READ)
def index(scope: Scope) -> ResponseReturnValue:
    return _page(scope, None)


@bp.get("/chat/<uuid:session_id>")
@web.within(Right.READ)
def show(scope: Scope, session_id: uuid.UUID) -> ResponseReturnValue:
    return _page(scope, session_id)


def _page(scope: Scope, session_id: uuid.UUID | None, *, error: str = "", status: int = 200) -> ResponseReturnValue:
    shown = conversation.whole(scope, session_id)
    if error:
        shown["draft"] = request.form.get("text", "")
    return render_template("chat/index.html", error=error, **shown), status


# --- asking -----------------------------------------------------------------------------------------------------


@bp.post("/chat/send")
@web.within(Right.CHAT)
def send(scope: Scope) -> ResponseReturnValue:
    """Store the question, start the turn, answer with its fragment. Sending twice with one request id asks once."""
    session_id = _uuid_field("session_id")
    runner = web.parts().runner
    if web.parts().log.draining:  # a deploy: the next worker takes it
        raise UserError("The server is restarting", "Nothing was sent. Try again in a few seconds.", status=503)
    try:
        with web.database().begin() as db:
            session = transcript.session(scope, db, session_id) if session_id else None
            pick = _pick(scope, db, session)
            asking = _asking(scope, db, session, pick)
            ref, fresh = transcript.open_turn(scope, db, session_id, asking, runner.owner)
            picker.choose(scope, db, pick)
    except UserError as error:
        if web.is_htmx() or error.status not in (409, 422):
            raise
        return _page(scope, session_id, error=f"{error.title}. {error.hint}", status=error.status)
    if fresh:
        runner.submit(Job(scope, ref, pick.provider, pick.model.id, pick.key, asking.surface))
    to = url_for("chat.show", session_id=ref.session_id)
    if not web.is_htmx():
        return redirect(f"{to}#turn-{ref.id}", code=303)
    if not fresh:
        return _asked_before(ref.session_id)
    return _sent(scope, ref.id, to, first=session_id is None)


def _asking(scope: Scope, db: Any, session: SessionRow | None, pick: Pick) -> Asking:
    about = conversation.about(scope, db)
    return Asking(
        request_id=_uuid_field("request_id") or uuid.uuid4(),
        text=request.form.get("text", "").replace("\r\n", "\n"),
        provider=pick.provider.slug,
        model=pick.model.id,
        model_name=pick.model.name,
        key_id=pick.key.id,
        key_label=pick.key.label,
        context=about.context if about else None,
        surface=session.surface if session else conversation.surface(),
    )


def _pick(scope: Scope, db: Any, session: SessionRow | None) -> Pick:
    """The model of the form, else of the session, else of the workspace. Raises UserError without a connected key."""
    groups = picker.groups(scope, db, web.parts().providers)
    if not groups:
        raise UserError(
            "No provider is connected",
            "Connect a key first.",
            link=Link("AI providers", url_for("providers.index")),
            status=409,
        )
    named = request.form.get("model", "")
    if named:
        return picker.must_find(groups, named)
    found = picker.current(scope, db, groups, *(session.choice if session else ()))
    if found is None:
        raise UserError(
            "The model is not available any more",
            "Its key was disconnected, or the provider no longer lists it. Pick another model at the right of the box.",
            link=Link("AI providers", url_for("providers.index")),
            status=409,
        )
    if payer := request.form.get("payer"):  # of the answer that is asked for again
        picker.must_be_paid(found, personal=payer == "me")
    return found


def _sent(scope: Scope, turn_id: uuid.UUID, to: str, *, first: bool) -> ResponseReturnValue:
    with web.database().look() as db:
        turn = transcript.turn(scope, db, turn_id)
        session = transcript.session(scope, db, turn.session_id)
    around: dict[str, Any] = {
        "session": session,
        "row": session,
        "session_id": session.id,
        "live_turn": turn.id,
        "ready": True,
    }
    if web.in_drawer():
        around |= {"surface": SURFACES[session.surface], "place": url_for("drawer.show", session_id=session.id)}
        return render_template("drawer/_sent.html", turn=turn, first=first, **around)
    page = render_template("chat/_sent.html", turn=turn, first=first, **around)
    return Response(page, headers={"HX-Push-Url": to} if first else {})


def _asked_before(session_id: uuid.UUID) -> ResponseReturnValue:
    """A second click that came too late: to what the first one started."""
    if not web.in_drawer():
        return Response(status=204, headers={"HX-Redirect": url_for("chat.show", session_id=session_id)})
    there = {"path": url_for("drawer.show", session_id=session_id), "target": "#drawer-body", "swap": "outerHTML"}
    return Response(status=204, headers={"HX-Location": json.dumps({**there, "push": "false"})})


@bp.post("/chat/turns/<uuid:turn_id>/stop")
@web.within(Right.CHAT)
def stop(scope: Scope, turn_id: uuid.UUID) -> ResponseReturnValue:
    """Ask the turn to stop, on whichever worker it runs. The stream brings the end."""
    with web.database().begin() as db:
        transcript.request_stop(scope, db, turn_id)
        session_id = transcript.turn(scope, db, turn_id).session_id
    web.parts().runner.stop(turn_id)
    if web.is_htmx():
        return Response(status=204)
    return redirect(url_for("chat.show", session_id=session_id), code=303)


def _uuid_field(name: str) -> uuid.UUID | None:
    value = request.form.get(name, "")
    return web.uuid_or_404(value) if value else None


# --- sessions ---------------------------------------------------------------------------------------------------


@bp.get("/chat/<uuid:session_id>/rename")
@web.within(Right.CHAT)
def rename_form(scope: Scope, session_id: uuid.UUID) -> ResponseReturnValue:
    return _renamed(scope, session_id, renaming=session_id, shown="shown" in request.args)


@bp.post("/chat/<uuid:session_id>/rename", endpoint="rename")
@web.within(Right.CHAT)
def rename(scope: Scope, session_id: uuid.UUID) -> ResponseReturnValue:
    with web.database().begin() as db:
        transcript.rename(scope, db, session_id, request.form.get("title", ""))
    if not web.is_htmx():
        return redirect(url_for("chat.show", session_id=session_id), code=303)
    return _renamed(scope, session_id, renaming=None, shown="shown" in request.form)


def _renamed(scope: Scope, session_id: uuid.UUID, *, renaming: uuid.UUID | None, shown: bool) -> ResponseReturnValue:
    with web.database().look() as db:
        row = transcript.session(scope, db, session_id)
        context = conversation.around(scope, db, row)
    context["renaming"] = renaming
    if not web.is_htmx():
        return render_template("chat/index.html", turns=[], live_turn=None, **context)
    context["session"] = row if shown else None
    fragment = render_template("chat/_session.html", row=row, **context)
    if shown and renaming is None:
        fragment += frames.partial("chat-title", frames.REPLACE, render_template("chat/_title.html", session=row))
    return fragment


@bp.post("/chat/<uuid:session_id>/delete")
@web.within(Right.CHAT)
def delete(scope: Scope, session_id: uuid.UUID) -> ResponseReturnValue:
    with web.database().begin() as db:
        title = transcript.session(scope, db, session_id).title
        live = transcript.delete_session(scope, db, session_id)
    for turn_id in live:
        web.parts().runner.stop(turn_id)
    web.notice(f"“{title}” was deleted.")
    return redirect(url_for("chat.index"), code=303)


# --- the picker -------------------------------------------------------------------------------------------------


@bp.get("/chat/models")
@web.within(Right.READ)
def models(scope: Scope) -> ResponseReturnValue:
    """The picker's list, narrowed to what holds every typed word."""
    typed = request.args.get("q", "").lower().split()
    with web.database().look() as db:
        groups = picker.groups(scope, db, web.parts().providers)
        pick = picker.find(groups, *request.args.get("model", "").partition(":")[::2])
    found = [replace(g, picks=tuple(p for p in g.picks if _holds(p, typed))) for g in groups]
    more = conversation.left_out(found)
    return render_template("chat/_models.html", groups=conversation.shortened(found), pick=pick, more=more)


def is_listed(groups: Sequence[Group], pick: Pick) -> bool:
    """Whether the pick is among the rows: else the form must carry it, or typing in the search would change it."""
    return any(option.value == pick.value for group in groups for option in group.picks)


def _holds(pick: Pick, words: Sequence[str]) -> bool:
    text = f"{pick.provider.name} {pick.model.name} {pick.model.id}".lower()
    return all(word in text for word in words)


@bp.get("/chat/warmth")
@web.within(Right.READ)
def warmth_now(scope: Scope) -> ResponseReturnValue:
    """Whether the cache is warm: asked now and then by a page that showed it warm."""
    session_id = web.uuid_or_404(request.args["session_id"]) if request.args.get("session_id") else None
    with web.database().look() as db:
        return render_template("chat/_warmth.html", **_warmth(scope, db, session_id))


def _warmth_beside(scope: Scope, session_id: uuid.UUID | None, pick: Pick) -> str:
    """Of the model that was just picked, for the page that shows another one's."""
    with web.database().look() as db:
        shown = render_template("chat/_warmth.html", **_warmth(scope, db, session_id, pick))
    return frames.partial("warmth", frames.REPLACE, shown)


def _warmth(scope: Scope, db: Any, session_id: uuid.UUID | None, pick: Pick | None = None) -> dict[str, Any]:
    """Of the model picked, else of the one that the chat speaks with."""
    session = transcript.session(scope, db, session_id) if session_id else None
    place = session.surface if session else conversation.surface()
    if pick is None:
        groups = picker.groups(scope, db, web.parts().providers)
        named = picker.find(groups, *request.args.get("model", "").partition(":")[::2])
        wanted = picker.wanted(scope, db, *(session.choice if session else ()))
        pick = named or picker.current(scope, db, groups, *wanted)
    found = conversation.warmth_of(scope, db, pick, session_id, place)
    return {"warmth": found, "session_id": session_id, "surface": SURFACES[place], "pick": pick}


@bp.post("/chat/model")
@web.within(Right.CHAT)
def choose(scope: Scope) -> ResponseReturnValue:
    """Remember a model for the workspace, and for the chat it was chosen in."""
    session_id = _uuid_field("session_id")
    with web.database().begin() as db:
        groups = picker.groups(scope, db, web.parts().providers)
        pick = picker.must_find(groups, request.form.get("model", ""))
        picker.choose(scope, db, pick)
        if session_id:
            transcript.choose_model(scope, db, session_id, pick.provider.slug, pick.model.id)
    if not web.is_htmx():
        return redirect(url_for("chat.index"), code=303)
    return render_template("chat/_picked.html", pick=pick) + _warmth_beside(scope, session_id, pick)


# --- the stream -------------------------------------------------------------------------------------------------


def open_to_readers(view: Any) -> Any:
    """A policy of its own: always 200 and an event stream, since hx-sse asks again without end on anything else."""
    view.policy = "stream"
    return view


@bp.get("/chat/turns/<uuid:turn_id>/stream", endpoint="stream")
@open_to_readers
def stream_turn(turn_id: uuid.UUID) -> ResponseReturnValue:
    """The frames of a turn. Who may not see it, or no longer, gets one frame that takes the connection away."""
    scope = _reader()
    standing = _standing(scope, turn_id) if scope else None
    if scope is None or standing is None:
        return _event_stream(iter([stream.gone(turn_id)]))
    if not standing.state.live:
        return _event_stream(iter([_or_gone(_final, scope, turn_id)]))
    return _event_stream(
        stream.follow(
            web.parts().log,
            turn_id,
            words.provider_name(standing.provider),
            stream.Looks(
                reader=scope.user_id,
                allowed=lambda: _still_allowed(scope, turn_id),
                plans=lambda: _plans(scope, turn_id),
                waiting=lambda: _or_gone(_waiting, scope, turn_id),
                final=lambda: _or_gone(_final, scope, turn_id),
            ),
        )
    )


def _reader() -> Scope | None:
    if not current_user.is_authenticated or current_user.workspace_id is None:
        return None
    try:
        with web.database().look() as db:
            return enter(db, current_user.id, current_user.workspace_id)
    except UserError:
        return None


def _standing(scope: Scope, turn_id: uuid.UUID) -> Standing | None:
    with web.database().look() as db:
        return transcript.standing(scope, db, turn_id)


def _still_allowed(scope: Scope, turn_id: uuid.UUID) -> bool:
    """Signed in, a member, and the session not deleted: asked anew at every heartbeat."""
    try:
        with web.database().look() as db:
            now = enter(db, scope.user_id, scope.workspace_id)
            return browsers.lives(db, current_user.session_id) and transcript.standing(now, db, turn_id) is not None
    except UserError:
        return False
    except UNAVAILABLE:
        return True  # what is in memory goes on; the next heartbeat asks again


def _event_stream(body: Iterable[bytes]) -> Response:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Response(stream_with_context(body), mimetype="text/event-stream", headers=headers)  # type: ignore[call-overload]


def _or_gone(frame: Callable[[Scope, uuid.UUID], bytes], scope: Scope, turn_id: uuid.UUID) -> bytes:
    """The scope is from when the stream began: who was taken out since sees nothing more."""
    if not _still_allowed(scope, turn_id):
        return stream.gone(turn_id)
    try:
        return frame(scope, turn_id)
    except UserError:  # deleted in the meantime
        return stream.gone(turn_id)


def _plans(scope: Scope, turn_id: uuid.UUID) -> Mapping[str, PlanView]:
    with web.database().look() as db:
        return {plan.tool_use_id: plan for plan in transcript.plans_of(scope, db, turn_id)}


def _waiting(scope: Scope, turn_id: uuid.UUID) -> bytes:
    """The turn as every page shows it while it waits for a person: with the card, whose form is this browser's own."""
    with web.database().look() as db:
        turn = transcript.turn(scope, db, turn_id)
    whole = render_template("chat/_turn.html", turn=turn, last=True)
    asks = any(plan.status == "pending" for plan in turn.plans)
    return frames.sse(
        frames.partial(f"turn-{turn.id}", frames.REPLACE, whole),
        frames.partial("announce", frames.GROW, "Maxxer asks you to approve a change." if asks else ""),
    )


def _final(scope: Scope, turn_id: uuid.UUID) -> bytes:
    """The turn as every page shows it, and what changes around it when it ends."""
    with web.database().look() as db:
        turn = transcript.turn(scope, db, turn_id)
        session = transcript.session(scope, db, turn.session_id)
        attention = byok.attention(scope, db)
        warm = _warmth(scope, db, session.id)
    around = {"turn": turn, "session": session, "row": session, "session_id": session.id, "last": True}
    action = render_template("chat/_action.html", live_turn=None, ready=scope.may(Right.CHAT), **around)
    parts = [
        frames.partial(f"turn-{turn.id}", frames.REPLACE, render_template("chat/_turn.html", **around)),
        frames.partial("composer-action", frames.REPLACE, action),
        frames.partial("usage", frames.REPLACE, render_template("chat/_usage.html", **around)),
        frames.partial(f"session-{session.id}", frames.REPLACE, render_template("chat/_session.html", **around)),
        frames.partial("warmth", frames.REPLACE, render_template("chat/_warmth.html", **warm)),
        frames.partial("announce", frames.GROW, html.escape(words.announcement(turn))),
    ]
    if attention:
        parts.append(frames.partial("banner", frames.REPLACE, render_template("_banner.html")))
    return frames.sse(*parts)


@bp.record_once
def _furnish(state: Any) -> None:
    state.app.jinja_env.globals.update(
        {**words.for_templates(), **results.for_templates(), **cards.for_templates()}, is_listed=is_listed
    )
    state.app.jinja_env.filters.update(results.filters_for_templates(), compact=words.compact, usd=words.usd)
