"""Markets, recordings and trader files to test with."""
