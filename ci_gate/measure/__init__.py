"""Measuring: puts the load on and writes evidence. Decides nothing."""
