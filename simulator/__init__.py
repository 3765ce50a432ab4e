"""A local stand-in that speaks the providers' wire formats. Never imported by webapp."""
