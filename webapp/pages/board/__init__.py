"""The board of /dashboard/analytics as values: what its URL asks for, its panels, and what each of them shows.

    asked   the URL            sight   what a panel sees, and what stands under its figures
    panels  the eight records  tiles, course, breakdowns, story   what they draw

Every figure comes from a pipe's answer (analytics/source.py). Nothing is added up here that a pipe did not add up, but
for the claims of ad platforms, whose rows the sentence above the table is about.
"""
