"""What the columns of exports are called, in English, German, French and Spanish; and why some are left out.

Names are compared without case, accents and the currency behind them: "Importe gastado (EUR)" is "importe gastado" and
says EUR. Where an export has two columns for a field, the one that stands first here is taken. The names were seen in
exports and in the alias tables of other importers; a column with another name is mapped by the person.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, get_args

Kind = Literal["meta", "google", "shopify"]
KINDS: tuple[Kind, ...] = get_args(Kind)
KIND_NAMES: dict[Kind, str] = {"meta": "Meta Ads Manager", "google": "Google Ads", "shopify": "Shopify orders"}

Aliases = Mapping[str, tuple[str, ...]]  # field -> names of its column, the best first

META: Aliases = {
    "day": (
        "day", "tag", "jour", "dia", "fecha", "date", "datum",
        "reporting starts", "berichtsstart", "auswertungsbeginn", "debut des rapports", "inicio del informe",
    ),
    "day_end": ("reporting ends", "berichtsende", "auswertungsende", "fin des rapports", "fin del informe"),
    "campaign": (
        "campaign name", "name der kampagne", "kampagnenname", "nom de la campagne", "nombre de la campana", "campaign",
    ),
    "campaign_id": (
        "campaign id", "kampagnen-id", "id der kampagne", "numero de campagne", "id de la campagne",
        "identificador de la campana", "id de la campana",
    ),
    "adset": (
        "ad set name", "name der anzeigengruppe", "anzeigengruppenname", "nom de l'ensemble de publicites",
        "nombre del conjunto de anuncios",
    ),
    "adset_id": (
        "ad set id", "anzeigengruppen-id", "id der anzeigengruppe", "id de l'ensemble de publicites",
        "identificador del conjunto de anuncios", "id del conjunto de anuncios",
    ),
    "ad": ("ad name", "name der anzeige", "anzeigenname", "nom de la publicite", "nombre del anuncio"),
    "ad_id": (
        "ad id", "anzeigen-id", "id der anzeige", "id de la publicite", "identificador del anuncio", "id del anuncio",
    ),
    "status": (
        "campaign delivery", "auslieferung der kampagne", "kampagnenauslieferung", "diffusion de la campagne",
        "entrega de la campana",
    ),
    "currency": ("currency", "wahrung", "devise", "divisa", "moneda"),
    "account": ("account name", "kontoname", "name des werbekontos", "nom du compte", "nombre de la cuenta"),
    "spend": ("amount spent", "ausgegebener betrag", "montant depense", "importe gastado"),
    "impressions": ("impressions", "impressionen", "impresiones"),
    "clicks": (
        "link clicks", "link-klicks", "clics sur un lien", "clics sur le lien", "clics en el enlace",
        "clicks (all)", "klicks (alle)", "clics (tous)", "clics (todos)",
    ),
    "orders": (
        "purchases", "kaufe", "achats", "compras", "website purchases", "website-kaufe", "achats sur le site web",
        "compras en el sitio web",
    ),
    "revenue": (
        "purchases conversion value", "purchase conversion value", "conversion-wert von kaufen",
        "conversion-wert fur kaufe", "conversion-wert der kaufe", "valeur de conversion des achats",
        "valor de conversion de compras", "website purchases conversion value", "conversion-wert fur website-kaufe",
    ),
}  # fmt: skip

GOOGLE: Aliases = {
    "day": ("day", "tag", "jour", "dia", "date", "datum", "fecha"),
    "campaign": ("campaign", "kampagne", "campagne", "campana"),
    "campaign_id": (
        "campaign id", "kampagnen-id", "id de campagne", "id de la campagne", "id de campana", "id de la campana",
    ),
    "adset": ("ad group", "anzeigengruppe", "groupe d'annonces", "grupo de anuncios"),
    "adset_id": (
        "ad group id", "anzeigengruppen-id", "id du groupe d'annonces", "id de groupe d'annonces",
        "id del grupo de anuncios", "id de grupo de anuncios",
    ),
    "status": (
        "campaign status", "kampagnenstatus", "status der kampagne", "etat de la campagne", "estado de la campana",
    ),
    "currency": (
        "currency code", "wahrungscode", "code de la devise", "code de devise", "code devise", "codigo de moneda",
        "codigo de la moneda", "moneda",
    ),
    "account": ("account", "account name", "konto", "kontoname", "compte", "nom du compte", "cuenta"),
    "spend": ("cost", "kosten", "cout", "coste", "costo"),
    "impressions": ("impr.", "impressions", "impressionen", "impresiones"),
    "clicks": ("clicks", "klicks", "clics"),
    "orders": ("conversions", "conv.", "conversiones"),
    "revenue": (
        "conv. value", "total conv. value", "conversion value", "conv.-wert", "conversion-wert", "valeur de conv.",
        "valeur conv.", "valeur de conversion", "valor de conv.", "valor conv.", "valor de conversion",
    ),
}  # fmt: skip

SHOPIFY: Aliases = {  # always in English
    "name": ("name",),
    "id": ("id",),
    "created": ("created at",),
    "currency": ("currency",),
    "total": ("total",),
    "refunded": ("refunded amount",),
    "cancelled": ("cancelled at",),
    "status": ("financial status",),
    "email": ("email",),
    "country": ("shipping country", "billing country"),
}

ALIASES: dict[Kind, Aliases] = {"meta": META, "google": GOOGLE, "shopify": SHOPIFY}
REQUIRED: dict[Kind, tuple[str, ...]] = {
    "meta": ("day", "campaign", "spend"),
    "google": ("day", "campaign", "spend"),
    "shopify": ("name", "created", "total"),
}
MONEY = ("spend", "revenue", "total", "refunded")
COUNTS = ("impressions", "clicks")
NUMBERS = (*MONEY, *COUNTS, "orders")
LABELS = {
    "day": "Day", "day_end": "Last day of the row", "campaign": "Campaign", "campaign_id": "Campaign ID",
    "adset": "Ad set or ad group", "adset_id": "Ad set or ad group ID", "ad": "Ad", "ad_id": "Ad ID",
    "status": "Status", "currency": "Currency", "account": "Account", "spend": "Spend", "impressions": "Impressions",
    "clicks": "Clicks", "orders": "Orders", "revenue": "Revenue", "name": "Order number", "id": "Order ID",
    "created": "Ordered at", "total": "Total", "refunded": "Refunded", "cancelled": "Cancelled at",
    "email": "E-mail (hashed)", "country": "Country",
}  # fmt: skip

BREAKDOWNS = frozenset((
    "age", "alter", "edad", "gender", "geschlecht", "sexe", "sexo", "genero", "region", "country", "land", "pays",
    "pais", "placement", "platzierung", "ubicacion", "platform", "plattform", "plateforme", "plataforma",
    "device platform", "gerateplattform", "plateforme de l'appareil", "plataforma del dispositivo", "impression device",
    "device", "gerat", "appareil", "dispositivo", "network", "netzwerk", "reseau", "red",
    "network (with search partners)", "hour of day", "hour of the day", "tageszeit", "time of day",
))  # fmt: skip
ALL = frozenset(("all", "alle", "alles", "tous", "toutes", "todos", "todas", "all (default)"))
TOTAL = re.compile(r"(?:total|gesamt|gesamtsumme|summe|total general|total general)\s*(?:[:：].*)?")
COARSER = frozenset((
    "week", "woche", "semaine", "semana", "month", "monat", "mois", "mes", "quarter", "quartal", "trimestre",
    "year", "jahr", "annee", "ano",
))  # fmt: skip

CURRENCY_BEHIND = re.compile(r"\s*\(([A-Z]{3})\)\s*$")
RATIO = re.compile(
    r"%|\b(?:ctr|cpc|cpm|cpa|cpv|cpp|roas|rate|ratio|avg|average|frequency|frequenz|frecuencia|repetition|taux|tasa|"
    r"durchschn|prom|moy)\b|(?:cost|kosten|cout|coste|costo) (?:per|pro|par|por)|/"
)
UNIQUE = re.compile(r"\b(?:reach|reichweite|couverture|alcance|unique|eindeutig\w*)\b")
RESULTS = re.compile(r"result|ergebnis|objective|ziel\b")
BUDGET = re.compile(r"budget|presupuesto|bid |gebot|enchere|puja")


@lru_cache(maxsize=1 << 12)  # the same few names and days come in every line
def plain(name: str) -> str:
    """How names are compared: lower case, no accents, one kind of apostrophe, no currency behind."""
    name = CURRENCY_BEHIND.sub("", name)
    flat = unicodedata.normalize("NFKD", name.replace("’", "'").replace("ß", "ss"))
    return " ".join("".join(c for c in flat if not unicodedata.combining(c)).casefold().split())


def currency_of(name: str) -> str:
    """The currency that stands behind a name: "Amount spent (EUR)"; empty if none does."""
    found = CURRENCY_BEHIND.search(name)
    return found[1] if found else ""


def recognised(cells: Sequence[str]) -> tuple[Kind | None, int]:
    """Whose export a line could be the header of, and how many of its columns we know. None: of nobody's.

    A header has what its export cannot do without (a day may be missing: then that is what is said of the file).
    """
    found = {kind: propose(kind, cells) for kind in KINDS}
    fit = [(len(found[kind]), kind) for kind in KINDS if {*REQUIRED[kind]} - {"day"} <= found[kind].keys()]
    best, kind = max(fit, default=(0, None))
    return (kind, best) if best >= 3 else (None, 0)


def propose(kind: Kind, header: Sequence[str]) -> dict[str, int]:
    """Field -> column. A reporting range is only asked about where no column says the day."""
    names = [plain(name) for name in header]
    found: dict[str, int] = {}
    for field, aliases in ALIASES[kind].items():
        at = next((names.index(alias) for alias in aliases if alias in names), None)
        if at is not None:
            found[field] = at
    if "day_end" in found and not _starts(names, found):
        del found["day_end"]
    return found


def _starts(names: Sequence[str], found: Mapping[str, int]) -> bool:
    return "day" in found and names[found["day"]] in META["day"][-5:]


def why_left_out(name: str) -> str:
    """Why a column that no field takes is not needed, in words for the person."""
    flat = plain(name)
    if flat in COARSER:
        return "Longer than a day"
    if UNIQUE.search(flat):
        return "People cannot be added up over days or campaigns"
    if flat in BREAKDOWNS:
        return "A breakdown: its rows are added up"
    if RATIO.search(flat):
        return "A ratio: computed again from the sums"
    if RESULTS.search(flat):
        return "May count leads or clicks; choose Orders if it counts purchases"
    if BUDGET.search(flat):
        return "A file does not say since when it holds"
    return "Not needed"
