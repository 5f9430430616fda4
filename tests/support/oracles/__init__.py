"""The same results, computed another way: plain models and brute force."""
