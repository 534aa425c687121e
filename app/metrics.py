"""Every metric, its labels and help: the only user of prometheus_client.

Labels are bounded: never a customer, an address, a URL or a message. `docs/metrics.md` is checked against this page.
"""

from collections.abc import Callable
from importlib.metadata import version
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics import MetricWrapperBase

from app.tallies import TALLIES, Spread, Tally

disable_created_metrics()  # type: ignore[no-untyped-call]  # the moment of creation of each series would nearly double a scrape, and nobody reads it
REGISTRY = CollectorRegistry(auto_describe=True)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LATENESS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0)
SIZES = (256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 524_288.0)
"""Bytes."""
RECORDS = (1.0, 10.0, 50.0, 100.0, 500.0, 1000.0, 2000.0, 3000.0, 4500.0, 6000.0)
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


# every process
BUILD = _gauge("build_info", "1, with the version as a label.", "version", "process", "member")
READY = _gauge("ready", "1 while the process does its work, as /readyz says.")
DISK_FREE = _gauge("disk_free_bytes", "Free space where the data folder is.")
DISK_SIZE = _gauge("disk_size_bytes", "Size of the disk where the data folder is.")
CREDENTIAL_EXPIRY = _gauge(
    "credential_expiry_timestamp_seconds", "When a certificate or token that we depend on expires.", "credential"
)
REDIS_UP = _gauge("redis_up", "1 while Redis answers.", "use")
REDIS_CONNECTIONS = _gauge("redis_connections", "Connections to Redis.", "use", "state")
REDIS_MEMORY = _gauge("redis_memory_bytes", "Memory that Redis uses.")
REDIS_MEMORY_LIMIT = _gauge("redis_memory_limit_bytes", "Memory that Redis may use; 0: no limit of its own.")

# collector
COLLECTOR_REQUESTS = Tally(_counter("collector_requests_total", "Requests to the collector.", "route", "status"))
COLLECTOR_EVENTS = Tally(_counter("collector_events_total", "Events by what became of them.", "outcome"))
COLLECTOR_REJECTED = _counter("collector_rejected_events_total", "Events refused, by reason.", "reason")
COLLECTOR_STRIPPED = _counter(
    "collector_stripped_fields_total", "Addresses, consents and links to other hosts removed from browser events."
)
COLLECTOR_DEDUPE_UNAVAILABLE = _counter(
    "collector_dedupe_unavailable_total", "Look-ups and notes of event ids that Redis did not answer."
)
COLLECTOR_ACK = Spread(
    _histogram("collector_ack_seconds", "From the request to Kafka's acknowledgement.", LATENCY), LATENCY
)
COLLECTOR_BODY = Spread(_histogram("collector_body_bytes", "Unpacked bodies of requests with events.", SIZES), SIZES)
COLLECTOR_EVENT_NAMES = Tally(
    _counter("collector_event_names_total", "Accepted events by name; other: not in the spec.", "event")
)

# messengers
CHAT_EVENTS = _counter(
    "chat_events_total",
    "What messengers told, by what became of it; ignored: a kind that is none of our business.",
    "provider",
    "source",
    "outcome",
)
CHAT_UNAUTHENTIC = _counter(
    "chat_unauthentic_requests_total", "Webhook requests that were not genuine.", "provider", "source", "verdict"
)
RECEIPT_CALLS = _counter(
    "receipt_reports_total",
    "What providers told of messages, by what became of it; unknown: of no message that we know (in a flood: looked up once), ignored: of no interest.",
    "provider",
    "outcome",
)
RECEIPT_UNAUTHENTIC = _counter(
    "receipt_unauthentic_requests_total", "Requests with receipts that were not genuine.", "provider", "verdict"
)
TRACKED = _counter(
    "tracked_requests_total",
    "Requests for links and open pixels of messages, by who made them: a person, a robot by its sign, or nobody knows (bad).",
    "kind",
    "verdict",
)
REFERENCES_UNAVAILABLE = _counter(
    "references_unavailable_total", "Names of messages and short links that Redis did not keep or find."
)
ALERT_PRESSES = _counter(
    "alert_presses_total", "Presses of alerts' buttons by what became of them.", "channel", "outcome"
)
DIALOGS = _gauge(
    "dialogs",
    "Dialogs on the board, by what is the matter; one may be counted under several. Shown by the console.",
    "state",
)
CHAT_GATEWAY_CONNECTED = _gauge("chat_gateway_connected", "1 while a gateway's WebSocket is open.", "source")
CHAT_GATEWAY_RECONNECTS = _counter(
    "chat_gateway_reconnects_total", "Connections to a gateway that ended, or did not come about.", "source", "reason"
)
CHAT_GATEWAY_POSITION = _gauge(
    "chat_gateway_position_timestamp_seconds", "Moment up to which a gateway has been read.", "source"
)

# engine
EVENTS_APPLIED = _counter("engine_events_applied_total", "Records applied to state.", "topic")
EVENTS_SKIPPED = _counter("engine_events_skipped_total", "Records that the fence had already covered.", "topic")
STEPS = _counter("engine_steps_total", "Atomic steps written.", "table")
STEP_SECONDS = _histogram("engine_step_seconds", "From the start of a step to its commit.", LATENCY, "table")
BUNDLE_RECORDS = _histogram("engine_bundle_records", "Records in a bundle.", RECORDS, "topic")
BUNDLE_CPU = _counter("engine_decide_cpu_seconds_total", "CPU spent deciding.", "table")
LAG_RECORDS = _gauge("engine_lag_records", "Records between this worker and the end of its partitions.", "topic")
LAG_SECONDS = _gauge("engine_lag_seconds", "Age of the last record that was applied, while there are more.", "topic")
STALLED_SECONDS = _gauge(
    "engine_stalled_seconds",
    "How long an input has had records to read of which none were applied; at 20 the process ends.",
)
STANDSTILL_SECONDS = _gauge(
    "engine_standstill_seconds",
    "How long a process that is not ready has come no nearer to it (nothing restored, no rebalance); at 300 it ends.",
)
STATE_ROWS = _gauge("engine_state_rows", "Rows held in memory.", "table")
STATE_BYTES = _gauge("engine_state_bytes", "Bytes of the packed rows held in memory, frozen ones as they are.", "table")
RELOADS = _counter(
    "reloads_total", "Times that a watched folder had changed, by what became of it.", "folder", "outcome"
)
RELOAD_REFUSED = _gauge(
    "reload_refused", "1 while a watched folder holds what was refused, and what was there before goes on.", "folder"
)
SCENARIO_INFO = _gauge("scenario_info", "1 for each scenario that this worker has loaded.", "scenario", "version")
SEGMENT_CUSTOMERS = _gauge("segment_customers", "Customers in a segment.", "segment", "partition")
SEGMENT_MOVES = _counter("segment_moves_total", "Customers who entered or left a segment.", "segment", "way")
SWEEPS = _counter("engine_sweeps_total", "Walks over the customers of a partition.", "what")
SWEEP_CUSTOMERS = _counter(
    "engine_sweep_customers_total", "Customers that walks came to, by what became of it.", "what"
)
FROZEN = _counter("engine_rows_frozen_total", "Rows that were pressed in memory because the customer's visit was over.")
FORGOTTEN = _counter("engine_rows_forgotten_total", "Visitors without a name who stayed away too long.")
TIMERS_PENDING = _gauge("engine_timers_pending", "Entries of the timer index.", "table")
TIMERS_FIRED = _counter("engine_timers_fired_total", "Timers that came due and were looked at.", "table")
TIMERS_CANCELLED = _counter(
    "engine_timers_cancelled_total", "Armed scenarios that ended before they came due, by reason.", "reason"
)
LATENESS_SECONDS = Spread(
    _histogram("trigger_lateness_seconds", "From due + grace to the trigger's commit.", LATENESS), LATENESS
)
LAG_GATE_HOLDS = _counter("engine_lag_gate_holds_total", "Due timers that waited for the backlog to be read.")
CLOCK_JUMPS = _counter("engine_clock_jumps_total", "Jumps of the wall clock that paused firing.")
RECOVERY_SECONDS = _gauge("engine_recovery_seconds", "Duration of the last recovery.", "table")
RECOVERED_ROWS = _counter("engine_recovered_records_total", "Changelog records read in recoveries.", "table")
RECOVERY_REMAINING = _gauge("engine_recovery_remaining_records", "Changelog records that are yet to be restored.")
REBALANCES = _counter("engine_rebalances_total", "Rebalances of the consumer group.", "table")
DECISIONS = _counter("engine_decisions_total", "Decisions by reason.", "scenario", "reason")
RECEIPTS = _counter("receipts_total", "Receipts of customers' messages, by what became of them.", "scenario", "outcome")
TRIGGERS = _counter("triggers_total", "Triggers fired.", "scenario")
ENTERED = _counter(
    "scenario_entered_total",
    "Times that a scenario came due for a customer who might get a message (recipients) or is in its control group (control).",
    "scenario",
    "group",
)
GOALS = _counter(
    "scenario_goals_total", "Orders, or other goals, within a scenario's time after that.", "scenario", "group"
)
GOALS_UNDONE = _counter(
    "scenario_goals_undone_total", "Of these: orders that were given back or cancelled whole.", "scenario", "group"
)
ORDERS_OWED = _counter(
    "orders_owed_total",
    "Orders by what messages have to do with them: attributed, associated, or taken_back from one that had it.",
    "scenario",
    "channel",
    "part",
)
GOALS_OWED = _counter(
    "goals_owed_total",
    "Goals other than orders by what a scenario's messages have to do with them: attributed to the last that touched, or associated.",
    "scenario",
    "channel",
    "part",
)
REVENUE = _counter(
    "revenue_total",
    "What attributed orders, and other goals that have a value, came to.",
    "scenario",
    "channel",
    "currency",
)
REVENUE_BACK = _counter(
    "revenue_taken_back_total",
    "What of it was taken back: refunds, and orders that another message has now.",
    "scenario",
    "channel",
    "currency",
)
DEAD_LETTERS = _counter("dead_letters_total", "Dead letters by reason.", "reason")
FLOOD = _gauge("dead_letters_flood", "1 while more than 1 % or 1,000 in a row of the records are bad.")

# delivery
SENDS = _counter("sends_total", "Messages by channel and what became of them.", "channel", "outcome")
RENDER_FAILURES = _counter(
    "render_failures_total", "Messages that were parked because their template failed.", "channel"
)
SPENT = _counter(
    "spent_total", "What messages to customers cost, in the currency of the policy.", "scenario", "channel"
)
SPENT_BY_SMS = _counter(
    "spent_by_sms_total",
    "What the same triggers would have cost as one SMS each; less what was spent it is the saving.",
)
BUDGET_SPENT = _gauge("budget_spent", "What a scenario with a ceiling has spent today.", "scenario")
BUDGET_CEILING = _gauge("budget_ceiling", "What it may spend a day: the share of our partitions.", "scenario")
REFUSALS = _counter("refusals_total", "Messages held back by a gate.", "channel", "reason")
TOLD = _counter(
    "message_receipts_total",
    "What providers and customers told of messages, each kind once a message; unknown: the ledger does not know the message.",
    "channel",
    "outcome",
)
AMBIGUOUS = _counter(
    "sends_ambiguous_total", "Messages of which nobody knows whether the provider took them.", "channel"
)
RETRIES = _counter("send_retries_total", "Attempts that will be repeated.", "channel")
PROVIDER_SECONDS = _histogram("provider_seconds", "One attempt at the provider.", LATENCY, "channel")
CLAIM_SECONDS = _histogram(
    "claim_lateness_seconds", "From due + grace to the sender's claim of the message.", LATENESS, "channel"
)
HANDOVER_SECONDS = _histogram(
    "handover_lateness_seconds", "From due + grace to the provider's acceptance.", LATENESS, "channel"
)
OUTBOX_PENDING = _gauge("outbox_pending", "Messages taken from the outbox and not yet settled.")
OUTBOX_OLDEST_SECONDS = _gauge("outbox_oldest_seconds", "Age of the oldest unsettled message.")
POOL_CONNECTIONS = _gauge("smtp_connections", "Connections to the relay: busy, idle, and the limit.", "state")

CHANNEL_DOWN = _gauge(
    "channel_down", "1 while nothing can be handed over on a channel: provider away, or misconfigured.", "channel"
)
GUARD_UNAVAILABLE = _counter("guard_unavailable_total", "Questions to the second guard that Redis did not answer.")

# catalogue
CATALOGUE_IMPORTS = _counter("catalogue_imports_total", "Imports of the feed by what became of them.", "outcome")
CATALOGUE_LAST_SUCCESS = _gauge(
    "catalogue_last_success_timestamp_seconds",
    "When the feed was last imported; 0: never. By the host or file that it comes from.",
    "feed",
)
CATALOGUE_OFFERS = _gauge("catalogue_offers", "Offers of the feed: available, unavailable, bad.", "feed", "state")
CATALOGUE_CHANGES = _counter("catalogue_changes_total", "Changes of products that were published, by kind.", "kind")
CATALOGUE_SECONDS = _histogram(
    "catalogue_import_seconds",
    "From the beginning of an import to its commit.",
    (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0),
)

# journal, console
JOURNAL_LINES = _counter("journal_lines_total", "Journal lines stored.")
JOURNAL_DOWN = _gauge("journal_down", "1 while the journal's database does not take lines; they wait in Kafka.")
INBOX_MESSAGES = _counter("inbox_messages_total", "Messages that the dev inbox received.")
PROCESS = ProcessCollector(namespace="boomerang", registry=REGISTRY)
"""CPU, memory, open files and the start of this process, by the library's own names."""

_before: dict[str, Callable[[], None]] = {}


def introduce(process: str, member: str = "") -> None:
    """Say which process this is; `member` tells several of a kind on one host apart."""
    BUILD.labels(version("boomerang"), process, member).set(1)


def before_render(name: str, work: Callable[[], None]) -> None:
    """Have `work` bring metrics up to date whenever they are asked for. It must be quick; a later one takes its name over."""
    _before[name] = work


def render() -> bytes:
    """The text exposition of all metrics of this process."""
    for work in _before.values():
        work()
    for tally in TALLIES:
        tally.move()
    return generate_latest(REGISTRY)
