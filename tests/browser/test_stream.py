"""A live answer in a real Chromium: the vendored htmx, our frames and app.js, under the product's content security
policy. The server is a small one of the test's own, so that a test decides when text comes and when a line is cut."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

import pytest
from flask import Flask, Response, request, send_from_directory
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.pages.attacks import ATTACKS, OWN
from tests.pages.markdown_cases import ANSWER
from webapp.pages import frames
from webapp.pages.markdown_stream import MarkdownStream
from webapp.pages.richtext import render
from webapp.pages.web import CSP, STATIC

pytestmark = pytest.mark.browser

MD = "block-1-0"
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Chat</title>
<meta name="htmx-config" content='{"defaultSettleDelay": 0, "extensions": "sse, grow"}'>
<link rel="stylesheet" href="/page.css"><link rel="icon" href="data:,">
</head>
<body><div class="transcript"><div class="turns" id="turns">%s</div></div>
<form class="composer" method="post" action="/send" hx-post="/send" hx-target="#turns" hx-swap="beforeend"
      hx-status:4xx="swap:none">
  <textarea name="text" autofocus></textarea><button class="send">Send</button>
  <div id="panel" popover><input type="search" name="q"><label><input type="radio" name="m" checked> Model</label></div>
</form><p id="approval">clean</p>
<input id="link" value="https://chat.example/join" readonly data-select><button data-copy="#link">Copy link</button>
<script src="/static/vendor/htmx-4.0.1.min.js"></script>
<script src="/static/vendor/hx-sse-4.0.1.min.js"></script>
<script src="/static/app.js"></script>
</body></html>"""
STYLE = """.transcript { block-size: 300px; overflow: auto; display: flex; flex-direction: column-reverse }
.turns { flex: none }"""


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:
        pass


@dataclass
class Turn:
    """One answer and its readers. The test's thread writes, a thread for each reader sends."""

    watchdog: str = "every 10s"
    refusals: int = 0
    text: str = ""
    questions: list[str] = field(default_factory=list)
    connects: int = 0
    url: str = ""

    def __post_init__(self) -> None:
        self._markdown = MarkdownStream(MD)
        self._frames: list[bytes] = []
        self._changed = threading.Condition()
        self._cuts = 0
        self._clock = 0.0
        self.done = False

    def say(self, text: str) -> None:
        with self._changed:
            self.text += text
            self._markdown.feed(text)
            self._clock += 60.0
            self._send([frames.partial(p.target_id, p.swap, p.html) for p in self._markdown.patches(self._clock)])

    def send(self, *partials: str) -> None:
        with self._changed:
            self._send(list(partials))

    def cut(self) -> None:
        with self._changed:
            self._cuts += 1
            self._changed.notify_all()

    def finish(self) -> None:
        with self._changed:
            self._markdown.close()
            self.done = True
            self._send([frames.partial("turn-1", frames.REPLACE, self.article())])

    def _send(self, partials: list[str]) -> None:
        if partials:
            self._frames.append(frames.sse(*partials))
            self._changed.notify_all()

    def blocks(self) -> str:
        shown = render(self.text, MD) if self.done else self._markdown.snapshot()
        thinking = '<details id="thinking"><summary>Thought</summary>why</details>'
        return f'{thinking}<div class="md" id="{MD}" hx-ignore>{shown}</div>'

    def article(self) -> str:
        live = (
            f'<i hidden id="turn-1-live" hx-sse:connect="/stream" hx-swap="none" hx-trigger="load, {self.watchdog}" '
            'hx-status:4xx="swap:none" hx-status:5xx="swap:none"></i>'
        )
        return (
            f'<article class="turn" id="turn-1"{"" if self.done else " aria-busy=true"}>'
            f'<div id="turn-1-blocks">{self.blocks()}</div>{"" if self.done else live}</article>'
        )

    def stream(self) -> Iterator[bytes]:
        yield frames.RETRY
        with self._changed:
            at, cuts = len(self._frames), self._cuts
            yield frames.sse(frames.partial("turn-1-blocks", frames.GROW, self.blocks()))
            while not self.done or at < len(self._frames):
                if self._cuts > cuts:
                    raise ConnectionAbortedError
                for frame in self._frames[at:]:
                    yield frame
                    at += 1
                self._changed.wait(0.1)


def build(turn: Turn) -> Flask:
    app = Flask("stage", static_folder=None)

    @app.get("/")
    def index() -> Response:
        return Response(PAGE % turn.article(), headers={"Content-Security-Policy": CSP})

    @app.get("/attacks")
    def attacks() -> str:
        """No policy here: the HTML alone must be harmless."""
        shown = "".join(f'<div class="md" hx-ignore>{render(a, f"a-{n}")}</div>' for n, a in enumerate(ATTACKS))
        return PAGE % (shown + turn.article())

    @app.get("/page.css")
    def style() -> Response:
        return Response(STYLE, mimetype="text/css")

    @app.get("/static/<path:name>")
    def static(name: str) -> Response:
        return send_from_directory(STATIC, name)

    @app.get("/stream")
    def stream() -> Response:
        turn.connects += 1
        if turn.refusals:
            turn.refusals -= 1
            return Response("broken", 500)
        return Response(turn.stream(), mimetype="text/event-stream", headers={"Cache-Control": "no-store"})

    @app.post("/send")
    def send() -> Response:
        text = request.form["text"]
        turn.questions.append(text)
        return Response(f"<p class=question>{escape(text)}</p>", 422 if text == "refuse me" else 200)

    return app


@pytest.fixture
def turn() -> Iterator[Turn]:
    staged = Turn()
    server = make_server("127.0.0.1", 0, build(staged), threaded=True, request_handler=Quiet)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    staged.url = f"http://127.0.0.1:{server.server_port}"
    yield staged
    staged.done = True
    server.shutdown()
    thread.join(5)
    server.server_close()


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    """What the browser complained about: console errors, exceptions, violations of the policy. Must stay empty."""
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.add_init_script(
        "addEventListener('securitypolicyviolation', e => console.error('CSP', e.violatedDirective, e.blockedURI))"
    )
    yield heard
    assert heard == []


def wait_for_text(page: Page, turn: Turn) -> None:
    """Until the page shows what a reader must have by now."""
    page.wait_for_function(
        "([id, html]) => { const t = document.createElement('div'); t.innerHTML = html;"
        " return document.getElementById(id).innerHTML === t.innerHTML }",
        arg=[MD, str(render(turn.text, MD) if turn.done else turn._markdown.snapshot())],
    )


def open_and_connect(page: Page, turn: Turn, path: str = "/") -> None:
    page.goto(turn.url + path)
    for _ in range(200):
        if turn.connects:
            return
        page.wait_for_timeout(50)
    raise AssertionError("the page did not connect to its stream")


# --- text -------------------------------------------------------------------------------------------------------


def test_a_streamed_answer_is_the_rendered_one_and_asks_once(page: Page, turn: Turn, complaints: list[str]) -> None:
    open_and_connect(page, turn)
    for at in range(0, len(ANSWER), 12):
        turn.say(ANSWER[at : at + 12])
        if at % 240 == 0:
            wait_for_text(page, turn)
    wait_for_text(page, turn)
    turn.finish()
    expect(page.locator("#turn-1-live")).to_have_count(0)
    wait_for_text(page, turn)
    expect(page.locator("#turn-1")).not_to_have_attribute("aria-busy", "true")
    page.wait_for_timeout(3_000)
    assert turn.connects == 1


def test_a_reload_in_mid_answer_shows_the_same(page: Page, turn: Turn, complaints: list[str]) -> None:
    open_and_connect(page, turn)
    turn.say(ANSWER[:700])
    wait_for_text(page, turn)
    page.reload()
    turn.say(ANSWER[700:])
    wait_for_text(page, turn)
    turn.finish()
    wait_for_text(page, turn)


def test_a_cut_line_heals_with_nothing_lost_and_nothing_twice(page: Page, turn: Turn) -> None:
    open_and_connect(page, turn)
    for at in range(0, len(ANSWER), 40):
        turn.say(ANSWER[at : at + 40])
        if at in (400, 1_200):
            wait_for_text(page, turn)
            turn.cut()
    wait_for_text(page, turn)
    turn.finish()
    expect(page.locator("#turn-1-live")).to_have_count(0)
    wait_for_text(page, turn)
    assert turn.connects in (2, 3)


def test_a_first_connection_that_fails_is_tried_again(page: Page, turn: Turn) -> None:
    turn.watchdog, turn.refusals = "every 1s", 1
    open_and_connect(page, turn)
    turn.say("Hello *there*")
    wait_for_text(page, turn)
    assert turn.connects == 2
    page.wait_for_timeout(2_500)
    assert turn.connects == 2
    expect(page.locator(f"#{MD}")).to_have_text("Hello there")


def test_text_of_spaces_and_line_ends_arrives(page: Page, turn: Turn, complaints: list[str]) -> None:
    open_and_connect(page, turn)
    turn.say("x")
    wait_for_text(page, turn)
    for piece in ("a", " ", "b", "\n", "\t", "c", "\u2028", "\r", "d"):
        turn.send(frames.partial("thinking", frames.APPEND, piece))
    expect(page.locator("#thinking")).to_contain_text("d")
    assert page.evaluate("document.getElementById('thinking').textContent") == "Thoughtwhya b\n\tc\u2028\nd"


# --- the reader is left alone -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("block", "words"), [(0, "closed block"), (1, "growing text"), (2, "x = 1")])
def test_a_selection_survives_growth_a_cut_and_the_end(page: Page, turn: Turn, block: int, words: str) -> None:
    open_and_connect(page, turn)
    turn.say("The closed block.\n\nThe growing text")
    if block == 2:
        turn.say(" ends.\n\n```js\nx = 1\ny")
    wait_for_text(page, turn)
    page.evaluate(
        """([id, words]) => {
          const walk = document.createTreeWalker(document.getElementById(id), NodeFilter.SHOW_TEXT)
          let from, to, text = "", nodes = []
          while (walk.nextNode()) { nodes.push([walk.currentNode, text.length]); text += walk.currentNode.data }
          const at = text.indexOf(words), place = (n) => nodes.findLast(([, start]) => start <= n)
          const [a, b] = [place(at), place(at + words.length - 1)]
          getSelection().setBaseAndExtent(a[0], at - a[1], b[0], at + words.length - b[1])
        }""",
        [f"{MD}-{block}", words],
    )
    selected = "getSelection().toString()"
    assert page.evaluate(selected) == words
    for more in (" that goes", " on and on, with ", "**bold** words", "\nand a line\n"):
        turn.say(more)
        wait_for_text(page, turn)
        assert page.evaluate(selected) == words
    turn.cut()
    turn.say("\n" if block < 2 else "```\n")
    turn.say("\nMore after the cut.")
    wait_for_text(page, turn)
    assert page.evaluate(selected) == words
    turn.finish()
    expect(page.locator("#turn-1-live")).to_have_count(0)
    wait_for_text(page, turn)
    assert page.evaluate(selected) == words


def test_what_the_reader_unfolded_stays_open(page: Page, turn: Turn, complaints: list[str]) -> None:
    open_and_connect(page, turn)
    turn.say("Hello")
    wait_for_text(page, turn)
    page.locator("#thinking summary").click()
    turn.send(frames.partial("turn-1-blocks", frames.GROW, turn.blocks()))
    turn.say(" again")
    turn.finish()
    expect(page.locator("#turn-1-live")).to_have_count(0)
    assert page.locator("#thinking").get_attribute("open") == ""


def test_the_view_follows_at_the_end_and_rests_where_the_reader_went(page: Page, turn: Turn) -> None:
    open_and_connect(page, turn)
    turn.say("\n\n".join(f"Paragraph {n}" for n in range(60)))
    wait_for_text(page, turn)
    from_the_end = "Math.abs(document.querySelector('.transcript').scrollTop)"
    place = f"document.getElementById('{MD}-30').getBoundingClientRect().top"
    assert page.evaluate(from_the_end) < 1
    last = page.locator(f"#{MD}-59")
    expect(last).to_be_in_viewport()
    page.evaluate("document.querySelector('.transcript').scrollTop = -900")
    before = page.evaluate(place)
    turn.say(" grows" * 400 + "\n\n" + "\n\n".join(f"New {n}" for n in range(40)))
    wait_for_text(page, turn)
    assert abs(page.evaluate(place) - before) < 1
    page.evaluate("document.querySelector('.transcript').scrollTop = 0")
    turn.say("\n\nLast words")
    wait_for_text(page, turn)
    assert page.evaluate(from_the_end) < 1
    expect(page.get_by_text("Last words")).to_be_in_viewport()


# --- app.js -----------------------------------------------------------------------------------------------------


def test_enter_sends_and_shift_enter_makes_a_line(page: Page, turn: Turn, complaints: list[str]) -> None:
    open_and_connect(page, turn)
    box = page.locator("textarea")
    expect(box).to_be_focused()
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    assert turn.questions == []
    page.keyboard.press("Enter")
    expect(page.locator(".question")).to_have_text("one\ntwo")
    expect(box).to_have_value("")
    expect(box).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("   ")
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert [q.replace("\r\n", "\n") for q in turn.questions] == ["one\ntwo"]


def test_an_input_method_keeps_its_enter(page: Page, turn: Turn) -> None:
    open_and_connect(page, turn)
    page.locator("textarea").fill("にほん")
    page.evaluate(
        "document.querySelector('textarea').dispatchEvent("
        "new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true, cancelable: true}))"
    )
    page.wait_for_timeout(300)
    assert turn.questions == []


def test_enter_in_the_model_panel_does_not_send(page: Page, turn: Turn, complaints: list[str]) -> None:
    open_and_connect(page, turn)
    page.locator("textarea").fill("not yet")
    page.evaluate("panel.showPopover()")
    page.locator("input[type=search]").press("Enter")
    page.locator("input[type=radio]").press("Enter")
    expect(page.locator("#panel")).to_be_hidden()
    assert turn.questions == []


def test_a_refused_message_stays_in_the_box(page: Page, turn: Turn) -> None:
    open_and_connect(page, turn)
    page.locator("textarea").fill("refuse me")
    with page.expect_response("**/send"):
        page.keyboard.press("Enter")
    page.wait_for_timeout(200)
    expect(page.locator("textarea")).to_have_value("refuse me")


def test_pressing_twice_sends_once(page: Page, turn: Turn, complaints: list[str]) -> None:
    open_and_connect(page, turn)
    page.locator("textarea").fill("once")
    page.evaluate(
        "const b = document.querySelector('button.send'); b.click(); setTimeout(() => b.click(), 1); b.click()"
    )
    expect(page.locator(".question")).to_have_count(1)
    page.wait_for_timeout(500)
    assert turn.questions == ["once"]


def test_code_is_copied_and_the_button_says_so(page: Page, turn: Turn, complaints: list[str]) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=turn.url)
    open_and_connect(page, turn)
    turn.say("```python\nif a < 1:\n\tb = '<&>'\n```\n")
    turn.finish()
    expect(page.locator("#turn-1-live")).to_have_count(0)
    page.locator(".copy").click()
    expect(page.locator(".copy")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "if a < 1:\n\tb = '<&>'"
    expect(page.locator(".copy")).to_have_text("Copy")
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "https://chat.example/join"


@pytest.mark.parametrize("clipboard", [True, False], ids=["clipboard", "plain http"])
def test_an_answer_is_copied_as_it_is_read(page: Page, turn: Turn, clipboard: bool) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=turn.url)
    open_and_connect(page, turn)
    turn.say("Spend **rose**.\n\n| Day | Spend |\n|---|---:|\n| Mon | 5 |\n\n```sql\nselect 1\n```\n")
    turn.finish()
    expect(page.locator("#turn-1-live")).to_have_count(0)
    page.evaluate("document.querySelector('[data-copy=\"#link\"]').dataset.copy = '.turn .md'")
    if not clipboard:
        page.evaluate("Object.defineProperty(navigator, 'clipboard', { configurable: true, value: undefined })")
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_focused()
    page.evaluate("delete navigator.clipboard")
    copied = page.evaluate("navigator.clipboard.readText()").replace("\r\n", "\n")
    assert re.split(r"\n+", copied) == ["Spend rose.", "Day\tSpend", "Mon\t5", "select 1"]


def test_a_field_made_for_copying_is_selected_when_entered(page: Page, turn: Turn) -> None:
    open_and_connect(page, turn)
    page.locator("#link").focus()
    assert page.evaluate("getSelection().toString()") == "https://chat.example/join"


def test_without_a_script_the_form_still_sends(browser: Browser, turn: Turn) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(turn.url)
    page.locator("textarea").fill("plain")
    page.locator("button.send").click()
    expect(page.locator(".question")).to_have_text("plain")
    context.close()


def test_scripts_are_not_deferred() -> None:
    """htmx starts on DOMContentLoaded only if it is loaded before it; deferred, it starts by a timer that runs between
    two of the files in one page load of five, without its extensions: no stream connects, and nothing says so."""
    layout = (STATIC.parent / "templates" / "layout.html").read_text()
    names = re.findall(r'<script src="\{\{ static_url\("([^"]+)"\) \}\}"></script>', layout)
    assert names == ["vendor/htmx-4.0.1.min.js", "vendor/hx-sse-4.0.1.min.js", "app.js"]
    assert layout.count("<script") == 3


# --- safety -----------------------------------------------------------------------------------------------------


def test_no_attack_does_anything_even_without_a_policy(page: Page, turn: Turn, complaints: list[str]) -> None:
    """All of them rendered in one page, and ours streamed through htmx besides."""
    dialogs: list[str] = []
    asked: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda sent: asked.append(sent.url))
    open_and_connect(page, turn, "/attacks")
    for attack in OWN:
        for at in range(0, len(attack), 7):
            turn.say(attack[at : at + 7])
        turn.say("\n```\n\n" if "```" in attack else "\n\n")
    turn.say("The end.")
    wait_for_text(page, turn)
    for link in page.locator("a[href]").all()[:5]:
        link.hover()
    turn.finish()
    expect(page.locator("#turn-1-live")).to_have_count(0)
    page.wait_for_timeout(1_000)
    assert dialogs == []
    assert [url for url in asked if not url.startswith((turn.url, "data:,"))] == []
    assert sorted({url.removeprefix(turn.url).split("/")[1] for url in asked if url.startswith(turn.url)}) == [
        "attacks",
        "page.css",
        "static",
        "stream",
    ]
    assert page.locator("#approval").inner_html() == "clean"
    assert page.title() == "Chat"
    assert page.locator("img, script:not([src]), iframe, .md [style], .md form, .md input").count() == 0
