"""Probes: what the servers behind the service say of themselves, once a second beside the load.

A reading (`ProbeReading`) is a line of probes.jsonl. Its ``values`` by probe; counters stand as the server
counts them, so that a rate is the difference of two readings:

``postgres``, of the backends of the current database, without the probe's own::

    connections_active connections_idle connections_idle_in_transaction
    connections_total max_connections             of the whole server
    on_cpu                                        active and waiting for nothing
    waiting_lock waiting_lwlock waiting_io        active, by what they wait for
    waiting_client waiting_other
    blocked                                       that asked for a lock they have not got
    longest_transaction_s
    commits rollbacks deadlocks blocks_read blocks_hit     counters

``redis``, of the whole server::

    clients blocked_clients                       without the probe's own
    memory_bytes maxmemory_bytes                  0: no maximum
    commands cpu_s evicted_keys hits misses       counters

``service``, each role that thresholds.yaml names and the page shows, summed over labels::

    pool_size pool_in_use pool_waiting workers workers_busy in_progress
    pool_waits pool_wait_seconds pool_timeouts statements throttled requests       counters

statements.jsonl has the statements that took the database longest, where pg_stat_statements is there.
probes.log says what could not be had and why.
"""

from ci_gate.measure.probes.probing import run_probes
from ci_gate.measure.probes.targets import NO_PROBES, ProbeTargets, resolve_targets

__all__ = ["NO_PROBES", "ProbeTargets", "resolve_targets", "run_probes"]
