"""`python -m bench`: the product beside its provider read directly, in figures and ratios.

What is measured, with N answers being written at once (50 tokens/s each, less where that were over 5,000 in all):
- first token: from sending the question to reading the first word, for extra questions asked while the N run;
- processor time per token: of the worker processes, between two moments when all N are being written;
- memory per answer: what the workers hold in the middle of it, less what they held before;
- the same without readers; and the processor time of a whole turn whose answer is one token.
Every answer is checked: each token once, in order, in the final HTML. One that is not right ends the run with status 1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle

from bench.browser import Reading, Wrong, check_tokens, exchange
from bench.measure import Group, busy, cores, percentile
from bench.stack import Stack, product, upstream, written
from dev import CannotRun

TOTAL_RATE = 5000  # tokens a second, of all answers together
RATE = 50
ARRIVALS = 10  # questions a second while the crowd gathers
WINDOW = 6.0  # seconds
PATIENCE = 60.0  # seconds from the last question of a crowd to the last first word
SLACK = 10.0  # seconds by which all may be late before the crowd is done too early
PROBES = 50
PROBE_EVERY = 0.2  # seconds
PROBE = "bench-t20-r50"
SHORT = "bench-t1-r50"
TURNS = 200

Ask = Callable[[str, Reading], Awaitable[None]]


@dataclass(frozen=True)
class Figures:
    """Of one crowd. Milliseconds, microseconds, kilobytes; None where it was not measured."""

    streams: int
    rate: int
    first_p50: float
    first_p99: float
    age_p50: float = 0.0
    age_p99: float = 0.0
    gap_p99: float = 0.0
    token_us: float | None = None
    postgres_us: float | None = None
    memory_kb: float | None = None
    machine: float = 0.0  # share of all cores that was busy
    lasted: bool = True  # the crowd was there while the extra questions were asked


@dataclass(frozen=True)
class Crowd:
    """N answers at once, long enough for everything that is measured while they run."""

    streams: int

    @property
    def rate(self) -> int:
        return min(RATE, max(1, TOTAL_RATE // self.streams))

    @property
    def gathering(self) -> float:
        return self.streams / ARRIVALS

    @property
    def tokens(self) -> int:
        return int(self.rate * (self.gathering + WINDOW + PROBES * PROBE_EVERY + SLACK))

    @property
    def model(self) -> str:
        return f"bench-t{self.tokens}-r{self.rate}"


def asking_directly(port: int) -> Ask:
    """The provider itself, as the product would ask it."""

    async def ask(model: str, reading: Reading) -> None:
        body = json.dumps({"model": model, "max_tokens": 4096, "stream": True, "messages": []}).encode()
        await exchange(port, "POST", "/v1/messages", {"Content-Type": "application/json"}, body, reading.take)

    return ask


def asking_product(stack: Stack) -> Ask:
    turns = cycle(stack.browsers)

    async def ask(model: str, reading: Reading) -> None:
        await next(turns).ask(model, reading)

    return ask


def tokens_of(model: str) -> int:
    return int(model.split("-")[1][1:])


class Answer:
    """One answer that is being read."""

    def __init__(self, ask: Ask, model: str) -> None:
        self.reading = Reading(tokens_of(model), recording=False)
        self.task = asyncio.ensure_future(ask(model, self.reading))
        self.task.add_done_callback(lambda task: task.cancelled() or task.exception())  # the first to fail speaks


async def gather(ask: Ask, crowd: Crowd) -> list[Answer]:
    """Start all, and return when each has said something."""
    answers = []
    for _ in range(crowd.streams):
        answers.append(Answer(ask, crowd.model))
        await asyncio.sleep(1 / ARRIVALS)
    deadline = time.monotonic() + PATIENCE
    while any(not answer.reading.first_at and not answer.task.done() for answer in answers):
        if time.monotonic() > deadline:
            raise Wrong(f"Not every one of {crowd.streams} answers had begun after {PATIENCE:.0f} s.")
        await asyncio.sleep(0.05)
    await asyncio.sleep(1)
    return answers


async def probe(ask: Ask) -> list[float]:
    """Seconds to the first token, of questions asked one after another."""
    answers = []
    for _ in range(PROBES):
        answers.append(Answer(ask, PROBE))
        await asyncio.sleep(PROBE_EVERY)
    await asyncio.gather(*(answer.task for answer in answers))
    return [answer.reading.to_first for answer in answers]


async def measure(ask: Ask, crowd: Crowd, upstream_port: int, stack: Stack | None) -> Figures:
    before = stack.workers.memory() if stack else 0.0
    answers = await gather(ask, crowd)
    for answer in answers:
        answer.reading.recording = True
    cost = await window(upstream_port, stack)
    for answer in answers:
        answer.reading.recording = False
    memory = (stack.workers.memory() - before) / crowd.streams / 1000 if stack else None
    first = await probe(ask)
    lasted = not any(answer.task.done() for answer in answers)
    await asyncio.gather(*(answer.task for answer in answers))
    ages = [age for answer in answers for age in answer.reading.ages]
    gaps = [gap for answer in answers for gap in answer.reading.gaps]
    return Figures(
        streams=crowd.streams,
        rate=crowd.rate,
        first_p50=percentile(first, 0.5) * 1000,
        first_p99=percentile(first, 0.99) * 1000,
        age_p50=percentile(ages, 0.5) * 1000,
        age_p99=percentile(ages, 0.99) * 1000,
        gap_p99=percentile(gaps, 0.99) * 1000,
        token_us=cost.token_us,
        postgres_us=cost.postgres_us,
        memory_kb=memory,
        machine=cost.machine,
        lasted=lasted,
    )


@dataclass(frozen=True)
class Cost:
    token_us: float | None
    postgres_us: float | None
    machine: float


async def window(upstream_port: int, stack: Stack | None) -> Cost:
    """The processor time of WINDOW seconds, for each token that the provider wrote in them."""
    postgres = stack.everything_in_postgres() if stack else Group(())
    workers = stack.workers if stack else Group(())
    tokens, (ours, theirs, all_of_it) = (await written(upstream_port))[0], (workers.cpu(), postgres.cpu(), busy())
    await asyncio.sleep(WINDOW)
    more = (await written(upstream_port))[0] - tokens
    machine = (busy() - all_of_it) / WINDOW / cores()
    if not stack:
        return Cost(None, None, machine)
    return Cost((workers.cpu() - ours) / more * 1e6, (postgres.cpu() - theirs) / more * 1e6, machine)


async def measure_unwatched(stack: Stack, crowd: Crowd) -> Cost:
    """Questions whose readers went away at once. The pages are read, and checked, when all is written."""
    turns = cycle(stack.browsers)
    chats = []
    for _ in range(crowd.streams):
        browser = next(turns)
        _, chat = await browser.send(crowd.model)
        chats.append((browser, chat))
        await asyncio.sleep(1 / ARRIVALS)
    await asyncio.sleep(1)
    cost = await window(stack.upstream_port, stack)
    while (await written(stack.upstream_port))[1]:
        await asyncio.sleep(0.5)
    await asyncio.sleep(2)
    for browser, chat in chats:
        check_tokens(await browser.page(chat), crowd.tokens)
    return cost


async def measure_turn(ask: Ask, stack: Stack) -> float:
    """Milliseconds of the workers' processor time for a whole turn with a one-token answer, watched to its end."""
    before = stack.workers.cpu()
    for _ in range(TURNS // 4):
        await asyncio.gather(*(ask(SHORT, Reading(1)) for _ in range(4)))
    return (stack.workers.cpu() - before) / TURNS * 1000


# --- showing ----------------------------------------------------------------------------------------------------


def show(direct: Figures, through: Figures) -> None:
    added = through.first_p50 - direct.first_p50, through.first_p99 - direct.first_p99
    ratio = through.age_p50 / direct.age_p50 if direct.age_p50 else 0.0
    print(
        f"\n{through.streams} at once, {through.rate} tokens/s each (machine {through.machine:.0%} busy)\n"
        f"  first token     p50 {through.first_p50:7.1f} ms   p99 {through.first_p99:7.1f} ms"
        f"   direct {direct.first_p50:.1f} / {direct.first_p99:.1f}   added {added[0]:.1f} / {added[1]:.1f}\n"
        f"  age of a token  p50 {through.age_p50:7.1f} ms   p99 {through.age_p99:7.1f} ms"
        f"   direct {direct.age_p50:.1f} / {direct.age_p99:.1f}   ratio {ratio:.0f}\n"
        f"  between frames  p99 {through.gap_p99:7.1f} ms\n"
        f"  per token       {through.token_us:7.1f} µs in the workers, {through.postgres_us:.1f} µs in PostgreSQL\n"
        f"  per answer      {through.memory_kb:7.0f} kB",
        flush=True,
    )
    if not through.lasted:
        print("  Some answers had ended before the measuring did: this machine does not keep up.", flush=True)


def sizes(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


async def run(streams: Sequence[int], workers: int, as_json: bool) -> None:
    crowds = [Crowd(number) for number in streams]
    quiet = Crowd(100)
    models = sorted({*(crowd.model for crowd in crowds), quiet.model, PROBE, SHORT})
    with upstream(models) as port:
        print(f"{cores()} cores, {workers} worker(s); provider, reader and PostgreSQL share them", flush=True)
        direct = [await measure(asking_directly(port), crowd, port, None) for crowd in crowds]
        async with product(port, workers, models) as stack:
            ask = asking_product(stack)
            await measure_turn(ask, stack)  # warm: templates, pools, connections
            turn = await measure_turn(ask, stack)
            print(f"\nA turn with a one-token answer, watched to its end\n  {turn:.1f} ms in the workers", flush=True)
            through = []
            for crowd, plain in zip(crowds, direct, strict=True):
                through.append(await measure(ask, crowd, port, stack))
                show(plain, through[-1])
            unwatched = await measure_unwatched(stack, quiet)
    print(
        f"\n{quiet.streams} at once that nobody watches\n  per token       {unwatched.token_us:7.1f} µs in the workers"
    )
    if as_json:
        found = {"workers": workers, "turn_ms": turn, "unwatched_us": unwatched.token_us}
        print(json.dumps({**found, "direct": list(map(asdict, direct)), "product": list(map(asdict, through))}))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", type=sizes, default=[1, 100, 500], metavar="N,N", help="default: 1,100,500")
    parser.add_argument("--workers", type=int, default=1, help="worker processes (default: 1)")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    given = parser.parse_args()
    try:
        asyncio.run(run(given.streams, given.workers, given.json))
    except (Wrong, CannotRun) as wrong:
        sys.exit(str(wrong))


if __name__ == "__main__":
    main()
