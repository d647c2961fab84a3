"""All that ci-gate asks of GitHub's REST API. Nothing else in the package talks to GitHub."""
