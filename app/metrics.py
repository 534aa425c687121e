"""Every metric, its labels and help: the only user of prometheus_client.

Labels are bounded: never a customer, an address, a URL or a message. `docs/metrics.md` is checked against this page.
"""

from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics import MetricWrapperBase

REGISTRY = CollectorRegistry(auto_describe=True)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LATENESS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0)
LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

ALL: list[MetricWrapperBase] = []
"""Every metric, in the order of this page."""

_Metric = TypeVar("_Metric", bound=MetricWrapperBase)


def _listed(metric: _Metric) -> _Metric:
    ALL.append(metric)
    return metric


def _counter(name: str, text: str, *labels: str) -> Counter:
    return _listed(Counter(f"boomerang_{name}", text, labels, registry=REGISTRY))


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return _listed(Gauge(f"boomerang_{name}", text, labels, registry=REGISTRY))


def _histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
    return _listed(Histogram(f"boomerang_{name}", text, labels, buckets=buckets, registry=REGISTRY))


# collector
COLLECTOR_REQUESTS = _counter("collector_requests_total", "Requests to the collector.", "route", "status")
COLLECTOR_EVENTS = _counter("collector_events_total", "Events by what became of them.", "outcome")
COLLECTOR_REJECTED = _counter("collector_rejected_events_total", "Events refused, by reason.", "reason")
COLLECTOR_STRIPPED = _counter(
    "collector_stripped_fields_total", "Addresses, consents and links to other hosts removed from browser events."
)
COLLECTOR_DEDUPE_UNAVAILABLE = _counter(
    "collector_dedupe_unavailable_total", "Look-ups and notes of event ids that Redis did not answer."
)
COLLECTOR_ACK = _histogram("collector_ack_seconds", "From the request to Kafka's acknowledgement.", LATENCY)
COLLECTOR_EVENT_NAMES = _counter(
    "collector_event_names_total", "Accepted events by name; other: not in the spec.", "event"
)

# engine
EVENTS_APPLIED = _counter("engine_events_applied_total", "Records applied to state.", "topic")
EVENTS_SKIPPED = _counter("engine_events_skipped_total", "Records that the fence had already covered.", "topic")
STEPS = _counter("engine_steps_total", "Atomic steps written.", "table")
STEP_SECONDS = _histogram("engine_step_seconds", "From the start of a step to its commit.", LATENCY, "table")
BUNDLE_CPU = _counter("engine_decide_cpu_seconds_total", "CPU spent deciding.", "table")
LAG_RECORDS = _gauge("engine_lag_records", "Records between this worker and the end of its partitions.", "topic")
LAG_SECONDS = _gauge("engine_lag_seconds", "Age of the last record that was applied, while there are more.", "topic")
STATE_ROWS = _gauge("engine_state_rows", "Rows held in memory.", "table")
FORGOTTEN = _counter("engine_rows_forgotten_total", "Visitors without a name who stayed away too long.")
TIMERS_PENDING = _gauge("engine_timers_pending", "Entries of the timer index.", "table")
TIMERS_FIRED = _counter("engine_timers_fired_total", "Timers that came due and were looked at.", "table")
LATENESS_SECONDS = _histogram("trigger_lateness_seconds", "From due + grace to the trigger's commit.", LATENESS)
LAG_GATE_HOLDS = _counter("engine_lag_gate_holds_total", "Due timers that waited for the backlog to be read.")
CLOCK_JUMPS = _counter("engine_clock_jumps_total", "Jumps of the wall clock that paused firing.")
RECOVERY_SECONDS = _gauge("engine_recovery_seconds", "Duration of the last recovery.", "table")
RECOVERED_ROWS = _counter("engine_recovered_records_total", "Changelog records read in recoveries.", "table")
REBALANCES = _counter("engine_rebalances_total", "Rebalances of the consumer group.", "table")
DECISIONS = _counter("engine_decisions_total", "Decisions by reason.", "scenario", "reason")
TRIGGERS = _counter("triggers_total", "Triggers fired.", "scenario")
DEAD_LETTERS = _counter("dead_letters_total", "Dead letters by reason.", "reason")
FLOOD = _gauge("dead_letters_flood", "1 while more than 1 % or 1,000 in a row of the records are bad.")

# delivery
SENDS = _counter("sends_total", "Messages by channel and what became of them.", "channel", "outcome")
REFUSALS = _counter("refusals_total", "Messages held back by a gate.", "channel", "reason")
AMBIGUOUS = _counter(
    "sends_ambiguous_total", "Messages of which nobody knows whether the provider took them.", "channel"
)
RETRIES = _counter("send_retries_total", "Attempts that will be repeated.", "channel")
PROVIDER_SECONDS = _histogram("provider_seconds", "One attempt at the provider.", LATENCY, "channel")
HANDOVER_SECONDS = _histogram(
    "handover_lateness_seconds", "From due + grace to the provider's acceptance.", LATENESS, "channel"
)
OUTBOX_PENDING = _gauge("outbox_pending", "Messages taken from the outbox and not yet settled.")
OUTBOX_OLDEST_SECONDS = _gauge("outbox_oldest_seconds", "Age of the oldest unsettled message.")
POOL_CONNECTIONS = _gauge("smtp_connections", "Open connections to the relay.")

CHANNEL_DOWN = _gauge(
    "channel_down", "1 while nothing can be handed over on a channel: provider away, or misconfigured.", "channel"
)
GUARD_UNAVAILABLE = _counter("guard_unavailable_total", "Questions to the second guard that Redis did not answer.")

# journal, console
JOURNAL_LINES = _counter("journal_lines_total", "Journal lines stored.")
INBOX_MESSAGES = _counter("inbox_messages_total", "Messages that the dev inbox received.")
BUILD = _gauge("build_info", "1, with the version as a label.", "version", "process")


def render() -> bytes:
    """The text exposition of all metrics of this process."""
    return generate_latest(REGISTRY)
