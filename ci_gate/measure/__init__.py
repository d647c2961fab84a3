"""Measuring: puts the load on and writes evidence. Decides nothing."""

AWAITED_HOST = "-"
"""As Locust's host: the recorder reads a `Target` from standard input, once the service is ready.

Importing Locust takes as long as many a service takes to start, so both get ready at once. And the URL may
hold credentials, which a command line or an environment would show to others.
"""
