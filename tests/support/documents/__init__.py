"""The documents and what they must say."""
