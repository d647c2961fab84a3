"""ci-gate: decides on every pull request whether a web service may merge under load."""

__version__ = "1.0.0"
