"""Commands on feature flags and their experiments.

In: a feature flag and the wanted change. Out: changes, explanations, comparisons.
"""
