"""The price of the whole path, measured: provider's bytes, log, database, HTML, reader. `make bench` runs it."""
