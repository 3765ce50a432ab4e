"""gunicorn's entry: gevent patches first, then the app."""

from gevent import monkey

monkey.patch_all()

from webapp.app import create_app  # noqa: E402

app = create_app()
