"""Files that people export from Meta Ads Manager, Google Ads and Shopify, on their way into our tables.

    bytes --sniff--> Sheet --propose, survey--> Review (what would be saved, and what is asked) --keep--> rows

sniff.py      encoding, delimiter, where the header is; drops and hashes what is about people
headers.py    what columns are called, in four languages, and why some are left out
numbers.py, days.py    how a whole file writes its numbers and its days
choices.py    what a person may correct between looking and saving
survey.py     the first pass over all lines: the evidence for how the file is written
ad_days.py, shop_orders.py    the second pass: lines to days of campaigns, lines to orders
review.py     both passes put together, with what is in the way
uploads.py    files between two requests (SQL).   keeping.py, orders.py    what is saved (SQL)

Everything but the last line is pure. Nothing is guessed where a guess could be wrong: it is asked.
"""
