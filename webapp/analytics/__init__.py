"""Analytics: named, read-only questions ("pipes") about a workspace's ads and its shop. source.py asks them."""
