"""Recovery: which traders fail too often, and what is to be done with them.

In: faults and clean cycles. Out: circuits, the error book, modes for the control state, notices.
"""
