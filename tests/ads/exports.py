"""Exports in the shapes that Meta, Google and Shopify give, written here; and a quick way to read one."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date
from typing import Any

from webapp.ads.imports import shop_orders, sniff
from webapp.ads.imports.choices import Choices
from webapp.ads.imports.review import Review, review
from webapp.ads.imports.sniff import Sheet

TODAY = date(2026, 11, 24)
KEY = bytes(range(32))

META = """\
Campaign name,Campaign ID,Day,Campaign delivery,Amount spent (EUR),Impressions,Reach,Frequency,Link clicks,Results,\
Result indicator,Purchases,Purchases conversion value,Purchase ROAS (return on ad spend),Reporting starts,Reporting ends
,,,,36.50,3000,2400,1.25,60,3,,3,180.50,4.94,2026-09-01,2026-09-30
Brand,1201,2026-09-01,active,12.50,1000,900,1.11,20,1,actions:purchase,1,60.50,4.84,2026-09-01,2026-09-30
Brand,1201,2026-09-02,active,24.00,2000,1500,1.33,40,2,actions:purchase,2,120.00,5.00,2026-09-01,2026-09-30
"""

META_GERMAN = """\
Name der Kampagne;Berichtsstart;Berichtsende;Ausgegebener Betrag (EUR);Impressionen;Link-Klicks;Käufe;\
Conversion-Wert von Käufen;CPM (Kosten pro 1.000 Impressionen)
Märkte & Mehr;01.09.2026;01.09.2026;1.234,50;12.345;20;1;60,5;100,00
Märkte & Mehr;02.09.2026;02.09.2026;0,5;1.345;2;0;;0,37
"""

META_FRENCH = """\
Nom de la campagne,Nom de l’ensemble de publicités,Jour,Montant dépensé (CAD),Impressions,Clics sur un lien,Achats,\
Valeur de conversion des achats
Rentrée,Femmes,2026-09-01,10.25,900,12,1,49.00
Rentrée,Hommes,2026-09-01,5.00,400,3,0,
Rentrée,All,2026-09-01,15.25,1300,15,1,49.00
"""

META_SPANISH = """\
Nombre de la campaña,Día,Edad,Importe gastado (COP),Impresiones,Clics en el enlace,Compras,\
Valor de conversión de compras
Navidad,2026-09-01,18-24,12000,500,9,1,80000
Navidad,2026-09-01,25-34,30000,700,11,1,95000
Navidad,2026-09-01,All,42000,1200,20,2,175000
"""

GOOGLE = """\
Campaign report
"September 1, 2026 - September 3, 2026"
Day,Campaign,Campaign ID,Campaign status,Currency code,Cost,Impr.,Clicks,CTR,Avg. CPC,Conversions,Conv. value,\
Cost / conv.
2026-09-01,Spring Roofs & Gutters,12345678901,Enabled,CAD,12.34,"1,234",7,0.57%,1.76,1.00,80.00,12.34
2026-09-02,Spring Roofs & Gutters,12345678901,Enabled,CAD,"1,020.50","10,500",88,0.84%,11.60,2.50,200.00,408.20
2026-09-01,"Brand, exact",22222222222,Paused,CAD,3.10,40,2,5.00%,1.55,0.00, --, --
Total: Account,--,--,--,CAD,"1,035.94","11,774",97,0.82%,10.68,3.50,280.00,295.98
Total: Search,--,--,--,CAD,"1,035.94","11,774",97,0.82%,10.68,3.50,280.00,295.98
"""

GOOGLE_GERMAN = """\
Kampagnenbericht
"1. September 2026 - 2. September 2026"
Tag,Kampagne,Währungscode,Kosten,Impr.,Klicks,Conversions,Conv.-Wert,Conv.-Wert/Kosten
2026-09-01,Dach Frühling,USD,"1.234,56","12.345",120,"3,00","400,00","0,32"
2026-09-02,Dach Frühling,USD,"99,90",900,9,"0,50","40,00","0,40"
Gesamt: Konto,--,USD,"1.334,46","13.245",129,"3,50","440,00","0,33"
"""

GOOGLE_FRENCH = """\
Rapport sur les campagnes
"1 sept. 2026 - 13 sept. 2026"
Jour;Campagne;Code de la devise;Coût;Impr.;Clics;Conversions;Valeur de conv.
13/09/2026;Toitures;CAD;12,34;1\u202f234;7;1,00;90,00
02/09/2026;Toitures;CAD;1\u00a0020,50;10\u202f500;88;2,50;--
Total : compte;--;CAD;1\u00a0032,84;11\u202f734;95;3,50;90,00
"""

GOOGLE_SPANISH = """\
Informe de campañas
1 de septiembre de 2026 - 2 de septiembre de 2026
Día\tCampaña\tEstado de la campaña\tCódigo de moneda\tCoste\tImpr.\tClics\tConversiones\tValor de conv.
2026-09-01\tOtoño\tHabilitada\tEUR\t1.020,50\t10.500\t88\t2,50\t200,00
Total: cuenta\t--\t--\tEUR\t1.020,50\t10.500\t88\t2,50\t200,00
"""

SHOPIFY = """\
Name,Email,Financial Status,Paid at,Fulfillment Status,Currency,Subtotal,Shipping,Taxes,Total,Created at,\
Lineitem quantity,Lineitem name,Lineitem price,Billing Name,Billing Street,Shipping Country,Notes,Cancelled at,\
Refunded Amount,Id,Phone
#1001,Ann@Example.com,paid,2026-05-01 23:31:00 -0400,fulfilled,USD,50.00,5.00,4.00,59.00,2026-05-01 23:30:00 -0400,1,\
Widget,30.00,Ann Lee,1 Main St,US,"Leave it
at the door",,0.00,99001,+1 555 0100
#1001,Ann@Example.com,,,,,,,,,2026-05-01 23:30:00 -0400,2,Gadget,10.00,,,,,,,,
#1002,bob@example.com,partially_refunded,2026-05-02 09:31:00 -0400,fulfilled,USD,"1,250.00",5.00,4.00,"1,259.00",\
2026-05-02 09:30:00 -0400,1,Widget,1250.00,Bob Ray,2 Main St,CA,,,59.00,99002,
#1003,ann@example.com ,paid,2026-06-03 09:31:00 -0400,,USD,20.00,0,0,20.00,2026-06-03 09:30:00 -0400,1,Widget,20.00,\
Ann Lee,1 Main St,US,,,0.00,99003,
#1004,cy@example.com,voided,,,USD,9.00,0,0,9.00,2026-06-04 09:30:00 -0400,1,Widget,9.00,Cy Poe,3 Main St,US,,,0,99004,
#1005,di@example.com,refunded,2026-06-05 09:31:00 -0400,,USD,9.00,0,0,9.00,2026-06-05 09:30:00 -0400,1,Widget,9.00,\
Di Fox,4 Main St,US,,2026-06-06 10:00:00 -0400,9.00,99005,
"""


def sheet(text: str, encoding: str = "utf-8-sig") -> Sheet:
    return sniff.read(io.BytesIO(text.encode(encoding)), lambda email: shop_orders.customer(KEY, email))


def looked(text: str, encoding: str = "utf-8-sig", **choices: Any) -> Review:
    """The file as it would be saved, the account's time zone being New York's."""
    read = sheet(text, encoding)
    return review(read, replace(Choices.of(read, {}), **{"timezone": "America/New_York", **choices}), today=TODAY)


def problems(text: str, **choices: Any) -> list[str]:
    return [str(problem) for problem in looked(text, **choices).problems]
