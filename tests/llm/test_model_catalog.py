"""What models a key can use: the list joined with our table, and nothing guessed."""

from __future__ import annotations

import json
from datetime import date

import pytest

from tests.llm.transcripts import RECORDS, shared
from webapp.llm import models
from webapp.llm.dialects import anthropic_messages
from webapp.llm.models import Model, RemoteModel, cheapest, join
from webapp.llm.providers import ANTHROPIC

TABLE = models._CATALOG["providers"]["anthropic"]


def joined(id: str, provider: str = "anthropic") -> Model:
    (model,) = join(provider, [RemoteModel(id)])
    return model


def test_the_list_says_what_exists_and_the_table_what_it_costs() -> None:
    remote = RemoteModel("claude-haiku-4-5", "Haiku", "haiku", context=123, max_output=45, vision=False, tools=True)
    (model,) = join("anthropic", [remote])
    assert (model.name, model.context, model.max_output, model.vision) == ("Haiku", 123, 45, False)
    assert (model.price_in, model.price_out, model.cache_read, model.cache_write) == (1.0, 5.0, 0.1, 1.25)
    assert model.cache_min == 4096
    assert date.fromisoformat(model.priced_at)


@pytest.mark.parametrize(
    ("dated", "listed"),
    [
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("claude-opus-4-20250514", "claude-opus-4-0"),
        ("claude-3-7-sonnet-20250219", "claude-3-7-sonnet-latest"),
    ],
)
def test_a_dated_model_costs_what_the_undated_one_costs(dated: str, listed: str) -> None:
    assert joined(dated).price_out == TABLE[listed]["out"]


def test_an_unknown_model_is_shown_with_an_unknown_price() -> None:
    model = joined("claude-haiku-9")
    assert (model.name, model.line) == ("claude-haiku-9", "haiku")
    assert (model.price_in, model.price_out, model.cache_read, model.cache_write) == (None, None, None, None)
    assert model.priced_at == ""


def test_the_demo_provider_has_no_prices() -> None:
    assert joined("claude-haiku-4-5", provider="demo").price_in is None


def test_a_long_input_may_cost_more() -> None:
    model = joined("claude-haiku-5-5")
    assert (model.long_from, model.long_in, model.long_out) == (100_000, 0.5, 2.5)


def test_a_model_survives_the_database() -> None:
    for id in TABLE:
        (model,) = join("anthropic", [RemoteModel(id, thinking=("adaptive",), lifecycle="active")])
        assert Model.from_json(json.loads(json.dumps(model.to_json()))) == model


def test_a_model_of_another_version_can_be_read() -> None:
    assert Model.from_json({"id": "x", "name": "X", "from_the_future": 1}) == Model("x", "X")


def test_a_test_call_prefers_the_cheapest_haiku_then_one_model_a_line() -> None:
    ids = ["claude-opus-5-5", "claude-haiku-4-5", "claude-haiku-5-5", "claude-sonnet-5-5", "claude-sonnet-4-5"]
    assert [m.id for m in cheapest(join("anthropic", map(RemoteModel, ids)))] == [
        "claude-haiku-5-5",
        "claude-sonnet-5-5",
        "claude-opus-5-5",
    ]


def test_a_test_call_prefers_the_usual_model_and_what_costs_something() -> None:
    listed = [
        RemoteModel("a/free", price_in=0.0, price_out=0.0),
        RemoteModel("a/dear", price_in=2.0, price_out=8.0),
        RemoteModel("a/unknown"),
        RemoteModel("a/cheap", price_in=0.1, price_out=0.4),
    ]
    ids = [m.id for m in cheapest(join("openrouter", listed))]
    assert ids[:2] == ["a/cheap", "a/dear"]
    assert set(ids[2:]) == {"a/free", "a/unknown"}
    assert cheapest(join("openrouter", listed), "a/dear")[0].id == "a/dear"
    assert len(cheapest(nameless(400))) == models.MOST_TRIED


def nameless(count: int) -> list[Model]:
    return join("openrouter", [RemoteModel(f"a/{n}") for n in range(count)])


def test_what_the_provider_itself_asks_goes_before_the_table() -> None:
    own = RemoteModel("deepseek-flash", price_in=9.0, price_out=10.0, long_from=200_000, long_in=18.0, long_out=20.0)
    (model,) = join("deepseek", [own])
    assert (model.price_in, model.price_out, model.cache_read) == (9.0, 10.0, None)
    assert (model.long_from, model.long_in, model.long_out) == (200_000, 18.0, 20.0)
    assert model.priced_at == ""
    assert model.context == joined("deepseek-flash", "deepseek").context is not None


def test_ids_are_found_in_any_case_and_the_table_knows_who_thinks() -> None:
    assert joined("GLM-5.3", "zai").price_in == joined("glm-5.3", "zai").price_in is not None
    assert joined("glm-5.3", "zai").thinking == ("adaptive",)
    assert joined("claude-haiku-4-5").thinking == ()  # its own list says


def test_a_retired_model_is_never_tested_with() -> None:
    listed = [RemoteModel("claude-haiku-4-5", lifecycle="retired"), RemoteModel("claude-opus-5-5")]
    assert [m.id for m in cheapest(join("anthropic", listed))] == ["claude-opus-5-5"]


def test_the_table_names_its_sources() -> None:
    assert all("MIT" in source for source in models._CATALOG["sources"])
    assert date.fromisoformat(models._CATALOG["generated"])
    for table in models._CATALOG["providers"].values():
        assert all({"in", "out"} <= set(entry) for entry in table.values())
        assert all(id == id.lower() for id in table)


def test_the_table_covers_every_provider_that_does_not_tell_its_prices() -> None:
    tells = {"openrouter", "demo"}
    assert {slug for slug, p in RECORDS.items() if p.base_url} - tells <= set(models._CATALOG["providers"])


@pytest.mark.parametrize("name", [n for n, e in shared(stream=False).items() if e["kind"] == "models"])
def test_a_real_list_has_a_price_for_every_model(name: str) -> None:
    page = anthropic_messages.read_models(ANTHROPIC, shared(stream=False)[name]["response"]["body"].encode())
    found = join("anthropic", page.models)
    assert len(found) > 5
    assert all(m.price_in and m.context and m.line for m in found)
