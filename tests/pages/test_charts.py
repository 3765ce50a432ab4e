"""Charts: what is drawn stands where the number is, a gap is no zero, and every number is in a table and in words."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader

from tests.pages import dom
from tests.pages.dom import Element
from webapp.pages import charts
from webapp.pages.charts import Bar, Cohort, Series, axes
from webapp.pages.charts.overtime import HIGH

PAGE = """{% import "_macros.html" as ui with context %}{% import "charts/_draw.html" as charts with context %}
{{- charts.spark(chart) if spark else charts.draw(chart) }}"""
TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parents[2] / "templates"), autoescape=True)
TEMPLATES.globals["static_url"] = "/static/{}".format
LAST = date(2026, 11, 23)  # a Monday


def days(count: int) -> list[date]:
    return [LAST - timedelta(count - 1 - n) for n in range(count)]


def drawn(chart: object, *, spark: bool = False) -> Element:
    return dom.read(TEMPLATES.from_string(PAGE).render(chart=chart, spark=spark))


def of(tree: Element, tag: str, **attributes: str) -> list[Element]:
    return [e for e in tree if e.tag == tag and all(e.attributes.get(k) == v for k, v in attributes.items())]


def spend(*values: float | None, **more: object) -> charts.TimeChart:
    return charts.line("spend", "Spend", days(len(values)), [Series("Spend", values)], "money", currency="EUR", **more)


# --- axes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("top", [0.004, 0.07, 1, 3.3, 12, 99, 101, 12_345, 9_999_999])
@pytest.mark.parametrize("unit", ["money", "percent", "ratio", "count"])
def test_the_upright_axis_holds_zero_and_the_largest_value_with_a_few_round_marks(top, unit):
    axis = axes.upright([top / 3, top], unit, "EUR")
    assert axis.low == 0
    assert top <= axis.high <= max(3 * top, 100 * axes.FINEST[unit])
    assert 2 <= len(axis.ticks) <= 6
    assert len({tick.label for tick in axis.ticks}) == len(axis.ticks), "two marks read the same"
    assert (axis.ticks[0].at, axis.ticks[-1].at) == (0, 1)


def test_an_axis_goes_below_zero_where_the_values_do():
    axis = axes.upright([-5, 20], "money", "EUR")
    assert [tick.label for tick in axis.ticks] == ["−€10", "€0", "€10", "€20"]


@pytest.mark.parametrize(
    ("count", "labels"),
    [
        (1, ["23 Nov"]),
        (3, ["21 Nov", "22 Nov", "23 Nov"]),
        (30, ["26 Oct", "2 Nov", "9 Nov", "16 Nov", "23 Nov"]),
        (180, ["Jun", "Jul", "Aug", "Sep", "Oct", "Nov"]),
        (400, ["Nov", "Jan 2026", "Mar", "May", "Jul", "Sep", "Nov"]),
    ],
)
def test_days_are_marked_by_days_mondays_or_months(count, labels):
    assert [tick.label for tick in axes.along(days(count))] == labels


# --- over time --------------------------------------------------------------------------------------------------


def test_a_line_stands_where_its_numbers_are():
    chart = spend(0, 50, 100)
    assert chart.series[0].path == "M166.7 180L500.0 90L833.3 0"
    assert [moment.middle for moment in chart.moments] == [16.67, 50, 83.33]
    assert chart.up[0] == (HIGH, "€0")
    assert chart.up[-1] == (0, "€100")


def test_a_null_is_a_gap_and_a_day_alone_between_gaps_is_a_mark():
    chart = spend(1, 2, None, 3, None, 4, 5)
    assert chart.series[0].path.count("M") == 2
    assert len(chart.series[0].markers) == 1
    assert [row[1] for row in chart.table.rows][2] == "–"


def test_a_day_that_is_left_out_is_a_gap_too():
    some = [day for day in days(6) if day != LAST - timedelta(2)]
    chart = charts.line("c", "C", some, [Series("C", [1, 2, 3, 4, 5])], "count")
    assert chart.series[0].path.count("M") == 2
    weekly = [LAST - timedelta(7 * n) for n in range(4, -1, -1)]
    assert charts.line("c", "C", weekly, [Series("C", [1, 2, 3, 4, 5])], "count").series[0].path.count("M") == 1


def test_what_can_be_pointed_at_says_its_day_and_its_numbers():
    chart = charts.line(
        "c", "C", days(2), [Series("Spend", [5, None], [4, 3])], "money", currency="EUR", previous_name="Last week"
    )
    assert chart.moments[0].says == "Sun 22 Nov 2026\nSpend: €5.00\nSpend, last week: €4.00"
    assert chart.moments[1].says == "Mon 23 Nov 2026\nSpend: –\nSpend, last week: €3.00"


def test_days_that_still_grow_are_marked_also_in_words():
    chart = spend(*range(1, 11), maturing_from=LAST - timedelta(2))
    assert chart.maturing.left == 70
    assert chart.maturing.words.startswith("21–23 Nov 2026: not final")
    assert [moment.says.endswith("Not final yet") for moment in chart.moments] == [False] * 7 + [True] * 3
    assert "Not final" in drawn(chart).text
    assert spend(1, 2, maturing_from=LAST + timedelta(1)).maturing is None


def test_the_whole_course_is_said_in_a_sentence():
    assert spend(3, 1, 2).says == (
        "Lines from 21–23 Nov 2026. Spend: lowest €1.00 on 22 Nov, highest €3.00 on 21 Nov, last €2.00 on 23 Nov."
    )


def test_several_series_differ_by_shape_as_well_as_colour():
    chart = charts.line("c", "C", days(30), [Series(f"S{n}", [n + 1] * 30) for n in range(6)], "count")
    assert len({series.shape for series in chart.series}) == 6
    assert all(len(series.markers) >= 5 for series in chart.series)
    assert [li.text for li in of(drawn(chart), "li")] == ["S0", "S1", "S2", "S3", "S4", "S5"]


def test_columns_stand_on_zero_and_become_a_line_when_they_would_be_hairs():
    chart = charts.columns("c", "C", days(2), [Series("C", [4, None])], "count")
    assert [(bar.top, bar.height) for moment in chart.moments for bar in moment.columns] == [(0, HIGH)]
    assert charts.columns("c", "C", days(60), [Series("C", [1] * 60)], "count").kind == "line"


def test_nothing_to_draw_says_so():
    for chart in (spend(), spend(None, None), charts.bars("b", "B", [], "count"), charts.share("s", "S", [("a", 0)])):
        assert "No figures in this period." in drawn(chart).text


# --- what a reader gets -----------------------------------------------------------------------------------------


def test_a_drawing_is_an_image_with_a_name_a_description_and_its_numbers_in_a_table():
    tree = drawn(spend(10, None, 30))
    (image,) = of(tree, "svg", role="img")
    ids = {element.attributes["id"]: element for element in tree if "id" in element.attributes}
    name, words = (ids[id] for id in image.attributes["aria-labelledby"].split())
    assert name.text == "Spend"
    assert "highest €30.00" in words.text
    table = [[cell.text for cell in row if cell.tag in ("th", "td")] for row in of(tree, "tr")]
    assert table == [
        ["Day", "Spend"],
        ["Sat 21 Nov 2026", "€10.00"],
        ["Sun 22 Nov 2026", "–"],
        ["Mon 23 Nov 2026", "€30.00"],
    ]


def test_names_from_an_ad_platform_stay_text():
    bad = "<script>x</script>"
    for chart in (
        charts.line("c", bad, days(2), [Series(bad, [1, 2]), Series("b", [1, 2])], "count"),
        charts.bars("b", bad, [Bar(bad, 1)], "count"),
        charts.share("s", bad, [(bad, 1)]),
        charts.cohorts("h", bad, [Cohort(bad, 1, [1])], [bad], "count"),
    ):
        tree = drawn(chart)
        assert of(tree, "script") == []
        assert bad in tree.text


def test_every_mark_lies_inside_its_drawing():
    wild = [((n * 7919) % 101) - 20 if n % 7 else None for n in range(90)]
    html = TEMPLATES.from_string(PAGE).render(
        chart=charts.line("c", "C", days(90), [Series("A", wild, wild[::-1]), Series("B", wild[::-1])], "money"),
        spark=False,
    )
    assert all(0 <= float(place) <= 100 for place in re.findall(r'"([-\d.]+)%"', html))
    assert all(0 <= float(y) <= HIGH for y in re.findall(r'c?y="([-\d.]+)" (?:r=|overflow)', html))


# --- rows, shares, cohorts, sparks ------------------------------------------------------------------------------


def test_bars_keep_their_order_and_cut_only_what_is_shown():
    long = "Prospecting, broad, everybody in Germany"
    chart = charts.bars("b", "Spend", [Bar(long, 50), Bar("Brand", 100), Bar("New", None)], "money", currency="EUR")
    assert [(row.value, row.width) for row in chart.rows] == [("€50.00", 50), ("€100.00", 100), ("–", 0)]
    assert chart.rows[0].label.endswith("…")
    assert chart.rows[0].says.startswith(long)
    assert chart.table.rows[0][0] == long


def test_a_bar_below_zero_ends_at_the_zero_of_the_others():
    chart = charts.bars("b", "Profit", [Bar("a", 300), Bar("b", -100)], "money", currency="EUR")
    assert [(row.left, row.width) for row in chart.rows] == [(25, 75), (0, 25)]
    assert chart.zero == 25


def test_more_bars_than_one_can_read_are_in_the_table_only():
    chart = charts.bars("b", "Spend", [Bar(str(n), n) for n in range(40)], "count")
    assert (len(chart.rows), len(chart.table.rows)) == (25, 40)
    assert "15 more are in the table." in drawn(chart).text


def test_a_funnel_says_how_many_go_on():
    chart = charts.funnel("f", "Funnel", [("Visits", 1000), ("Cart", 200), ("Orders", 50)])
    assert [row.value for row in chart.rows] == ["1,000", "200 · 20.0% go on", "50 · 25.0% go on"]
    assert chart.table.rows[2] == ("Orders", "50", "25.0%", "5.0%")


def test_a_share_has_six_parts_at_most_and_loses_nothing():
    chart = charts.share("s", "Spend", [(f"Channel {n}", n) for n in range(9)], "money", currency="EUR")
    assert len(chart.parts) == 6
    assert chart.parts[-1].name == "3 others"
    assert sum(part.width for part in chart.parts) == pytest.approx(100, abs=0.1)
    assert len(chart.table.rows) == 8  # nothing has no share


def test_the_heat_of_a_cohort_never_stands_without_its_number():
    chart = charts.cohorts("h", "LTV", [Cohort("Jun", 9, [0, 50, 100]), Cohort("Jul", 5, [10, None])], "abc", "count")
    assert [[cell.heat for cell in row.cells] for row in chart.rows] == [[0, 3, 5], [1, 0]]
    assert [cell.text for cell in of(drawn(chart), "td")] == ["9", "0", "50", "100", "5", "10", "–"]


def test_a_spark_is_an_image_with_words():
    tree = drawn(charts.spark("Spend", [1, 3, None, 2], "money", currency="EUR", maturing=1), spark=True)
    (image,) = of(tree, "svg", role="img")
    assert image.attributes["aria-label"] == "Spend: first €1.00, highest €3.00, last €2.00"
    assert "nothing in this period" in drawn(charts.spark("Spend", [0, 0], "count"), spark=True).text


# --- a tool's result --------------------------------------------------------------------------------------------

COLUMNS = [
    {"key": "day", "label": "Day", "unit": "date"},
    {"key": "name", "label": "Campaign", "unit": "name"},
    {"key": "spend", "label": "Spend", "unit": "money"},
    {"key": "revenue", "label": "Revenue", "unit": "money"},
    {"key": "roas", "label": "ROAS", "unit": "ratio"},
]


def result(rows: list[dict[str, object]], **more: object) -> dict[str, object]:
    return {"title": "Days", "columns": COLUMNS, "rows": rows, "currency": "EUR", **more}


def test_a_result_of_days_becomes_a_line_for_each_unit():
    rows = [{"day": f"2026-11-2{n}", "spend": n, "revenue": 2 * n, "roas": None if n == 1 else 2} for n in (2, 1, 3)]
    hint = {"kind": "line", "x": "day", "y": ["spend", "roas", "revenue"]}
    money, ratio = charts.from_result(result(rows, chart=hint, maturing_from="2026-11-23"), "t1")
    assert (money.title, money.kind, money.id) == ("Spend, Revenue", "line", "t1-0")
    assert [row[1] for row in money.table.rows] == ["€1.00", "€2.00", "€3.00"]
    assert money.maturing is not None
    assert [row[1] for row in ratio.table.rows] == ["–", "2.00×", "2.00×"]


def test_a_result_of_names_becomes_bars_without_the_fence():
    rows = [{"name": "⟦Brand⟧", "spend": 3}, {"name": "⟦Shoes⟧", "spend": 1}]
    (chart,) = charts.from_result(result(rows, chart={"kind": "bar", "x": "name", "y": ["spend"]}), "t1")
    assert [(row.label, row.value) for row in chart.rows] == [("Brand", "€3.00"), ("Shoes", "€1.00")]


def test_rows_of_two_currencies_never_share_an_axis():
    rows = [{"name": "a", "spend": 3, "currency": "EUR"}, {"name": "b", "spend": 300, "currency": "JPY"}]
    euro, yen = charts.from_result(result(rows, currency="", chart={"kind": "bar", "x": "name", "y": ["spend"]}), "t1")
    assert [row.value for row in euro.rows] == ["€3.00"]
    assert [row.value for row in yen.rows] == ["¥300"]
    assert (euro.title, yen.title) == ("Spend (EUR)", "Spend (JPY)")


@pytest.mark.parametrize(
    "hint",
    [None, "line", {}, {"y": ["nothing"]}, {"x": 3, "y": 7}, {"kind": "pie", "x": "day", "y": ["day", "name"]}, []],
)
def test_a_hint_that_does_not_fit_draws_nothing(hint):
    rows = [{"day": "2026-11-21", "spend": 1}, {"day": "2026-11-22", "spend": 2}]
    assert charts.from_result(result(rows, chart=hint), "t1") == ()


def test_one_row_is_no_chart():
    hint = {"kind": "line", "x": "day", "y": ["spend"]}
    assert charts.from_result(result([{"day": "2026-11-21", "spend": 1}], chart=hint), "t1") == ()
