"""Rich text: what Markdown looks like, that streaming it ends in the same page, that it is safe, and what it costs."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pages.attacks import ATTACKS
from tests.pages.dom import Element, Reader, read
from tests.pages.markdown_cases import ANSWER, CASES
from webapp.pages import markdown_stream, richtext
from webapp.pages.markdown_stream import MarkdownStream, hold_back, mend
from webapp.pages.richtext import highlight, render

P = "block-7-0"
Chunks = Callable[[str], list[str]]


def every(size: int) -> Chunks:
    return lambda text: [text[at : at + size] for at in range(0, len(text), size)]


def at_random(text: str) -> list[str]:
    dice, chunks, at = random.Random(repr(text)), [], 0
    while at < len(text):
        size = dice.choice((1, 2, 3, 5, 8, 21))
        chunks.append(text[at : at + size])
        at += size
    return chunks


def shown(text: str) -> str:
    """The HTML of a text, without the wrappers of its blocks."""
    blocks = r'<div class="b" id="[^"]*" dir="auto">(.*?)</div>(?=<div class="b"|$)'
    return re.sub(blocks, r"\1", str(render(text, P)), flags=re.DOTALL)


def stream(chunks: list[str]) -> tuple[MarkdownStream, Reader]:
    """A finished stream and the reader who followed it. At each tick the snapshot is what the reader has."""
    written, reader, now = MarkdownStream(P), Reader(P), 0.0
    for chunk in chunks:
        written.feed(chunk)
        now += 60.0
        reader.receive(written.patches(now))
    assert reader.place.children == [] or reader.place.shape()[2] == read(written.snapshot()).shape()[2]
    reader.receive(written.close())
    return written, reader


# --- how it looks -----------------------------------------------------------------------------------------------

REL = 'rel="noopener noreferrer nofollow"'
OUT = f'target="_blank" {REL}'
TABLE = """<div class="scroll" tabindex="0"><table>
<thead>
<tr>
<th>a</th>
<th class="right">b</th>
</tr>
</thead>
<tbody>
<tr>
<td>1</td>
<td class="right">2</td>
</tr>
</tbody>
</table></div>"""


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("*a* **b** ~~c~~ `d`", "<p><em>a</em> <strong>b</strong> <s>c</s> <code>d</code></p>"),
        ("# One\n### Two\n## Three", "<h3>One</h3><h4>Two</h4><h4>Three</h4>"),
        ("3. three\n4. four", '<ol start="3">\n<li>three</li>\n<li>four</li>\n</ol>'),
        ("a  \nb\n***", "<p>a<br>\nb</p><hr>"),
        ("<b>raw</b> <!-- x -->", "<p>&lt;b&gt;raw&lt;/b&gt; &lt;!-- x --&gt;</p>"),
        ("> q", "<blockquote>\n<p>q</p>\n</blockquote>"),
        ("![a *chart*](https://x.example/c.png) of it", "<p>a chart of it</p>"),
        ("[in](/settings) [js](JAVASCRIPT:x) main.py", f"<p><a {REL}>in</a> [js](JAVASCRIPT:x) main.py</p>"),
        ("https://x.example/?a&b", f'<p><a href="https://x.example/?a&amp;b" {OUT}>https://x.example/?a&amp;b</a></p>'),
        ("[m](mailto:a@x.example)", f'<p><a href="mailto:a@x.example" {OUT}>m</a></p>'),
        ("|a|b|\n|-|-:|\n|1|2|", TABLE),
    ],
)
def test_markdown_becomes_html(markdown: str, html: str) -> None:
    assert shown(markdown) == html


def test_code_has_a_head_a_copy_button_and_colours() -> None:
    assert render("```Python title=x\nif a < 1:\n    b('c')  # d\n```", P) == (
        f'<div class="b" id="{P}-0" dir="auto"><div class="code">'
        '<div class="code-head"><span class="lang">Python</span>'
        '<button type="button" class="copy" data-copy>Copy</button></div>'
        f'<pre tabindex="0"><code id="{P}-0-c"><span class="k">if</span> a &lt; <span class="m">1</span>:\n'
        '    b(<span class="s">\'c\'</span>)  <span class="c"># d</span>\n</code></pre></div></div>'
    )


def test_code_in_a_list_has_them_too() -> None:
    code = next(e for e in read(render("- x\n  ```js\n  let a\n  ```", P)) if e.attributes.get("class") == "code")
    assert [e.attributes.get("class") for e in code if e.tag in ("span", "button")] == ["lang", "copy", "k"]
    assert code.text == "jsCopylet a\n"


@pytest.mark.parametrize("language", sorted(richtext.LANGUAGES))
def test_every_language_keeps_every_character(language: str) -> None:
    code = "a\tb <&> \"'\n\n# /* x */ é {{ [1.5] }}\n\x0b\u2028 ok\n" + ANSWER
    lines = highlight(language, richtext.lines_of(code))
    assert [read(line).text for line in lines] == richtext.lines_of(code)


def test_ids_and_html_are_the_same_every_time() -> None:
    first, blocks = render(ANSWER, P), read(render(ANSWER, P)).children
    richtext._small.cache_clear()
    assert render(ANSWER, P) == first
    assert [b.attributes["id"] for b in blocks if isinstance(b, Element)] == [f"{P}-{k}" for k in range(len(blocks))]


@pytest.mark.parametrize("prefix", ["", "7", "a b", 'a"', "a<b"])
def test_a_prefix_is_an_id(prefix: str) -> None:
    with pytest.raises(ValueError):
        render("x", prefix)


# --- streaming --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [every(1), every(7), at_random], ids=["char by char", "seven", "random"])
@pytest.mark.parametrize("text", [*CASES, ANSWER], ids=lambda text: repr(text[:24]))
def test_a_streamed_text_ends_as_the_rendered_one(text: str, chunks: Chunks) -> None:
    written, reader = stream(chunks(text))
    assert written.snapshot() == render(text, P)
    assert reader.place.shape()[2] == read(render(text, P)).shape()[2]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(CASES), min_size=2, max_size=6), st.sampled_from(["", "\n", "\n\n"]), st.randoms())
def test_so_does_any_mixture_in_any_chunks(parts: list[str], between: str, dice: random.Random) -> None:
    text = between.join(parts)
    cuts = sorted(dice.randrange(len(text) + 1) for _ in range(len(text) // 3))
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    written, reader = stream(chunks)
    assert written.snapshot() == render(text, P)
    assert reader.place.shape()[2] == read(render(text, P)).shape()[2]


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab \n\t-*_`#>|1.)[]():~=\\<&!x\r\"'", max_size=60))
def test_so_does_any_noise(text: str) -> None:
    written, reader = stream(list(text))
    assert written.snapshot() == render(text, P)
    assert reader.place.shape()[2] == read(render(text, P)).shape()[2]


@pytest.mark.parametrize("text", [ANSWER, *CASES], ids=lambda text: repr(text[:24]))
def test_a_snapshot_is_what_a_reader_has_at_any_moment(text: str) -> None:
    written, reader = MarkdownStream(P), Reader(P)
    for now, chunk in enumerate(every(3)(text)):
        written.feed(chunk)
        reader.receive(written.patches(now * 60.0))
        assert reader.place.shape()[2] == read(written.snapshot()).shape()[2]


def test_a_late_joiner_gets_everything_in_one_tick() -> None:
    written = MarkdownStream(P)
    written.feed(ANSWER * 3)
    (patch,) = written.patches(1.0)
    assert (patch.target_id, patch.swap) == (P, "beforeend")
    assert written.close() == []
    assert written.snapshot() == render(ANSWER * 3, P)


def test_nothing_new_costs_no_patch() -> None:
    written = MarkdownStream(P)
    assert written.patches(1.0) == []
    written.feed("Hello")
    assert len(written.patches(2.0)) == 1
    assert written.patches(60.0) == []
    written.feed("")
    assert not written.behind
    assert written.patches(120.0) == []


def test_the_open_paragraph_alone_is_sent() -> None:
    written = MarkdownStream(P)
    written.feed("# Title\n\nFirst.\n\nSecond, long ago\n\nThird **is")
    written.patches(0.0)
    written.feed(" open")
    (patch,) = written.patches(60.0)
    assert (patch.target_id, patch.swap, patch.html) == (f"{P}-3", "grow", "<p>Third <strong>is open</strong></p>")


def test_code_is_appended_line_by_line_and_never_sent_again() -> None:
    written = MarkdownStream(P)
    written.feed("```python\nx = 1\ny =")
    (patch,) = written.patches(0.0)
    assert (patch.target_id, patch.swap) == (P, "beforeend")
    assert f'<code id="{P}-0-t">y =</code>' in patch.html
    written.feed(" 2\nz")
    assert [(p.target_id, p.swap, p.html) for p in written.patches(60.0)] == [
        (f"{P}-0-c", "beforeend", 'y = <span class="m">2</span>\n'),
        (f"{P}-0-t", "grow", "z"),
    ]
    written.feed("\n``")
    assert [(p.target_id, p.swap, p.html) for p in written.patches(120.0)] == [
        (f"{P}-0-c", "beforeend", "z\n"),
        (f"{P}-0-t", "grow", ""),
    ]
    written.feed("`\n")
    assert [(p.target_id, p.swap) for p in written.patches(180.0)] == [(f"{P}-0-t", "delete")]


def test_a_line_that_turns_out_to_be_inside_a_string_is_coloured_again() -> None:
    written, reader = stream(["```js\nlet a = 1\n", "/* b\n", "let c\n", "*/ d\n", "```\n"])
    lines = [child.text for child in reader.place if child.attributes.get("class") == "c"]
    assert lines == ["/* b", "let c", "*/"]
    assert written.snapshot() == render("```js\nlet a = 1\n/* b\nlet c\n*/ d\n```\n", P)


def test_colours_wait_for_their_turn_but_the_text_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown_stream, "REST", 1e9)
    written = MarkdownStream(P)
    written.feed("```python\nx = 1\n")
    written._due = 0.0
    written.patches(0.0)
    written._due = 0.0
    written.feed("y = 2\nz")
    (patch,) = written.patches(1.0)
    assert (patch.target_id, patch.html) == (f"{P}-0-t", "y = 2\nz")
    assert written.behind


def test_half_a_pair_waits_for_its_other_half() -> None:
    written = MarkdownStream(P)
    for half in ("a\r", "\nb \ud83d", "\ude00"):
        written.feed(half)
    written.close()
    assert read(written.snapshot()).text == "a\nb 😀"


def test_what_is_shown_hardly_ever_steps_back() -> None:
    """What was shown is not taken back while the answer grows: marks wait, links show their text, tables come whole."""
    written, reader, before, steps_back = MarkdownStream(P), Reader(P), "", 0
    for now, char in enumerate(ANSWER):
        written.feed(char)
        reader.receive(written.patches(now * 60.0))
        text = reader.place.text
        steps_back += not text.startswith(before.rstrip())
        before = text
    assert steps_back <= 2


@pytest.mark.parametrize(
    ("half", "whole"),
    [
        ("a **b", "a **b**"),
        ("a **b *c", "a **b *c***"),
        ("a **b*", "a **b**"),
        ("a **", "a"),
        ("a *", "a"),
        ("**a** *b", "**a** *b*"),
        ("***a", "***a***"),
        ("~~a", "~~a~~"),
        ("a ~b", "a ~b"),
        ("snake_case", "snake_case"),
        ("2 * 3", "2 * 3"),
        ("`a", "`a`"),
        ("``a ` b", "``a ` b``"),
        ("a `", "a"),
        ("`**a` **b", "`**a` **b**"),
        ("see [te", "see te"),
        ("see [text](https://exa", "see text"),
        ("see [text](https://example.com)", "see [text](https://example.com)"),
        ("![al", "al"),
        ("![alt](https://exa", "alt"),
        ("**[te", "**te**"),
        ("wow!", "wow"),
        ("back\\", "back"),
        ("\\*a", "\\*a"),
        ("**a ", "**a**"),
        ("", ""),
    ],
)
def test_mend_completes_what_is_half_typed(half: str, whole: str) -> None:
    assert mend(half) == whole


@pytest.mark.parametrize(
    ("tail", "view"),
    [
        ("para\n-", "para\n"),
        ("para\n--", "para\n"),
        ("para\n1.", "para\n"),
        ("para\n- a", "para\n- a"),
        ("para\n```py", "para\n"),
        ("para\n```py\n", "para\n```py\n"),
        ("| a | b |\n|--", ""),
        ("| a | b |\n|---|---|\n", "| a | b |\n|---|---|\n"),
        ("| a | b |\n|---|---|\n| x", "| a | b |\n|---|---|\n| x"),
        ("#", ""),
        ("日本", "日本"),
    ],
)
def test_hold_back_waits_until_a_line_is_certain(tail: str, view: str) -> None:
    assert hold_back(tail) == view


# --- safety -----------------------------------------------------------------------------------------------------

ALLOWED = {
    "a": {"href", "target", "rel"},
    "button": {"type", "class", "data-copy"},
    "code": {"id"},
    "div": {"class", "id", "dir", "tabindex"},
    "ol": {"start"},
    "pre": {"tabindex"},
    "span": {"class"},
    "td": {"class"},
    "th": {"class"},
    **{tag: set() for tag in "p h3 h4 h5 h6 hr br ul li blockquote em strong s table thead tbody tr".split()},  # noqa: SIM905
}
CLASSES = {"b", "code", "code-head", "lang", "copy", "scroll", "left", "center", "right", *richtext.STYLES.values()}


def assert_harmless(html: str) -> None:
    assert not re.search(r"<[^<>]*=\"[^\"]*<", html), "a raw < in an attribute"
    assert not re.search(r"</?hx-", html)
    for element in read(html):
        assert set(element.attributes) <= ALLOWED[element.tag], (element.tag, element.attributes)
        assert element.attributes.get("class", "b") in CLASSES
        assert re.fullmatch(rf"{P}-\d+(-[ct])?", element.attributes.get("id") or f"{P}-0")
        assert re.match(r"https?://[^/]|mailto:.", element.attributes.get("href") or "mailto:x", re.I)
        if element.tag == "a":
            assert element.attributes["rel"] == "noopener noreferrer nofollow"
        if element.tag == "button":
            assert (element.attributes["data-copy"], element.text) == (None, "Copy")


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: repr(attack[:30]))
def test_an_attack_leaves_no_mark(attack: str) -> None:
    assert_harmless(render(attack, P))
    for chunks in (every(1), every(7)):
        written = MarkdownStream(P)
        for now, chunk in enumerate(chunks(attack)):
            written.feed(chunk)
            for patch in written.patches(now * 60.0):
                assert_harmless(patch.html)
        for patch in written.close():
            assert_harmless(patch.html)
        assert written.snapshot() == render(attack, P)


# --- cost -------------------------------------------------------------------------------------------------------

HEAVY = {
    "stars": "*" * 10_000,
    "emphasis": "a*" * 5_000,
    "brackets": "[" * 10_000,
    "image brackets": "![" * 5_000,
    "half links": "[a](" * 2_500,
    "quotes": ">" * 5_000,
    "quoted brackets": ">[" * 2_000,
    "bullets": "- " * 5_000,
    "nested lists": "\n".join(" " * 2 * depth + "- a" for depth in range(100)),
    "backticks": " ".join("`" * length for length in range(1, 150)),
    "tildes": "~~a" * 4_000,
    "less than": "<" * 10_000,
    "addresses": "http://a.b/" * 3_000,
    "definitions": "".join(f"[a{n}]: https://x.example\n" for n in range(2_000)),
    "tall table": "|a|b|\n|-|-|\n" + "|x|y|\n" * 2_000,
    "wide table": "|" + "a|" * 500 + "\n|" + "-|" * 500 + "\n" + "|x\n" * 120,
    "hungry tables": ("|" + "a|" * 60 + "\n|" + "-|" * 60 + "\n" + "|x\n" * 60 + "\n") * 10,
    "one paragraph": "word " * 40_000,
    "one line of code": "```js\n" + "x=1;" * 50_000 + "\n```\n",
    "much code": "```python\n" + "def f(x): return x  # '''\n" * 8_000 + "```\n",
    "many blocks": "# a\n\nb\n\n" * 5_000,
}


@pytest.mark.parametrize("text", HEAVY.values(), ids=HEAVY.keys())
def test_heavy_input_stays_bounded(text: str) -> None:
    """Up to 200 kB in at most 3 seconds of this machine's time, never more than 20 times as much HTML as text."""
    started = time.process_time()
    html = render(text, P)
    assert time.process_time() - started < 3.0
    assert len(html) < 20 * len(text) + 10_000


@pytest.mark.parametrize("text", HEAVY.values(), ids=HEAVY.keys())
def test_heavy_input_streams_within_its_share(text: str) -> None:
    """200 chunks at 50 ms are an answer of 10 seconds; rendering may take a tenth of that, and one last long tick."""
    written, longest, spent = MarkdownStream(P), 0.0, 0.0
    for tick, chunk in enumerate(every(len(text) // 200 + 1)(text)):
        written.feed(chunk)
        started = time.perf_counter()
        written.patches(tick * 0.05)
        took = time.perf_counter() - started
        spent, longest = spent + took, max(longest, took)
    written.close()
    assert written.snapshot() == render(text, P)
    assert spent <= 1.0 + 2 * longest + 0.1


LEXERS = sorted({type(richtext._lexer(language)): language for language in sorted(richtext.LANGUAGES)}.values())
HOSTILE_CODE = ("\n", '"', '\\"', "/*", "<!--", "(", "{{", "a ", "a b\n", "<<A\n")


@pytest.mark.parametrize("language", LEXERS)
def test_no_lexer_can_be_made_to_hang(language: str) -> None:
    for hostile in HOSTILE_CODE:
        code = [hostile * (400 // len(hostile)) + "\n"] * 20
        started = time.process_time()
        lines = highlight(language, code)
        assert time.process_time() - started < 1.0, hostile
        assert read("".join(lines)).text == "".join(code)


def test_a_tick_takes_half_a_millisecond() -> None:
    """Measured 0.25 ms on one core of 2026; ten times that is a regression on any machine."""
    written, ticks = MarkdownStream(P), every(12)(ANSWER)
    started = time.process_time()
    for now, chunk in enumerate(ticks):
        written.feed(chunk)
        written.patches(now * 60.0)
    assert (time.process_time() - started) / len(ticks) < 0.005
