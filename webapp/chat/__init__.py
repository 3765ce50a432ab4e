"""Turns: asking a model, keeping what it says, and telling everyone who watches. No HTTP, no HTML."""
