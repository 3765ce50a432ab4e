"""Empty on purpose: importing the core (webapp.llm, webapp.chat.turn) must not pull in Flask."""
