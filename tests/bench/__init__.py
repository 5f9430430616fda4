"""The benchmark: `./scripts/bench`. Every target beside its measurement, both sides of a comparison in one run."""
