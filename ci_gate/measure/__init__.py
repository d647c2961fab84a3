"""Measuring: puts the load on and writes evidence. Decides nothing."""

AWAITED_HOST = "-"
"""As Locust's host: the recorder reads the service's URL from standard input, once there is one.

Importing Locust takes as long as many a service takes to start, so both get ready at once. And the URL may
hold credentials, which a command line or an environment would show to others.
"""
