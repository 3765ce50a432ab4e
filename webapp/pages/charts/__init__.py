"""Charts as values: what is drawn where, and the table behind it. templates/charts/_draw.html makes SVG and HTML of it.

    {% import "charts/_draw.html" as charts with context %}
    {{ charts.draw(chart) }}            a line, columns, bars, a share, a funnel or cohorts
    {{ charts.spark(sparkline) }}       a trend in a cell of a table

A drawing has no width of its own. Places along it are percent of the plot, paths are in thousandths of it (WIDE) and
are stretched by the browser with strokes that keep their weight; heights are pixels, and text has the size of text. So
the same markup fits a phone, the drawer, a page and paper, and no label ever shrinks. Where there is little room the
stylesheet leaves out every second mark of the axis.

Colours are classes (s0 ... s5); each series also has a shape of its own, which the legend repeats. A None is a gap and
a dash, never a zero. `id` names the chart on its page: letters, digits, hyphens. Money is in units of its currency.
"""

from webapp.pages.charts.cohorts import Cohort, CohortChart, cohorts
from webapp.pages.charts.overtime import Series, TimeChart, columns, line
from webapp.pages.charts.rows import Bar, RowChart, bars, funnel
from webapp.pages.charts.shares import ShareChart, share
from webapp.pages.charts.sparks import Spark, spark
from webapp.pages.charts.toolresult import Chart, from_result

__all__ = [
    "Bar",
    "Chart",
    "Cohort",
    "CohortChart",
    "RowChart",
    "Series",
    "ShareChart",
    "Spark",
    "TimeChart",
    "bars",
    "cohorts",
    "columns",
    "from_result",
    "funnel",
    "line",
    "share",
    "spark",
]
