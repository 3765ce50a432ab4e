"""What a platform's trouble is called when an account cannot be read: what happened, why, and what to do next.

A Fault is kept with the account it stands in the way of. What a write met is told by whoever wrote.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from webapp.ads.platform import PlatformError, Trouble

NAMES = {"meta": "Meta", "google": "Google Ads", "import": "CSV file", "demo": "Demo account"}
LONGEST_SAID = 300  # characters of a platform's sentence

RETRY: dict[Trouble, float] = {  # seconds until a failed sync is tried again by itself; by default RETRY_LATER
    Trouble.TRANSIENT: 120.0,
    Trouble.UNREACHABLE: 120.0,
    Trouble.CONFLICT: 120.0,
    Trouble.THROTTLED: 300.0,
}
RETRY_LATER = 3600.0


@dataclass(frozen=True)
class Fault:
    """Why an account needs somebody: `said` is the platform's sentence, `code` its number for it."""

    trouble: Trouble
    said: str
    code: str = ""

    @staticmethod
    def of(error: PlatformError) -> Fault:
        return Fault(error.trouble, error.message[:LONGEST_SAID], error.code)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(stored: dict[str, Any]) -> Fault:
        return Fault(Trouble(stored["trouble"]), stored["said"], stored.get("code", ""))


@dataclass(frozen=True)
class Words:
    title: str
    hint: str


def explain(trouble: Trouble, platform: str) -> Words:
    """For a person who reads or connects. `platform` is "meta", "google" ..."""
    name = NAMES[platform]
    match trouble:
        case Trouble.TOKEN:
            return Words(f"{name} does not accept this sign-in", f"It has expired or was revoked. {fresh(platform)}")
        case Trouble.CHECKPOINT:
            return Words(f"{name} wants to see you first", f"Sign in at {name} and do what it asks. The token is good.")
        case Trouble.PERMISSION:
            return Words("This sign-in may not read the account", permission(platform))
        case Trouble.THROTTLED:
            return Words(f"{name} asks for a pause", "Too much was asked in a short time. Try again in some minutes.")
        case Trouble.TOO_MUCH:
            return Words(f"{name} finds the answer too big", "Try again later. If it stays, tell your operator.")
        case Trouble.NOT_FOUND:
            return Words("The ad account is not there", f"It was closed, or {name} no longer shows it to this sign-in.")
        case Trouble.POLICY:
            return Words(f"{name} has restricted the account", f"Sign in at {name}: it says why and what to do.")
        case Trouble.VERSION:
            return Words(f"{name} no longer answers this version", "Your operator has to update this installation.")
        case Trouble.UNREACHABLE | Trouble.TRANSIENT | Trouble.UNKNOWN_OUTCOME | Trouble.CONFLICT:
            return Words(f"{name} did not answer", "It has trouble of its own, or cannot be reached. Try again.")
        case Trouble.REFUSED:
            return Words(f"{name} refused", "Its own words say why.")


def fresh(platform: str) -> str:
    if platform == "google":
        return "Sign in once more and paste the new refresh token. Publish the consent screen, or it ends after 7 days."
    return "Generate a new token for the system user and paste it."


def permission(platform: str) -> str:
    if platform == "google":
        return "Use a Google account that has access to it, and enable the Google Ads API in your Cloud project."
    return "Generate the token with the permission ads_read, and assign the ad account to the system user."


def note(error: PlatformError, platform: str, seconds: float) -> str:
    """One line beside the account: what stopped the sync, the platform's words, and what happens next."""
    words = explain(error.trouble, platform)
    message = error.message.rstrip(". ")
    said = f" {NAMES[platform]} said: {message}." if error.trouble is not Trouble.THROTTLED else ""
    return f"{words.title}.{said} {_next(error.trouble, words, seconds)}"[:LONGEST_SAID]


def _next(trouble: Trouble, words: Words, seconds: float) -> str:
    if trouble is Trouble.TOKEN or trouble is Trouble.CHECKPOINT:
        return words.hint
    return f"It goes on by itself in {_minutes(seconds)}."


def _minutes(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return "a minute" if minutes == 1 else f"{minutes} minutes"


def retry_in(error: PlatformError) -> float:
    """Seconds until a sync may be tried again by itself."""
    return max(error.retry_after or 0.0, RETRY.get(error.trouble, RETRY_LATER))
