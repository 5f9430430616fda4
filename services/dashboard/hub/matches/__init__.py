"""What matches now, by trader and symbol.

In: match sets and signals in their order. Out: windows of the table, sorted and filtered; the newest signals.
"""
