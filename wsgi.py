"""gunicorn's entry: gevent patches first, then the app. Unfit settings end it with a sentence, not a traceback."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402

from webapp.app import create_app  # noqa: E402
from webapp.config import SettingsError  # noqa: E402

CANNOT_LOAD = 4  # gunicorn reads this exit status as "this app cannot load" and does not try again

try:
    app = create_app()
except SettingsError as wrong:
    print(f"Not started. {wrong}", file=sys.stderr)
    raise SystemExit(CANNOT_LOAD) from None
