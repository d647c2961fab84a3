"""Measuring: puts the load on and writes evidence. Decides nothing."""

HOST_VARIABLE = "CI_GATE_HOST"
"""Tells the recorder the service's URL with its credentials: a command line can be read by others."""
