"""Reading exports: every trap of the three formats, and what is asked where the file does not decide. Pure."""

from __future__ import annotations

import csv
import io
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.ads import exports
from tests.ads.exports import looked, problems, sheet
from webapp.ads.imports import days, headers, numbers, shop_orders, sniff
from webapp.ads.imports.ad_days import AdFile
from webapp.ads.imports.review import Review
from webapp.ads.imports.shop_orders import OrderFile
from webapp.ads.imports.sniff import Unreadable
from webapp.ads.money import MICROS

SEEDS = Path(__file__).resolve().parents[2] / ".." / "shared" / "reference" / "ads-fixtures" / "fivetran-seeds"


def ad_file(review: Review) -> AdFile:
    assert review.ready, [str(problem) for problem in review.problems]
    assert isinstance(review.found, AdFile)
    return review.found


def order_file(review: Review) -> OrderFile:
    assert review.ready, [str(problem) for problem in review.problems]
    assert isinstance(review.found, OrderFile)
    return review.found


def spend(file: AdFile) -> Decimal:
    return Decimal(sum(day.spend_micros for day in file.days)) / MICROS


# --- each export, as it comes -----------------------------------------------------------------------------------


def test_a_meta_export_is_read_without_its_total_and_without_ratios() -> None:
    review = looked(exports.META)
    file = ad_file(review)
    assert [(d.campaign, d.day.isoformat(), d.spend_micros, d.impressions, d.clicks) for d in file.days] == [
        ("1201", "2026-09-01", 12_500_000, 1000, 20),
        ("1201", "2026-09-02", 24_000_000, 2000, 40),
    ]
    assert [(int(d.orders), d.revenue_micros) for d in file.days] == [(1, 60_500_000), (2, 120_000_000)]
    assert (file.campaigns["1201"].name, file.campaigns["1201"].status) == ("Brand", "active")
    assert file.left_out == {"totals": [2]}
    assert review.currency.value == "EUR"
    why = {column.name: column.why_not for column in review.columns if column.why_not}
    assert why["Reach"] == "People cannot be added up over days or campaigns"
    assert why["Purchase ROAS (return on ad spend)"] == "A ratio: computed again from the sums"
    assert "leads" in why["Results"]


@pytest.mark.parametrize(
    ("text", "encoding", "spent", "clicks", "orders", "currency"),
    [
        (exports.META_GERMAN, "utf-8", "1235.00", 22, "1", "EUR"),
        (exports.META_GERMAN, "cp1252", "1235.00", 22, "1", "EUR"),
        (exports.META_FRENCH, "utf-8-sig", "15.25", 15, "1", "CAD"),
        (exports.META_SPANISH, "utf-8-sig", "42000", 20, "2", "COP"),
        (exports.GOOGLE, "utf-8", "1035.94", 97, "3.50", "CAD"),
        (exports.GOOGLE_GERMAN, "utf-8-sig", "1334.46", 129, "3.50", "USD"),
        (exports.GOOGLE_FRENCH, "utf-8-sig", "1032.84", 95, "3.50", "CAD"),
        (exports.GOOGLE_SPANISH, "utf-16", "1020.50", 88, "2.50", "EUR"),
    ],
)
def test_exports_of_four_languages_and_encodings_agree_with_their_own_totals(
    text: str, encoding: str, spent: str, clicks: int, orders: str, currency: str
) -> None:
    review = looked(text, encoding)
    file = ad_file(review)
    assert spend(file) == Decimal(spent)
    assert sum(day.clicks for day in file.days) == clicks
    assert sum(day.orders for day in file.days) == Decimal(orders)
    assert review.currency.value == currency


def test_googles_excel_csv_is_utf_16_with_tabs() -> None:
    rows = list(csv.reader(io.StringIO(exports.GOOGLE)))
    text = "\r\n".join("\t".join(row) for row in rows)
    for encoding in ("utf-16", "utf-16-le"):
        assert spend(ad_file(looked(text, encoding))) == Decimal("1035.94")


def test_fractions_of_a_conversion_stay_and_a_dash_is_nothing() -> None:
    by_day = {(d.campaign, d.day.day): d for d in ad_file(looked(exports.GOOGLE)).days}
    assert by_day["12345678901", 2].orders == Decimal("2.5")
    assert by_day["22222222222", 1].revenue_micros == 0
    assert by_day["22222222222", 1].orders == 0


def test_googles_title_lines_and_totals_are_not_figures() -> None:
    file = ad_file(looked(exports.GOOGLE))
    assert file.left_out == {"totals": [7, 8]}
    assert {it.name: it.status for it in file.campaigns.values()} == {
        "Spring Roofs & Gutters": "active",
        "Brand, exact": "paused",
    }


def test_a_campaign_may_be_called_total_but_not_total_with_a_colon() -> None:
    text = exports.GOOGLE.replace("Spring Roofs & Gutters", "Total")
    assert spend(ad_file(looked(text))) == Decimal("1035.94")


def test_a_line_called_total_that_has_no_day_is_a_total() -> None:
    header = "Campaign name,Day,Amount spent (EUR)"
    file = ad_file(looked(f"{header}\nShoes,2026-11-20,50.25\nTotal,2026-11-20,1.00\nTotal,,51.25\n"))
    assert spend(file) == Decimal("51.25")
    assert file.left_out == {"totals": [4]}


# --- sums beside what they sum ----------------------------------------------------------------------------------


def test_lines_of_all_beside_single_values_are_subtotals() -> None:
    french, spanish = ad_file(looked(exports.META_FRENCH)), ad_file(looked(exports.META_SPANISH))
    assert french.left_out == {"sums of lines that are there, too": [4]}
    assert [(d.adset_name, d.spend_micros) for d in french.days] == [("Femmes", 10_250_000), ("Hommes", 5_000_000)]
    assert spanish.left_out == {"subtotals (“All”)": [4]}


def test_lines_of_all_alone_are_the_figures() -> None:
    """A breakdown that was chosen and shows one value only."""
    text = "\n".join(line for line in exports.META_SPANISH.splitlines() if "18-24" not in line and "25-34" not in line)
    assert spend(ad_file(looked(text))) == 42_000


def test_a_breakdown_is_added_up_to_the_day() -> None:
    (day,) = ad_file(looked(exports.META_SPANISH)).days
    assert (day.spend_micros, day.impressions, day.clicks, int(day.orders)) == (42_000_000_000, 1200, 20, 2)


def test_a_campaigns_own_line_beside_those_of_its_ad_sets_is_left_out() -> None:
    text = exports.META_FRENCH.replace("Rentrée,All,", "Rentrée,,")
    assert spend(ad_file(looked(text))) == Decimal("15.25")


# --- days -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "value"),
    [
        (("13/09/2026", "02/09/2026"), "dmy"),
        (("09/13/2026", "09/02/2026"), "mdy"),
        (("01.02.2026", "03.04.2026"), "dmy"),
        (("2026/09/01", "2026/09/02"), "ymd"),
    ],
)
def test_one_day_decides_for_the_whole_file(cells: tuple[str, str], value: str) -> None:
    text = exports.GOOGLE.replace("2026-09-01", cells[1]).replace("2026-09-02", cells[0])
    review = looked(text)
    assert review.dates.value == value
    assert any(cell in review.dates.why for cell in cells)
    ad_file(review)


def test_days_that_could_be_either_are_asked_not_guessed() -> None:
    text = exports.GOOGLE.replace("2026-09-01", "03/04/2026").replace("2026-09-02", "04/03/2026")
    review = looked(text)
    assert (review.ready, review.dates.asks, review.found) == (False, True, None)
    assert "“03/04/2026” in line 4, column Day" in str(review.problems[0])
    assert {d.day for d in ad_file(looked(text, dates="dmy")).days} == {date(2026, 4, 3), date(2026, 3, 4)}
    assert {d.day for d in ad_file(looked(text, dates="mdy")).days} == {date(2026, 3, 4), date(2026, 4, 3)}


def test_days_in_two_ways_are_refused_with_both() -> None:
    text = exports.GOOGLE.replace("2026-09-02", "13/09/2026")
    assert problems(text) == [
        "The days are written in two ways: “2026-09-01” in line 4, column Day, but “13/09/2026” in line 5, column Day."
    ]


def test_what_a_person_said_never_overrules_what_the_file_says() -> None:
    assert looked(exports.GOOGLE_FRENCH, dates="mdy").dates.value == "dmy"


def test_a_day_of_the_future_points_to_a_wrong_order() -> None:
    text = exports.GOOGLE.replace("2026-09-01", "2026-12-01")
    assert "Line 4, column Day: 2026-12-01 lies in the future." in problems(text)[0]


def test_a_line_about_a_month_is_refused_and_says_how_to_export() -> None:
    text = exports.META_GERMAN.replace("02.09.2026;02.09.2026", "02.09.2026;30.09.2026")
    assert problems(text) == [
        "Line 3, column Berichtsende: The line is about 29 days. Export again by day: Breakdown › Time › Day."
    ]


@pytest.mark.parametrize(
    ("week", "said"), [("Week", "It goes by week."), ("Campaign type", "It sums up its whole period.")]
)
def test_an_export_without_days_says_how_to_get_them(week: str, said: str) -> None:
    text = exports.GOOGLE.replace("Day,Campaign,", f"{week},Campaign,")
    assert problems(text) == [f"No column says the day. {said} Export again with Segment › Time › Day."]


# --- numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "mark", "value"),
    [
        ("1,234.50", ".", "1234.50"),
        ("1.234,50", ",", "1234.50"),
        ("1,23,456.78", ".", "123456.78"),
        ("1'234.50", ".", "1234.50"),
        ("CA$12.34", ".", "12.34"),
        ("12,34 €", ",", "12.34"),
        ("EUR 12.00", ".", "12"),
        ("-5.00", ".", "-5"),
        ("1.234.567", ",", "1234567"),
        ("0.125", ".", "0.125"),
        ("1234.500", ".", "1234.5"),
    ],
)
def test_a_number_that_says_how_it_is_written(cell: str, mark: numbers.Mark, value: str) -> None:
    assert numbers.evidence(cell) == mark
    assert numbers.parse(cell, mark) == Decimal(value)


@pytest.mark.parametrize("cell", ["", "--", " -- ", "-", "—", "N/A"])
def test_nothing_is_zero(cell: str) -> None:
    assert numbers.evidence(cell) == "none"
    assert numbers.parse(cell, ",") == 0


def test_a_thousand_or_one_and_a_bit() -> None:
    assert numbers.evidence("1,234") == "open"
    assert numbers.evidence("1,234", counts=True) == "."
    assert numbers.evidence("1.234", counts=True) == ","
    assert numbers.parse("1,234", ".") == 1234
    assert numbers.parse("1,234", ",") == Decimal("1.234")


def test_numbers_that_could_be_either_are_asked() -> None:
    text = 'Day,Campaign,Currency code,Cost\n2026-09-01,Brand,EUR,"1,234"\n2026-09-02,Brand,EUR,7\n'
    review = looked(text)
    assert (review.ready, review.mark.asks) == (False, True)
    assert "“1,234” in line 2, column Cost" in str(review.problems[0])
    assert spend(ad_file(looked(text, mark="."))) == 1241
    assert spend(ad_file(looked(text, mark=","))) == Decimal("8.234")


def test_numbers_in_two_ways_are_refused_with_both() -> None:
    said = problems(exports.GOOGLE.replace("3.10,40", '"3,10",40'))
    assert "written in two ways" in said[0]
    assert "“12.34” in line 4" in said[0]
    assert "“3,10” in line 6" in said[0]


def test_a_decimal_comma_without_quotes_is_found_by_the_extra_cell() -> None:
    text = "Day,Campaign,Currency code,Cost\n2026-09-01,Brand,EUR,12,34\n"
    assert problems(text)[0].startswith("Line 2: It has more cells than the header has columns (4).")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("3.10,40", "abc,40", "Line 6, column Cost: “abc” is not a number written like 1,234.50."),
        ("3.10,40", "-3.10,40", "Line 6, column Cost: “-3.10”: Spend cannot be less than zero, nor that much."),
        (
            "3.10,40",
            "3.10,40.5",
            "Line 6, column Impr.: “40.5”: Impressions are whole numbers. Is the decimal mark right?",
        ),
        (
            '2026-09-01,"Brand',
            '2026-02-31,"Brand',
            "Line 6, column Day: “2026-02-31” is not a day written like 2026-12-31.",
        ),
    ],
)
def test_what_cannot_be_read_is_named_with_line_and_column(old: str, new: str, said: str) -> None:
    assert problems(exports.GOOGLE.replace(old, new)) == [said]


def test_after_twenty_mistakes_nobody_needs_more() -> None:
    text = "Day,Campaign,Currency code,Cost\n" + "2026-09-01,Brand,EUR,abc\n" * 500
    assert len(problems(text)) == 20


# --- whose figures ----------------------------------------------------------------------------------------------


def test_several_currencies_are_refused() -> None:
    said = problems(exports.GOOGLE.replace("Paused,CAD", "Paused,USD"))
    assert "several currencies" in said[0]
    assert "“CAD” in line 4" in said[0]
    assert "“USD” in line 6" in said[0]


def test_several_accounts_are_refused() -> None:
    text = "Day,Account,Campaign,Currency code,Cost\n2026-09-01,A,Brand,EUR,1.50\n2026-09-01,B,Brand,EUR,1.50\n"
    assert "figures of 2 accounts" in problems(text)[0]


def test_a_currency_that_the_file_does_not_say_is_asked() -> None:
    text = exports.META.replace(" (EUR)", "")
    assert problems(text) == ["The file does not say its currency. Say which it is."]
    review = looked(text, currency="eur")
    assert (review.ready, review.currency.value) == (True, "EUR")
    assert problems(text, currency="euros")


# --- Shopify ----------------------------------------------------------------------------------------------------


def test_an_order_is_taken_from_its_first_line_only() -> None:
    file = order_file(looked(exports.SHOPIFY))
    assert [(o.number, o.id, o.gross_micros, o.refund_micros, o.country) for o in file.orders] == [
        ("#1001", "99001", 59_000_000, 0, "US"),
        ("#1002", "99002", 1_259_000_000, 59_000_000, "CA"),
        ("#1003", "99003", 20_000_000, 0, "US"),
    ]
    assert file.left_out == {
        "further articles of an order": [4],
        "orders that were never paid": [7],
        "cancelled orders": [8],
    }
    assert file.gone == {"#1004", "#1005"}


def test_an_orders_day_is_the_shops() -> None:
    """Half past eleven at night in New York is the next day in Berlin."""
    first = order_file(looked(exports.SHOPIFY)).orders[0]
    assert (first.at, first.day) == (datetime(2026, 5, 2, 3, 30, tzinfo=UTC), date(2026, 5, 1))
    assert order_file(looked(exports.SHOPIFY, timezone="Europe/Berlin")).orders[0].day == date(2026, 5, 2)


def test_a_moment_without_an_offset_is_the_shops() -> None:
    text = exports.SHOPIFY.replace(" -0400", "")
    assert order_file(looked(text)).orders[0].at == datetime(2026, 5, 2, 3, 30, tzinfo=UTC)


def test_customers_are_told_apart_without_their_addresses() -> None:
    read = sheet(exports.SHOPIFY)
    for personal in ("example.com", "Ann", "Main St", "555", "door", "Widget"):
        assert personal not in read.body
    ann, bob, again = (order.customer for order in order_file(looked(exports.SHOPIFY)).orders)
    assert ann == again != bob
    assert shop_orders.customer(bytes(32), "ann@example.com") != ann
    assert {"Billing Name", "Phone", "Notes"} <= set(read.dropped)


def test_orders_in_two_currencies_are_refused() -> None:
    assert "several currencies" in problems(exports.SHOPIFY.replace("USD,20.00", "EUR,20.00"))[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("4.00,59.00,", "4.00,abc,", "Line 2, column Total: “abc” is not an amount written like 1,234.50."),
        (
            "59.00,2026-05-01 23:30:00 -0400",
            "59.00,yesterday",
            "Line 2, column Created at: “yesterday” is not a moment",
        ),
    ],
)
def test_an_order_that_cannot_be_read_is_named(old: str, new: str, said: str) -> None:
    assert problems(exports.SHOPIFY.replace(old, new))[0].startswith(said)


# --- files that are none ----------------------------------------------------------------------------------------


GOOGLE_UTF_16 = "Day\tCampaign\tCost\n2026-09-01\tBrand\t1\n"


@pytest.mark.parametrize(
    ("data", "title"),
    [
        (b"", "The file is empty"),
        (b" \n\n", "The file is empty"),
        (b"PK\x03\x04rest of a workbook", "This is an Excel workbook"),
        (b"\x89PNG\r\n\x00\x00\x00", "This is not a text file"),
        (b"Name,Age\nAnn,7\n", "No export that we know"),
        (b"Campaign,Ad group\nBrand,One\n", "No export that we know"),
        (b"Day,Campaign,Cost\n2026-09-01," + b"x" * 200_000 + b",1\n", "The file is not valid CSV"),
        (b"," * 8_000_000, "The file is not valid CSV"),
        (b"Day,Campaign,Cost\n" + b"," * 8_000_000, "The file is not valid CSV"),
        (b"Day,Campaign,Cost" + b",c" * 100_000 + b"\n", "The file is too wide"),
        (("\ufeff" + GOOGLE_UTF_16).encode("utf-16-le") + b"\x00", "This is not a text file"),
        (("\ufeff" + GOOGLE_UTF_16).encode("utf-16-le") + b"\x00\xd8", "This is not a text file"),
    ],
)
def test_what_is_no_export_says_what_it_is(data: bytes, title: str) -> None:
    began = time.monotonic()
    with pytest.raises(Unreadable) as refused:
        sniff.read(io.BytesIO(data), str)
    assert refused.value.title == title
    assert refused.value.hint
    assert time.monotonic() - began < 2, "while a file is looked at, nobody else is served"


def test_an_export_without_a_line_of_figures_is_nothing_to_save() -> None:
    text = "\n".join(exports.GOOGLE.splitlines()[:3])
    assert problems(text) == ["The file does not say its currency. Say which it is."]
    assert problems(text, currency="EUR") == ["No line is left to save. The period may have no figures."]


def test_a_column_with_a_name_of_its_own_can_be_chosen() -> None:
    text = exports.GOOGLE.replace("Conv. value", "Our value")
    read = sheet(text)
    columns = headers.propose("google", read.header)
    assert "revenue" not in columns
    file = ad_file(looked(text, columns={**columns, "revenue": read.header.index("Our value")}))
    assert sum(day.revenue_micros for day in file.days) == 280 * MICROS
    lacking = {name: at for name, at in columns.items() if name != "spend"}
    assert "No column is chosen for Spend." in problems(text, columns=lacking)


def test_no_header_name_stands_for_two_fields() -> None:
    for aliases in headers.ALIASES.values():
        names = [name for listed in aliases.values() for name in listed]
        assert len(names) == len(set(names))
        assert all(headers.plain(name) == name for name in names)


def test_a_large_file_is_read_in_seconds() -> None:
    lines = [f"2026-09-{day:02d},Campaign {n},{n},EUR,{n}.50,1000,20" for day in range(1, 31) for n in range(700)]
    text = "Day,Campaign,Campaign ID,Currency code,Cost,Impr.,Clicks\n" + "\n".join(lines)
    began = time.monotonic()
    assert len(ad_file(looked(text)).days) == 21_000
    assert time.monotonic() - began < 10


# --- other people's data ----------------------------------------------------------------------------------------


@pytest.mark.skipif(not SEEDS.is_dir(), reason="the shared seeds are not here")
def test_google_figures_of_a_real_account_come_back_as_they_went_in() -> None:
    with (SEEDS / "google_ads_campaign_stats.csv").open() as file:
        rows = list(csv.DictReader(file))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows(
        [["Campaign report"], ["All time"], ["Day", "Campaign", "Campaign ID", "Currency code", "Cost", "Clicks"]]
    )
    for row in rows:
        writer.writerow([row["date"], row["id"], row["id"], "EUR", int(row["cost_micros"]) / MICROS, row["clicks"]])
    found = ad_file(looked(out.getvalue()))
    assert sum(d.spend_micros for d in found.days) == sum(int(row["cost_micros"]) for row in rows)
    assert sum(d.clicks for d in found.days) == sum(int(row["clicks"]) for row in rows)


@pytest.mark.parametrize(
    ("cell", "order"), [("2026-09-01", "ymd"), ("1/9/2026", "dmy"), ("2026-09-01 00:00:00", "ymd")]
)
def test_days_as_they_are_written(cell: str, order: days.Order) -> None:
    assert days.parse(cell, order) == date(2026, 9, 1)
