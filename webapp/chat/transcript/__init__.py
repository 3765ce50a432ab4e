"""What was said: chat sessions, turns and their messages. The store of chat_sessions, chat_turns and chat_messages.

keeping   sessions: whose they are, what they are called
asking    a question becomes a queued turn, once
reading   turns as a page, a follower and a provider see them
live      turns as they are written, by their owner alone
messages  a turn's messages as rows
"""

from webapp.chat.transcript.asking import MAX_QUESTION, Asking, open_turn, title_from
from webapp.chat.transcript.keeping import SessionRow, choose_model, rename, session, sessions
from webapp.chat.transcript.live import (
    KEEP_LOG,
    LEASE,
    UNREADABLE,
    Held,
    News,
    TurnRef,
    author_may_chat,
    begin,
    book,
    delete_session,
    finish,
    held,
    is_held,
    news_of,
    reap,
    renew,
    request_stop,
    sweep_log,
    tell,
    tell_stop,
    write_end,
)
from webapp.chat.transcript.reading import (
    History,
    Standing,
    TurnView,
    events_of,
    history,
    outcome_of,
    plans_of,
    standing,
    turn,
    turns,
)

__all__ = [
    "KEEP_LOG",
    "LEASE",
    "MAX_QUESTION",
    "UNREADABLE",
    "Asking",
    "Held",
    "History",
    "News",
    "SessionRow",
    "Standing",
    "TurnRef",
    "TurnView",
    "author_may_chat",
    "begin",
    "book",
    "choose_model",
    "delete_session",
    "events_of",
    "finish",
    "held",
    "history",
    "is_held",
    "news_of",
    "open_turn",
    "outcome_of",
    "plans_of",
    "reap",
    "rename",
    "renew",
    "request_stop",
    "session",
    "sessions",
    "standing",
    "sweep_log",
    "tell",
    "tell_stop",
    "title_from",
    "turn",
    "turns",
    "write_end",
]
