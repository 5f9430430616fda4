"""Recordings: what their rows must hold, and how they are written. Reading them is the feed's."""
