"""Ad accounts: what we know of them, where it comes from, and what may be changed in them."""
