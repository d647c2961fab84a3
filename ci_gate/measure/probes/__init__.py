"""Probes: what the servers behind the service say of themselves, once a second beside the load.

A reading (`ProbeReading`) is a line of probes.jsonl; `PROBE_KINDS` lists what each probe reads.
statements.jsonl has what the statements of the database took, where pg_stat_statements is there.
probes.log says what could not be had and why.
"""

from ci_gate.measure.probes.probing import run_probes
from ci_gate.measure.probes.targets import NO_PROBES, ProbeTargets, resolve_targets

__all__ = ["NO_PROBES", "ProbeTargets", "resolve_targets", "run_probes"]
