"""The static files and templates keep the house rules: vendored files are the ones we checked, icons and classes exist,
nothing needs what the content security policy forbids, and every pair of colours that carries text can be read."""

from __future__ import annotations

import hashlib
import re
from math import cos, radians, sin
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STATIC = ROOT / "static"
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
CSS = re.sub(r"/\*.*?\*/", "", (STATIC / "app.css").read_text(), flags=re.S)

COMMENT = re.compile(r"\{#.*?#\}", re.S)


def template_id(path: Path) -> str:
    return path.relative_to(ROOT / "templates").as_posix()


each_template = pytest.mark.parametrize("template", TEMPLATES, ids=template_id)


# --- vendored files ---------------------------------------------------------------------------------------------


def vendored() -> list[Path]:
    return sorted(p for d in ("vendor", "fonts") for p in (STATIC / d).iterdir() if p.name != "HASHES.txt")


def test_each_vendored_file_has_its_version_in_its_name() -> None:
    assert vendored()
    assert [p.name for p in vendored() if not re.search(r"-\d+\.\d+\.\d+\b", p.name)] == []


def test_each_vendored_file_is_the_one_that_was_checked() -> None:
    lines = (STATIC / "vendor" / "HASHES.txt").read_text().splitlines()
    noted = {name: digest for digest, name in (line.split() for line in lines if line and not line.startswith("#"))}
    assert {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in vendored()} == noted


def test_the_stylesheet_asks_only_for_files_that_are_there() -> None:
    asked = re.findall(r'url\("?([^")]+)"?\)', CSS)
    assert asked
    assert [url for url in asked if not (STATIC / url).is_file()] == []


# --- icons and logos --------------------------------------------------------------------------------------------


def sprite() -> set[str]:
    return set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "icons.svg").read_text()))


def icons_named_in(source: str) -> set[str]:
    """Every literal in a call of icon(), in the first argument of empty(), and in the tables of tones and themes."""
    direct = re.findall(r'\b(?:icon|empty)\("([a-z0-9-]+)"', source)
    chosen = [
        word
        for call in re.findall(r"\bicon\(([^()]*\bif\b[^()]*)\)", source)
        for word in re.findall(r'(?:^|else )"([a-z0-9-]+)"', call)
    ]
    listed = [
        word for row in re.findall(r"tone_icons = (\{.*?\})", source) for word in re.findall(r': "([a-z-]+)"', row)
    ]
    rows = " ".join(re.findall(r"for \w+, \w+, icon in (\(.*?\)\)) %", source))
    themes = re.findall(r'"([a-z-]+)"\)', rows)
    return {*direct, *chosen, *listed, *themes}


def test_the_templates_name_only_icons_of_the_sprite() -> None:
    named = {icon for path in TEMPLATES for icon in icons_named_in(path.read_text())}
    assert {"check-circle", "alert-triangle", "moon", "monitor", "log-out", "message-square"} <= named  # it does look
    assert named - sprite() == set()


def test_sprite_and_logos_are_drawn_in_the_current_colour_without_style_or_script() -> None:
    for path in (STATIC / "icons.svg", *sorted((STATIC / "logos").glob("*.svg"))):
        drawing = path.read_text()
        assert not re.search(r"style=|<script|<style|href=|on\w+=", drawing), path.name
        if path.name != "favicon.svg":
            assert "currentColor" in drawing, path.name


def test_each_logo_can_be_shown_by_the_logo_macro() -> None:
    logos = [p for p in sorted((STATIC / "logos").glob("*.svg")) if p.name != "favicon.svg"]
    assert {"anthropic", "demo", "product"} <= {p.stem for p in logos}
    assert [p.name for p in logos if 'id="logo"' not in p.read_text()] == []


# --- what the content security policy forbids -------------------------------------------------------------------

FORBIDDEN = {
    "an inline style": r"<[^>]*\sstyle\s*=",
    "a style element": r"<style\b",
    "a script without src": r"<script(?![^>]*\ssrc=)[^>]*>",
    "hx-on": r"\bhx-on\b",
    "an event handler": r"<[^>]*\son[a-z]+\s*=",
    "javascript in a value": r"""["'\s](?:js|javascript):""",
    "a filter in hx-trigger": r"""hx-trigger\s*=\s*(?:"[^"]*\[|'[^']*\[)""",
    "an image or font from elsewhere": r"""(?:src|srcset)\s*=\s*["']https?:""",
}


@each_template
@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_template_needs_what_the_policy_forbids(what: str, template: Path) -> None:
    assert re.findall(FORBIDDEN[what], COMMENT.sub("", template.read_text())) == []


@pytest.mark.parametrize(
    ("what", "bad"),
    [
        ("an inline style", '<p class="x" style="color:red">'),
        ("a style element", "<style>p{}</style>"),
        ("a script without src", "<script defer>x()</script>"),
        ("hx-on", '<p hx-on:click="x()">'),
        ("an event handler", '<button onclick="x()">'),
        ("javascript in a value", """<p hx-vals='js:{a: 1}'>"""),
        ("a filter in hx-trigger", """<p hx-trigger="keyup[key=='j']">"""),
        ("an image or font from elsewhere", '<img src="https://example.com/x.png">'),
    ],
)
def test_the_patterns_find_what_they_look_for(what: str, bad: str) -> None:
    assert re.search(FORBIDDEN[what], bad)


# --- classes ----------------------------------------------------------------------------------------------------

WITHOUT_RULES = {
    # Hooks for scripts and tests; they look like what they stand on.
    "send",
    "stop",
}


def classes_in(source: str) -> set[str]:
    """The literal class names of a template, also those behind a condition; a name with a computed part is left out."""
    plain = re.sub(r"\{\{(.*?)\}\}", shown, re.sub(r"\{%.*?%\}", "", COMMENT.sub("", source), flags=re.S), flags=re.S)
    given = re.findall(r'\bclass="([\w -]+)"', " ".join(re.findall(r"\{\{.*?\}\}|\{%.*?%\}", source, re.S)))
    values = re.findall(r'\sclass="([^"]*)"', plain)
    return {word for value in (*values, *given) for word in value.split() if UNKNOWN not in word}


UNKNOWN = "\0"


def shown(expression: re.Match[str]) -> str:
    """What `{{ " a" if x else "b" }}` may put there; UNKNOWN for everything else."""
    choice = re.match(r'\s*"([\w -]*)" if [^~]*$', expression[1])
    otherwise = re.search(r' else "([\w -]*)"\s*$', expression[1])
    return " ".join(found[1] for found in (choice, otherwise) if found) if choice else UNKNOWN


@each_template
def test_every_class_in_a_template_is_in_the_stylesheet(template: Path) -> None:
    styled = set(re.findall(r"\.([a-zA-Z][\w-]*)", CSS))
    assert classes_in(template.read_text()) - styled - WITHOUT_RULES == set()


def test_class_names_are_found_also_beside_jinja() -> None:
    source = """<p class="a{{ " b" if x }} tint-{{ n }}{% if y %} c{% endif %}">
    <i{% if z == "q" %} class="d"{% endif %}>
    <b class="{{ "e" if x == "y" else "f" }} {{ g }}">{{ ui.field("n", "N", class="h i") }}</b>"""
    assert classes_in(source) == set("abcdefhi")


# --- colours ----------------------------------------------------------------------------------------------------

Linear = tuple[float, float, float]


def linear_rgb(lightness: float, chroma: float, hue: float) -> Linear:
    """OKLCH to linear sRGB, clipped (https://bottosson.github.io/posts/oklab/)."""
    a, b = chroma * cos(radians(hue)), chroma * sin(radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    return tuple(min(1.0, max(0.0, x)) for x in (red, green, blue))  # type: ignore[return-value]


def luminance(colour: Linear) -> float:
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]


def contrast(one: Linear, other: Linear) -> float:
    """WCAG 2: from 1 (the same) to 21 (black on white)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


OKLCH = r"oklch\(([\d.]+) ([\d.]+) ([\d.]+)\)"


def palette() -> dict[str, tuple[Linear, Linear]]:
    """Each colour token in the light and the dark theme. White and black may leave out chroma and hue."""
    source = re.sub(r"oklch\(([\d.]+) 0 0\)", r"oklch(\1 0.0 0.0)", CSS)
    found = re.findall(rf"--([\w-]+): light-dark\({OKLCH}, {OKLCH}\)", source)
    return {
        name: (linear_rgb(*map(float, numbers[:3])), linear_rgb(*map(float, numbers[3:]))) for name, *numbers in found
    }


TONES = ("ok", "warn", "bad", "info")
SURFACES = ("canvas", "surface", "raised", "sunken", "hover")
PAIRS = [
    *(("text", surface) for surface in (*SURFACES, "pressed")),
    *(("muted", surface) for surface in SURFACES),
    *(
        (tone, surface)
        for tone in ("accent", "ok", "warn", "bad", "info")
        for surface in ("canvas", "surface", "raised")
    ),
    *((tone, f"{tone}-soft") for tone in ("ok", "warn", "bad", "info")),
    *(("text", f"{tone}-soft") for tone in ("ok", "warn", "bad", "info")),
    *(("muted", f"{tone}-soft") for tone in ("ok", "warn", "bad", "info")),
    ("on-accent", "accent"),
    ("on-accent", "accent-hover"),
    ("on-accent-soft", "accent-soft"),
    ("on-bad", "bad"),
    ("on-bad", "bad-hover"),
    *((name, "code") for name in ("text", "code-keyword", "code-string", "code-number", "code-name", "code-type")),
    ("code-comment", "code"),
]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_on_what_it_stands_on(theme: str) -> None:
    colours = {name: pair[theme == "dark"] for name, pair in palette().items()}
    measured = {f"{text} on {ground}": round(contrast(colours[text], colours[ground]), 2) for text, ground in PAIRS}
    assert {pair: ratio for pair, ratio in measured.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_focus_ring_can_be_seen(theme: str) -> None:
    colours = {name: pair[theme == "dark"] for name, pair in palette().items()}
    measured = {ground: round(contrast(colours["focus"], colours[ground]), 2) for ground in SURFACES}
    assert {ground: ratio for ground, ratio in measured.items() if ratio < 3} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_lines_of_a_chart_can_be_seen(theme: str) -> None:
    colours = {name: pair[theme == "dark"] for name, pair in palette().items()}
    series = [name for name in colours if re.fullmatch(r"chart-\d", name)]
    assert len(series) == 6
    measured = {f"{name} on {on}": contrast(colours[name], colours[on]) for name in series for on in SURFACES[:3]}
    assert {pair: round(ratio, 2) for pair, ratio in measured.items() if ratio < 3} == {}


def test_the_colour_arithmetic_agrees_with_known_values() -> None:
    white, black = linear_rgb(1, 0, 0), linear_rgb(0, 0, 0)
    assert contrast(white, black) == pytest.approx(21, abs=0.01)
    assert linear_rgb(0.6279554, 0.2576833, 29.2338856) == pytest.approx((1, 0, 0), abs=0.001)  # sRGB red
    assert contrast(linear_rgb(0.5999, 0, 0), white) == pytest.approx(3.95, abs=0.1)  # about #808080


def test_colours_are_written_in_the_token_layer_only() -> None:
    outside = CSS.split("@layer base {", 1)[1]
    painted = re.findall(r"(?:#[0-9a-fA-F]{3,8}\b(?=[;,) ])|\brgba?\([^)]*\)|\bhsla?\([^)]*\))", outside)
    assert painted == []


def test_every_token_that_is_used_is_defined() -> None:
    defined = set(re.findall(r"(--[\w-]+):", CSS))
    used = set(re.findall(r"var\((--[\w-]+)", CSS))
    assert used - defined == set()


# --- sizes ------------------------------------------------------------------------------------------------------


def test_the_stylesheet_stays_small() -> None:
    """One hand-made file: were it to grow past this, something has been copied instead of thought about."""
    assert len((STATIC / "app.css").read_bytes()) < 90_000
