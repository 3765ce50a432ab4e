"""Maxxer's six tools, in the order that is part of the cached prefix. Each lives in a module of its own concern."""

from __future__ import annotations

from webapp.tools import Toolbox, accounts, campaigns, changing, metrics

MAXXER = Toolbox((campaigns.LIST, campaigns.INSIGHTS, accounts.INSIGHTS, metrics.METRICS, *changing.CHANGING))
