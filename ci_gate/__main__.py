"""``python -m ci_gate`` is ``ci-gate``."""

from ci_gate.cli.main import run_cli

if __name__ == "__main__":
    run_cli()
