"""What has to be said beside an answer, in plain sentences: what is missing, what still grows, what was kept apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from webapp.analytics.columns import ADS, ORDERS, VISITS, Source, meaning
from webapp.analytics.questions import Question
from webapp.analytics.shape import Shaped
from webapp.analytics.standing import Standing

BASIS = {"net": "less refunds", "gross": "before refunds"}


def definitions(question: Question, standing: Standing, shaped: Shaped) -> dict[str, str]:
    """Of the columns that are there."""
    shown = {each.key for each in shaped.columns}
    found = question.pipe.definitions
    return {word: text.replace("{basis}", BASIS[standing.basis]) for word, text in found.items() if word in shown}


def attribution(question: Question) -> str:
    """Who credits an order to what, and to which day."""
    pipe, values = question.pipe, question.values
    if "model" in pipe.compiled.parameters:
        model, days = values.get("model", "last"), values.get("lookback", 30)
        if model == "platform":
            return "Credited as each ad platform claims it, on the day of the click."
        who = {"first": "the first of", "last": "the last of", "linear": "all of"}[str(model)]
        return f"The shop's orders, each credited to {who} its buyer's visits in the {days} days before."
    shop = "The shop's orders count on the day they were placed, for the channel of the last visit."
    ads = "What ad platforms attribute counts on the day of the click, by each platform's own rules."
    made_from = _made_from(question)
    return " ".join([*([ads] if pipe.claims else []), *([shop] if made_from & ORDERS else [])])


def _made_from(question: Question) -> frozenset[Source]:
    """What the columns, or the metric that is judged, are made from."""
    pipe = question.pipe
    words = [each.key for each in pipe.columns]
    if metric := pipe.parameter("metric"):
        words.append(str(question.values.get("metric", metric.default)))
    return frozenset(source for word in words for source in meaning(word).made_from)


def caveats(question: Question, standing: Standing, shaped: Shaped) -> tuple[str, ...]:
    return tuple(
        sentence for part in (_missing, _short, _growing, _apart, _cut) for sentence in part(question, standing, shaped)
    )


def _missing(question: Question, standing: Standing, shaped: Shaped) -> Iterator[str]:
    needed = _made_from(question) - standing.sources
    if needed & ADS:
        yield "No ad account is connected: spend and what is made from it is not defined."
    if needed & ORDERS:
        yield "No orders of a shop are here: the shop's revenue and what is made from it is not defined."
    if needed & VISITS:
        yield "No sessions of a shop are here: sessions and conversion rates are not defined."


def _short(question: Question, standing: Standing, shaped: Shaped) -> Iterator[str]:
    """Where a source does not reach as far as the question."""
    since = question.compared.since if question.compared else question.window.since
    needed = _made_from(question)
    if needed & ORDERS and standing.orders and standing.orders.since > since:
        yield f"Orders are known from {standing.orders.since} on; nothing is known of the days before."
    if needed & VISITS and standing.visits and standing.visits.since > since:
        yield f"Sessions are known from {standing.visits.since} on: rates over days before that are too high."
    late = [
        each.data_through
        for each in standing.accounts
        if each.data_through and each.data_through < question.window.until
    ]
    if needed & ADS and late:
        yield f"The figures of {_accounts(len(late))} end earlier than the period, the first on {min(late)}."
    if question.window.until == standing.today:
        yield "The period includes today, which is not over."


def _growing(question: Question, standing: Standing, shaped: Shaped) -> Iterator[str]:
    if question.maturing_from is None:
        return
    then = " Its change compares the days before." if question.compared else ""
    yield f"What ad platforms attribute still grows for days from {question.maturing_from} on.{then}"
    if question.pipe.name == "metric_anomalies":
        yield "Those days are not judged where the metric is attributed by the platforms."


def _apart(question: Question, standing: Standing, shaped: Shaped) -> Iterator[str]:
    if len(shaped.currencies) > 1:
        yield f"Amounts in {' and '.join(shaped.currencies)} stand in rows of their own; they are never added."
    zones = Counter(each.timezone for each in standing.accounts if each.timezone != standing.timezone)
    if _made_from(question) & ADS:
        for zone, count in sorted(zones.items()):
            yield f"{_accounts(count).capitalize()} {'counts its' if count == 1 else 'count their'} days in {zone}."
    platform = question.values.get("platform")
    if platform and _made_from(question) & (ORDERS | VISITS):
        yield f"The shop's figures are those whose last visit came by {platform}."


def _cut(question: Question, standing: Standing, shaped: Shaped) -> Iterator[str]:
    granularity = question.values.get("granularity", "day")
    if granularity != "day":
        yield f"The first and the last {granularity} hold only the days within the period."
    if "cohort" in question.pipe.compiled.parameters:
        yield "Only customers whose first order is known are counted; the newest month is not over."


def _accounts(count: int) -> str:
    return "one ad account" if count == 1 else f"{count} ad accounts"
