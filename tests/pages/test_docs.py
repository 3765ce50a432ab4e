"""The guides: every provider has one, every fact in it comes from the provider's record, every link leads somewhere."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException

from tests.people import Browser
from webapp.accounts.scope import RIGHTS, Right
from webapp.ads import meta
from webapp.llm.providers import GROQ, Provider, catalogue
from webapp.llm.quirks import ChatQuirks
from webapp.pages import ad_facts, budgets, facts, guides, product_facts
from webapp.pages.guides import FOLDER, Guide
from webapp.secret import Secret
from webapp.vault import byok

ROOT = Path(__file__).resolve().parents[2]
PROVIDERS = catalogue({})
WRITTEN = sorted((FOLDER / "providers").glob("*.md"))
DAILY = [FOLDER / f"{name}.md" for name in ("approvals", "dashboard", "money")]
OF_ADS = [FOLDER / "ads" / f"{platform}.md" for platform in ("google", "meta")]

SECTIONS = (
    "Create a key",
    "What a key looks like",
    "Permissions",
    "Connect and test",
    "Models",
    "Caching",
    "Usage and billing",
    "Known traps",
    "When something fails",
)
AD_SECTIONS = (
    "Get access",
    "Connect and test",
    "What is read",
    "What can be changed",
    "How figures are counted",
    "Limits",
    "Known traps",
    "When something fails",
)
PLAIN = {"self_hosted": "plain"}  # whose recordings are those of no provider in particular

each_provider = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda provider: provider.slug)
each_guide = pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)


def of(path: Path) -> Provider:
    """The provider of a guide. A guide may be there before its provider is: then one like it stands in."""
    stand_in = replace(
        GROQ,
        slug=path.stem,
        name=path.stem.capitalize(),
        base_url=f"https://api.{path.stem}.example/v1",
        keys_url=f"https://{path.stem}.example/keys",
        usage_url=f"https://{path.stem}.example/usage",
        billing_url=f"https://{path.stem}.example/billing",
    )
    return PROVIDERS.get(path.stem, stand_in)


def known(provider: Provider | None = None) -> dict[str, str]:
    return facts.of_all(PROVIDERS.values(), "Acme Chat") | (facts.of(provider) if provider else {})


def known_to(path: Path) -> dict[str, str]:
    if path in DAILY:
        return known() | product_facts.of(path.stem, PROVIDERS.values(), 2.0)
    return known() | ad_facts.of(path.stem) if path.parent.name == "ads" else known(of(path))


def guide(path: Path) -> Guide:
    name = path.relative_to(FOLDER).with_suffix("").as_posix()
    return guides.read(name, known_to(path), lambda target: f"/docs/{target}")


def hosts(text: str) -> set[str]:
    """The hosts named in a text, as part of an address or not."""
    return set(re.findall(r"\b(?:[a-z0-9-]+\.)+(?:ai|app|cn|com|dev|io|net|org)\b", text.lower()))


# --- the catalogue law ------------------------------------------------------------------------------------------


@each_provider
def test_a_provider_has_a_guide_a_logo_and_a_recording(provider: Provider) -> None:
    recordings = ROOT / "tests" / "recordings" / PLAIN.get(provider.slug, provider.slug)
    assert (FOLDER / "providers" / f"{provider.slug}.md").is_file()
    assert (ROOT / "static" / "logos" / f"{provider.logo}.svg").is_file()
    assert list(recordings.glob("*.sse"))


# --- structure --------------------------------------------------------------------------------------------------


@each_guide
def test_a_setup_guide_has_every_section_in_order(path: Path) -> None:
    assert tuple(section.title for section in guide(path).sections) == SECTIONS


@pytest.mark.parametrize("path", OF_ADS, ids=lambda path: path.stem)
def test_a_guide_of_an_ad_platform_has_every_section_in_order(path: Path) -> None:
    assert tuple(section.title for section in guide(path).sections) == AD_SECTIONS
    assert [
        section for section in re.split(r"^## .*$", path.read_text(), flags=re.MULTILINE) if not section.split()
    ] == []


@each_guide
def test_every_section_of_a_guide_says_something(path: Path) -> None:
    for section in re.split(r"^## .*$", path.read_text(), flags=re.MULTILINE):
        assert len(section.split()) > 2


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.md")), ids=lambda path: path.stem)
def test_a_guide_keeps_the_tone(path: Path) -> None:
    text = path.read_text()
    assert "!" not in text
    assert re.findall(r"[\U0001f300-\U0001faff]", text) == []
    assert re.findall(r"\{\{|\}\}", guides.fill_in(text, known_to(path))) == []


@pytest.mark.parametrize("wrong", ["No title.", "# Title\n\n## Section", "# Title\n\nText\n\n## A\n\nx\n\n## A\n\ny"])
def test_a_guide_without_title_and_summary_or_with_twins_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"title|called"):
        guides.render("wrong", wrong, {}, str)


# --- facts ------------------------------------------------------------------------------------------------------


@each_guide
def test_a_guide_takes_the_facts_of_its_record_and_writes_none_down(path: Path) -> None:
    """A copy would stay as it is when the record changes."""
    source, provider = path.read_text(), of(path)
    words = [provider.base_url, provider.keys_url, provider.usage_url, provider.billing_url, provider.probe_model]
    words += [provider.key_hint, *(wrong.prefix for wrong in provider.wrong_keys)]
    words += [provider.key_prefix] if len(provider.key_prefix) > 2 else []
    assert [word for word in words if word and word in source] == []
    assert re.findall(r"https?://(?!HOST)", source) == []


@each_guide
def test_a_guide_names_only_hosts_of_its_record(path: Path) -> None:
    provider = of(path)
    record = " ".join(str(getattr(provider, field.name)) for field in fields(provider))
    assert hosts(guide(path).body) <= hosts(record)


@pytest.mark.parametrize("path", DAILY, ids=lambda path: path.stem)
def test_a_guide_of_daily_work_writes_no_number_down(path: Path) -> None:
    """Limits are the code's. A name that has a number in it is none."""
    assert re.findall(r"\d+", path.read_text().replace("SHA-256", "")) == []


def test_hosts_are_found_where_they_are_named() -> None:
    assert hosts("Open https://console.example.com/keys, or Platform.Example.ai.") == {
        "console.example.com",
        "platform.example.ai",
    }
    assert hosts("vllm serve, e.g. llama.cpp") == set()


@each_guide
def test_a_guide_shows_where_keys_are_made_and_what_they_look_like(path: Path) -> None:
    provider, shown = of(path), guide(path)
    text = unescape(shown.body)
    for fact in (provider.keys_url, provider.usage_url, provider.key_hint if not provider.self_hosted else ""):
        assert fact in text
    for wrong in provider.wrong_keys:
        assert wrong.prefix in text
        assert wrong.says in text


def test_a_fact_that_a_record_lacks_cannot_be_shown() -> None:
    with pytest.raises(KeyError):
        guides.fill_in("{{ provider.keys_url }}", known(PROVIDERS["self_hosted"]))


def test_the_test_call_is_the_one_that_is_made() -> None:
    said = facts.of(PROVIDERS["anthropic"])
    assert "`POST https://api.anthropic.com/v1/messages`" in said["provider.test"]
    assert said["provider.header"] == "x-api-key: …"
    free = facts.of(PROVIDERS["openrouter"])["provider.test"]
    assert free.startswith("1. `GET https://openrouter.ai/api/v1/key`, which is free.")
    gateway = replace(PROVIDERS["openai"], base_url="https://gateway.example/v1")
    assert "`POST https://gateway.example/v1/responses`" in facts.of(gateway)["provider.test"]


def test_what_is_said_about_caching_is_read_from_requests() -> None:
    assert facts.sent(PROVIDERS["anthropic"], "claude-sonnet-5-5") == facts.Sent(
        ("the last tool, where the chat has tools", "the instructions", "the conversation so far"),
        "",
        "metadata.user_id",
    )
    assert facts.sent(PROVIDERS["openai"], "gpt-6-luna") == facts.Sent((), "prompt_cache_key", "safety_identifier")
    assert facts.sent(PROVIDERS["deepseek"], "deepseek-flash") == facts.Sent((), "user_id", "")
    assert facts.sent(PROVIDERS["openrouter"], "openai/gpt-6-luna").marks == ()
    assert facts.sent(PROVIDERS["openrouter"], "anthropic/claude-sonnet-5").marks == (
        "the instructions",
        "the conversation so far",
    )
    changed = replace(PROVIDERS["groq"], chat=ChatQuirks(cache_key="a_new_field"))
    assert "`a_new_field`" in facts.of(changed)["provider.caching"]


def test_every_provider_that_takes_a_cache_key_is_named_in_the_guide() -> None:
    """The prose of the guide, held against the requests."""
    source = (FOLDER / "byok.md").read_text()
    prose = next(line for line in source.splitlines() if "prompt_cache_key" in line and line.startswith("- "))
    for provider in PROVIDERS.values():
        field = facts.sent(provider, provider.probe_model or "a-model").cache_key
        named = f"**{provider.name.split(' ')[0]}**" in prose
        assert named == (field in ("prompt_cache_key", "user_id")), provider.name


# --- pages ------------------------------------------------------------------------------------------------------

WORK = [f"/docs/{path.stem}" for path in DAILY]
SETUP = [f"/docs/providers/{slug}" for slug in PROVIDERS]
ADS = [f"/docs/ads/{slug}" for slug in ("meta", "google", "import", "collector")]
PAGES = ("/docs", "/docs/byok", *WORK, *SETUP, *ADS)


@pytest.mark.parametrize("path", PAGES)
def test_anyone_can_read_it(anyone: FlaskClient, path: str) -> None:
    page = anyone.get(path)
    assert page.status_code == 200
    assert page.text.count("<h1") == 1
    assert "Sign in" in page.text
    assert re.findall(r"\sstyle=", page.text) == []


def test_every_link_leads_somewhere(app: Flask, anyone: FlaskClient, alice: Browser) -> None:
    """Also to the headings of other guides. What is on other sites is held against the records above."""
    pages = {path: anyone.get(path).text for path in PAGES}
    for path, text in pages.items():
        for href in re.findall(r'<a [^>]*href="([^"]+)"', text):
            url = urlsplit(unescape(href))
            if url.scheme:
                continue
            target = url.path or path
            if target not in pages:
                assert routed(app, target), f"{path} links to {href}"
                pages_text = alice.get(target, follow_redirects=True).text
            else:
                pages_text = pages[target]
            assert not url.fragment or f'id="{url.fragment}"' in pages_text, f"{path} links to {href}"


def routed(app: Flask, path: str) -> bool:
    try:
        app.url_map.bind("localhost").match(path)
    except HTTPException:
        return False
    return True


def test_links_to_other_sites_tell_them_nothing(anyone: FlaskClient) -> None:
    for path in PAGES:
        outside = re.findall(r'<a [^>]*href="https?:[^>]*>', anyone.get(path).text)
        assert all('rel="noopener noreferrer"' in link for link in outside)


def test_guides_are_read_in_a_row(anyone: FlaskClient) -> None:
    path, read = "/docs/byok", []
    while path:
        read.append(path)
        after = re.search(r'rel="next" href="([^"]+)"', anyone.get(path).text)
        path = after[1] if after else ""
    assert read == list(PAGES[1:])


def test_nobody_gets_a_guide_for_a_provider_that_is_not_here(anyone: FlaskClient) -> None:
    assert anyone.get("/docs/providers/nobody").status_code == 404
    assert anyone.get("/docs/providers/demo").status_code == 404
    assert anyone.get("/docs/providers/..%2Fbyok").status_code == 404
    assert anyone.get("/docs/ads/tiktok").status_code == 404


def test_the_contents_name_every_section(anyone: FlaskClient) -> None:
    page = anyone.get("/docs/providers/anthropic").text
    contents = page.partition('<nav aria-labelledby="on-this-page">')[2].partition("</nav>")[0]
    linked = re.findall(r'<a href="#([^"]+)">([^<]+)</a>', contents)
    assert tuple(title for _, title in linked) == SECTIONS
    assert all(f'<h2 id="{id}">' in page for id, _ in linked)


def test_the_product_is_called_by_its_name_here(anyone: FlaskClient) -> None:
    page = anyone.get("/docs/byok").text
    assert "<strong>No markup.</strong>" in page
    assert "Admaxxer has no model of its own" in page


def test_what_is_filled_in_cannot_bring_html() -> None:
    made = guides.render(
        "x", "# T {{ product }}\n\nS {{ product }}\n\n{{ product }}", {"product": "<b onclick=x>"}, str
    )
    assert "<b" not in made.body + made.summary
    assert "&lt;b" in made.body


def test_alice_finds_the_guides_from_rail_and_cards(alice: Browser) -> None:
    page = alice.get("/settings/providers").text
    assert 'id="nav-docs" href="/docs"' in page
    assert set(re.findall(r'href="(/docs/providers/\w+)"', page)) == set(SETUP)
    assert 'id="nav-docs" href="/docs" aria-current="page"' in alice.get("/docs").text


# --- what the guides claim of the code --------------------------------------------------------------------------


def test_the_numbers_in_the_guide_are_those_of_the_code() -> None:
    text = guides.fill_in((FOLDER / "byok.md").read_text(), known())
    assert "20 in 10 minutes for each workspace" in text
    assert "at most 2 times" in text
    assert "kept for 60 minutes" in text


def test_the_numbers_in_the_guides_of_ad_platforms_are_those_of_the_code() -> None:
    texts = {path.stem: guides.fill_in(path.read_text(), known_to(path)) for path in OF_ADS}
    for text in texts.values():
        assert "the last 90 days" in text
        assert "every 6 hours" in text
        assert "Too much was asked in a short time" in text
    assert "From 75 % on we wait" in texts["meta"]
    assert "(`https://graph.facebook.com`, version `v26.0`)" in texts["meta"]
    assert "`omni_purchase`, then `purchase`, then `offsite_conversion.fb_pixel_purchase`" in texts["meta"]
    assert "`https://googleads.googleapis.com` (version `v26`)" in texts["google"]
    assert f"windows of {meta.WINDOW} days" in texts["meta"]


def filled_in(name: str) -> str:
    path = FOLDER / f"{name}.md"
    return guides.fill_in(path.read_text(), known_to(path))


def test_what_maxxer_may_do_is_read_from_its_tools_and_guard_rails(alice: Browser) -> None:
    text = filled_in("approvals")
    assert "Maxxer has 6 tools, and 2 of them propose" in text
    assert "| `update_campaign` | proposes | Propose changes to one campaign. |" in text
    assert "| `list_campaigns` | reads |" in text
    assert "A card waits 10 minutes" in text
    assert "For 7 days **Undo**" in text
    assert "| Largest change at once | 20 % of a daily budget, up or down |" in text
    form = alice.get("/settings/ad-accounts/rails").text
    labels = re.findall(r"^\| ([^|]+) \|", product_facts.of("approvals", (), 0)["rails"], flags=re.MULTILINE)[2:]
    assert labels
    assert [label for label in labels if label not in form] == []


def test_the_roles_that_the_guides_name_are_those_that_may() -> None:
    for right in (Right.APPROVE_CHANGES, Right.MANAGE_ADS, Right.MANAGE_WORKSPACE, Right.MANAGE_MEMBERS):
        assert {role for role, rights in RIGHTS.items() if right in rights} == {"owner", "admin"}
    assert Right.CHAT not in RIGHTS["viewer"]


def test_the_figures_of_the_dashboard_are_explained_as_its_columns_are() -> None:
    text = filled_in("dashboard")
    assert "| MER | Revenue ÷ spend (the shop's, all channels)." in text
    assert "| Platform ROAS | Platform revenue ÷ spend. | ad accounts, as they claim it |" in text
    assert "30 days are compared with those that began 35 days before" in text
    assert "goes back 364 days" in text
    assert "- **Funnel**:" in text


def test_what_is_said_of_money_is_what_the_code_does() -> None:
    text = filled_in("money")
    assert "- The last call was to another model, and each has a cache of its own." in text
    assert "From 80 % on" in text
    assert "lets one answer cost 2.00 USD" in text
    assert "sets no limit for one answer" in product_facts.of("money", PROVIDERS.values(), 0)["answer.most"]
    assert [kind for kind in budgets.FOR.values() if f"| {kind} |" not in text] == []


PLACES = {
    "/changes": "approvals",
    "/settings/ad-accounts/rails": "approvals",
    "/dashboard/analytics": "dashboard",
    "/settings/budgets": "money",
}


@pytest.mark.parametrize(("page", "name"), PLACES.items())
def test_alice_finds_the_guide_where_she_would_look(alice: Browser, page: str, name: str) -> None:
    assert f'href="/docs/{name}">Guide' in alice.get(page).text


def test_the_guides_of_daily_work_lead_to_each_other() -> None:
    for path in WORK:
        text = guide(FOLDER / f"{path.removeprefix('/docs/')}.md").body
        assert {other for other in WORK if f'href="{other}"' in text} == set(WORK) - {path}


def test_a_card_shows_as_much_of_a_key_as_the_guide_says(alice: Browser) -> None:
    with alice.database.begin() as db:
        byok.connect(alice.scope, db, alice.parts.keyring, "anthropic", Secret("sk-ant-api03-" + "x" * 40))
        (card,) = byok.cards(alice.scope, db)
    assert len(card.prefix) == 6
    assert "first six characters" in (FOLDER / "byok.md").read_text()
