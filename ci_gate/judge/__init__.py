"""Judging: pure functions from thresholds and evidence to a verdict. No clock, no randomness, no I/O."""
