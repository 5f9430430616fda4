"""What drives a part of the engine, or all of it, for a test."""
