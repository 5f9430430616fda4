"""Feature flags: the document, where it comes from, and the rules that apply now.

In: operators' changes, a file or a provider, time. Out: rules for the control state, and the history of changes.
"""
