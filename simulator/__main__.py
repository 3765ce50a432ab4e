"""`python -m simulator --port 8089`: the stand-in as a process of its own."""

from __future__ import annotations

import argparse

from simulator.server import Pace, serve


def main() -> None:
    parser = argparse.ArgumentParser(prog="simulator", description="Stands in for AI providers, with canned answers.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8089, help="0 lets the system choose (default: 8089)")
    parser.add_argument("--first", type=float, default=300, help="milliseconds before the first byte (default: 300)")
    parser.add_argument("--delay", type=float, default=1000 / 60, help="milliseconds a token (default: 16.7)")
    given = parser.parse_args()
    serve(given.host, given.port, Pace(given.first / 1000, given.delay / 1000))


if __name__ == "__main__":
    main()
