"""Markdown of every construct, written for these tests: what streaming must turn into what a single render gives."""

from __future__ import annotations

PARAGRAPHS = [
    "One line.",
    "Two lines\nof one paragraph.",
    "Two\n\nparagraphs.",
    "\n\n   leading blank lines and three spaces",
    "trailing spaces make a break  \nhere",
    "a backslash makes one\\\ntoo",
    "tabs\tin\ttext",
    "Ünïcödé, 日本語, emoji 👩‍🚀 and \u2028 a line separator",
    "windows\r\nline ends\r\n\r\nand old\rmac ones",
    "nul \0 and a lone \ud83d surrogate",
    "entities &amp; &copy; &#x41; &#0; &nosuch; &lt;b&gt;",
    "escapes \\* \\_ \\` \\[ \\] \\# \\\\ \\a",
    "12 monkeys\n3.14 is pi\n100 %",
    "",
    "   ",
]
HEADINGS = [
    "# One\n\ntext",
    "# One\ntext right below",
    "### Three\n# One\n## Two\n#### Four\n## Two again",
    "###### Six\n####### seven is text",
    "#hashtag is text\n#",
    "# closed # \n## closed too ##",
    "Setext one\n===\n\nSetext two\n---",
    "two lines\nof setext\n---\nafter",
    "text\n-\ntext",
    "# *emphasis* and `code`",
    "> # quoted heading\n\n- # heading in a list\n\n## after both",
]
RULES = [
    "---",
    "***",
    "_ _ _\ntext",
    "text\n***\ntext",
    "***bold and italic*** is no rule",
    "- - -\n- item",
    "text\n\n---\n",
]
EMPHASIS = [
    "*em* **strong** ***both*** _em_ __strong__",
    "**strong *em inside* strong**",
    "*em **strong inside** em*",
    "snake_case_name and 2 * 3 * 4",
    "**open for ever",
    "*open\n\nnext paragraph*",
    "~~gone~~ and ~one~",
    "**bold**text and *it*alic",
    "**bold:**no space",
    "a ** b ** c",
    "*a `code*` b*",
    "__foo bar __\n\n-\n\n  foo",
]
CODE_SPANS = [
    "`code`",
    "``a ` b``",
    "` `` `",
    "`open for ever",
    "`a\nb`",
    "`<b>&amp;`",
    "`**no bold**` after",
    "it`s an apostrophe",
]
LINKS = [
    "[text](https://example.com)",
    "[text](https://example.com 'title')",
    "[**bold** text](https://example.com/a_(b))",
    "[text](<https://example.com/a b>)",
    "[text]( https://example.com ) after",
    "[no\ntarget",
    "[half](https://exam",
    "[brackets [inside] text](https://example.com)",
    "[relative](/settings) and [fragment](#top)",
    "[mail](mailto:alice@example.com) alice@example.com",
    "<https://example.com> and <alice@example.com>",
    "https://example.com/path?a=1&b=2#c, then more",
    "see (https://example.com) and www.example.com and main.py",
    "[1] is a footnote, [ ] a box, [x] a done one",
    "![alt *text*](https://example.com/a.png) after",
    "[![alt](https://example.com/a.png)](https://example.com)",
]
REFERENCES = [
    "[a]: https://example.com\n\nsee [a] and [text][a]",
    "see [a] and [text][a]\n\n[a]: https://example.com",
    "see [a]\n\n[a]: https://example.com\n'a title'\n\nafter [a]",
    "text\n\n[a]: https://example.com\n'not a title\n\nsee [a]",
    "[a]:\nhttps://example.com\n\n# [a]",
    "[a]: https://one.example\n[a]: https://two.example\n\n[a]",
    "> [a]: https://example.com\n\n[a] from a quote",
    "- item [a]\n\n  [a]: https://example.com\n\n[a]",
    "one [a]\n\ntwo\n\n- three [a]\n\n```\n[a]\n```\n\n[a]: https://example.com",
    "see [b]\n\n```py\nx\n```\n\n[b]: https://example.com",
]
LISTS = [
    "- one\n- two\n- three",
    "* one\n* two\n\n- another list",
    "+ loose\n\n+ list\n\n+ it is",
    "- tight\n- then\n\n- loose",
    "1. one\n2. two\n10. ten",
    "7. starts at seven\n8. eight",
    "1) one\n2) two\n\n1. new list",
    "text\n1. interrupts\ntext\n2. does not",
    "- a\n  - b\n    - c\n      - d\n- e",
    "1. one\n   - inner\n   - inner\n2. two\n\n   second paragraph\n3. three",
    "- item\n\n  paragraph\n\n      indented code\n\n  > quote\n- next",
    "- lazy\ncontinuation\n- next",
    "-\n- empty before\n-",
    "- a\n\n\n- b after two blanks\n\n\ntext",
    "- [ ] task\n- [x] done",
    "- code:\n  ```python\n  x = 1\n  ```\n- after",
    "1. step\n\n   ```sh\n   make run\n   ```\n\n2. step\n\n   ```\n   open for ever",
    "- **bold** item\n- `code` item\n- [link](https://example.com) item",
    "\n4\n\n- a\n\n4. b",
]
QUOTES = [
    "> one\n> two",
    "> lazy\ncontinuation",
    "> outer\n>> inner\n> outer again",
    "> - list\n> - in quote\n\nafter",
    "> ```\n> code\n> ```\n> text",
    ">\n> starts empty",
    "text\n> interrupts\n\ntext",
    "> | a | b |\n> |---|---|\n> | 1 | 2 |",
]
TABLES = [
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "| left | mid | right |\n|:--|:-:|--:|\n| 1 | 2 | 3 |\n| 4 | 5 | 6 |\n\nafter",
    "a | b\n--|--\n1 | 2\n3 | 4",
    "| `a|b` | **c** |\n|---|---|\n| \\| | [x](https://example.com) |",
    "| more | cells |\n|---|---|\n| 1 | 2 | 3 |\n| 1 |",
    "text\n| a | b |\n|---|---|\n| 1 | 2 |",
    "| not | a table |\n| no | delimiter |",
    "| a |\n|---|\n| 1 |\ntext joins the table\n\n> ends it",
    "| a | b |\n|---|---|\n\nempty table",
    "- | a | b |\n  |---|---|\n  | 1 | 2 |\n- next",
]
CODE = [
    "```python\nprint('hello')\n```",
    "```python\ndef f():\n    '''a string\n    over lines'''\n    return 1\n```\n\nafter",
    "```\nplain\n```",
    '~~~ts title="a.ts"\nconst a: number = 1\n~~~',
    "````md\n```\ninner\n```\n````\nafter",
    "```nosuchlanguage\n<script>alert(1)</script>\n```",
    "```js\nopen for ever\nlet a = 1",
    "```js\nends at the fence\n```",
    "```js\n```",
    "```js",
    "  ```py\n  dedented\n    kept\n\tb\n  ```",
    "```\n\n\nblank lines\n\n\n```",
    "```sh\n`` not the end\n``` nor this\n```` \nafter",
    "text\n```py\nx = 1\n```\ntext",
    "```code``` is inline",
    "    indented\n    code\n\n    goes on\n\ntext",
    "\tindented by a tab\n",
    '```html\n<div class="b" id="x">&amp;</div>\n```',
    "```diff\n- old\n+ new\n```",
    "```sql\nselect *\nfrom t -- comment\nwhere a = 'b'\n```\n```json\n{\"a\": [1, true, null]}\n```",
    '```py\n"""never closed\nx = 1\n```\n',
    "```python\n# " + "é" * 50 + "\n\tx\u2028y\x0bz\n```",
]
RAW_HTML = [
    "<b>bold</b>",
    "<div>\n\n*em*\n\n</div>",
    "<!-- comment -->\ntext",
    "a <br> b",
    "<details>\n<summary>s</summary>\n\ntext\n</details>",
]

CASES = [
    *(PARAGRAPHS + HEADINGS + RULES + EMPHASIS + CODE_SPANS + LINKS),
    *(REFERENCES + LISTS + QUOTES + TABLES + CODE + RAW_HTML),
]

ANSWER = '''## What happened last week

Your **search campaigns** spent *$12,430* and brought in `1,204` conversions, which is **14 % more** than the week
before. The main driver was [brand search](https://ads.example.com/brand), where the cost per click fell.

| Campaign | Spend | Clicks | CPA |
|:---------|------:|-------:|----:|
| Brand    | $4,120 | 8,211 | $3.10 |
| Generic  | $6,310 | 5,007 | $11.92 |
| Retarget | $2,000 | 2,113 | $6.40 |

### Why

1. The *auction* got cheaper: two competitors paused.
2. The new landing page loads in **0.9 s** instead of 2.4 s.
   - on mobile the difference is bigger
   - on desktop it is small
3. You moved budget from `Display` to `Search`.

> Numbers of the last two days are still provisional; conversions arrive with a delay of up to 72 hours.

Here is the query I used:

```sql
select campaign, sum(cost) as spend, sum(clicks) as clicks,
       sum(cost) / nullif(sum(conversions), 0) as cpa
from ad_stats
where day between '2026-11-16' and '2026-11-22'
group by campaign
order by spend desc;
```

And a small script that does the same every Monday:

```python
from datetime import date, timedelta

def last_week(today: date) -> tuple[date, date]:
    """Monday to Sunday of the week before `today`."""
    monday = today - timedelta(days=today.weekday() + 7)
    return monday, monday + timedelta(days=6)
```

Next steps: raise the *Brand* budget by **10 %**, and ~~pause~~ keep *Generic* until Friday. Say "go", and I prepare it.
'''
"""An answer as a model writes them: about 450 tokens."""
