"""The collector: rebuilds every trader's match set, journals and publishes what changes, takes operators' commands."""
