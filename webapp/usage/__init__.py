"""What calls use and cost, and what they may: prices.py (arithmetic), ledger.py (the entries), budgets.py (limits)."""
