"""What a section measures with: processes, markets, loads, and the rivals."""
