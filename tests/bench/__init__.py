"""The benchmark: `./scripts/bench`. Each target stands beside its measurement; one run has both sides of a
comparison."""
