"""Every promise and every symptom that wakes somebody, with the series for which it fires and those for which it is silent.

`generate.py` writes Prometheus' rules and promtool's tests from this page, so that no alert is without a test. Each has a
page in docs/runbook.
"""

from dataclasses import dataclass, field

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")
PAGE = ((14.4, "1h", "5m"), (6.0, "6h", "30m"))
"""Burn rates at which somebody is woken, each over a long and a short window: 2 % of a month's budget in an hour, 5 % in six."""
TICKET = ((3.0, "1d", "2h"), (1.0, "3d", "6h"))
DAYS_STEP = "1h"
"""Between two values of a test of promises over days."""
OPENS, CLOSES = 6, 19
"""Hours (UTC) in which customers are about, so that silence is no good sign. Change them to the shop's own."""


@dataclass(frozen=True)
class Objective:
    """A promise: of the `total` rate all but `1 - target` are `good`. `{w}` stands for the window."""

    name: str
    target: float
    text: str
    good: str
    total: str


@dataclass(frozen=True)
class Alert:
    """An alert and its proof.

    `fires` and `silent` are promtool's series, a value every `step`; `labels` those that the fired alert carries beside
    `severity`; `at` and `quiet_at` are when promtool looks.
    """

    name: str
    expr: str
    hold: str
    severity: str
    summary: str
    fires: dict[str, str]
    silent: dict[str, str]
    labels: dict[str, str] = field(default_factory=dict)
    at: str = "30m"
    quiet_at: str = "30m"
    step: str = "1m"


OBJECTIVES = (
    Objective(
        "triggers",
        0.999,
        "triggers are written within a second of the moment that they came due (grace included)",
        'sum(rate(boomerang_trigger_lateness_seconds_bucket{{le="1.0"}}[{w}]))',
        "sum(rate(boomerang_trigger_lateness_seconds_count[{w}]))"
        ' + (sum(rate(boomerang_engine_decisions_total{{reason="too_late"}}[{w}])) or vector(0))',
    ),
    Objective(
        "collector",
        0.999,
        "requests with events are acknowledged within 250 ms",
        'sum(rate(boomerang_collector_ack_seconds_bucket{{le="0.25"}}[{w}]))',
        "sum(rate(boomerang_collector_ack_seconds_count[{w}]))"
        ' + (sum(rate(boomerang_collector_requests_total{{status=~"5..",route!="health"}}[{w}])) or vector(0))',
    ),
    Objective(
        "handover",
        0.99,
        "messages are taken by the provider within 60 s of the moment that they came due",
        'sum(rate(boomerang_handover_lateness_seconds_bucket{{le="60.0"}}[{w}]))',
        "sum(rate(boomerang_handover_lateness_seconds_count[{w}]))"
        ' + (sum(rate(boomerang_refusals_total{{reason=~"expired|sender_overloaded"}}[{w}])) or vector(0))',
    ),
)


def bad_ratio(objective: Objective, window: str) -> str:
    """The share that broke the promise over a window."""
    return f"1 - ({objective.good.format(w=window)}) / ({objective.total.format(w=window)})"


def burning(objective: Objective, rates: tuple[tuple[float, str, str], ...]) -> str:
    """Whether the budget burns too fast, over the long and the short window of one of the rates."""
    budget = 1.0 - objective.target
    which = f'{{slo="{objective.name}"}}'
    return "\nor\n".join(
        f"(slo:bad_ratio:rate{long}{which} > {rate * budget:.6g} and slo:bad_ratio:rate{short}{which} > {rate * budget:.6g})"
        for rate, long, short in rates
    )


_GOOD_BAD = {
    "triggers": ('boomerang_trigger_lateness_seconds_bucket{le="1.0"}', "boomerang_trigger_lateness_seconds_count"),
    "collector": ('boomerang_collector_ack_seconds_bucket{le="0.25"}', "boomerang_collector_ack_seconds_count"),
    "handover": ('boomerang_handover_lateness_seconds_bucket{le="60.0"}', "boomerang_handover_lateness_seconds_count"),
}
_WORDS = {
    "triggers": ("BoomerangTriggersLate", "Triggers come later than a second after they are due"),
    "collector": ("BoomerangCollectorSlow", "Events are acknowledged late, or refused with an error of ours"),
    "handover": ("BoomerangHandoverLate", "Messages reach the provider more than a minute after they are due"),
}


def _of_objective(objective: Objective) -> tuple[Alert, Alert]:
    good, total = _GOOD_BAD[objective.name]
    name, words = _WORDS[objective.name]
    budget = 1.0 - objective.target
    fast, slow = 20.0 * budget, 2.0 * budget
    share = objective.target

    def series(bad: float, steps: int) -> dict[str, str]:
        return {good: f"0+{round(100_000 * (1 - bad))}x{steps}", total: f"0+100000x{steps}"}

    return (
        Alert(
            f"{name}Fast", burning(objective, PAGE), "2m", "page",
            f"{words}: at this rate a month's budget ({share:.1%} must hold) is gone within days",
            series(fast, 120), series(budget * 3, 120), {"slo": objective.name}, at="100m", quiet_at="100m",
        ),
        Alert(
            f"{name}Slow", burning(objective, TICKET), "15m", "ticket",
            f"{words}: slowly, but for so long that the month's budget ({share:.1%} must hold) will not last",
            series(slow, 80), series(budget / 2, 80), {"slo": objective.name}, at="74h", quiet_at="74h", step=DAYS_STEP,
        ),
    )  # fmt: skip


SYMPTOMS = (
    Alert(
        "BoomerangWatchdog", "vector(1)", "0m", "none",
        "Always on: whoever misses this alert has no alerts at all",
        {"up": "1x40"}, {}, at="1m",
    ),
    Alert(
        "BoomerangDown", 'up{job=~"boomerang.*"} == 0', "2m", "page",
        "{{ $labels.instance }} ({{ $labels.job }}) does not answer",
        {'up{job="boomerang",instance="worker:6066"}': "1x10 0x30"}, {'up{job="boomerang",instance="worker:6066"}': "1x40"},
        {"job": "boomerang", "instance": "worker:6066"},
    ),
    Alert(
        "BoomerangNotReady", "boomerang_ready == 0", "5m", "page",
        "{{ $labels.instance }} has done no work for five minutes",
        {'boomerang_ready{instance="worker:6066"}': "1x10 0x30"}, {'boomerang_ready{instance="worker:6066"}': "0x3 1x40"},
        {"instance": "worker:6066"},
    ),
    Alert(
        "BoomerangRestarting", "changes(boomerang_process_start_time_seconds[15m]) > 2", "0m", "page",
        "{{ $labels.instance }} has been started again and again within a quarter of an hour",
        {'boomerang_process_start_time_seconds{instance="worker:6066"}': "0+60x40"},
        {'boomerang_process_start_time_seconds{instance="worker:6066"}': "100x20 1300x20"},
        {"instance": "worker:6066"},
    ),
    Alert(
        "BoomerangNoEvents",
        '(sum(rate(boomerang_collector_events_total{outcome="accepted"}[10m])) or vector(0)) == 0'
        f" and on () (hour() >= {OPENS} and hour() < {CLOSES})",
        "1m", "page",
        "No event has come in for ten minutes in the shop's hours",
        {'boomerang_collector_events_total{outcome="accepted"}': "0+10x480 4800x60"},
        {'boomerang_collector_events_total{outcome="accepted"}': "7x200"},  # the hours before the shop opens
        at="520m", quiet_at="180m",
    ),
    Alert(
        "BoomerangEventsRefused",
        'sum(rate(boomerang_collector_events_total{outcome="rejected"}[10m]))'
        " / sum(rate(boomerang_collector_events_total[10m])) > 0.05",
        "10m", "ticket",
        "More than one event in twenty is refused",
        {'boomerang_collector_events_total{outcome="rejected"}': "0+10x40",
         'boomerang_collector_events_total{outcome="accepted"}': "0+90x40"},
        {'boomerang_collector_events_total{outcome="rejected"}': "0+1x40",
         'boomerang_collector_events_total{outcome="accepted"}': "0+99x40"},
    ),
    Alert(
        "BoomerangLagging", "max by (topic) (boomerang_engine_lag_seconds) > 60", "5m", "page",
        "Records of {{ $labels.topic }} wait for more than a minute",
        {'boomerang_engine_lag_seconds{topic="clickstream"}': "0x10 300x30"},
        {'boomerang_engine_lag_seconds{topic="clickstream"}': "30x10 300x3 1x30"},
        {"topic": "clickstream"},
    ),
    Alert(
        "BoomerangLagGrowing",
        "sum by (topic) (boomerang_engine_lag_records) > 10000"
        " and deriv(sum by (topic) (boomerang_engine_lag_records)[15m:1m]) > 0",
        "15m", "ticket",
        "The backlog of {{ $labels.topic }} grows: more comes in than is done",
        {'boomerang_engine_lag_records{topic="clickstream"}': "0+1000x50"},
        {'boomerang_engine_lag_records{topic="clickstream"}': "90000-1000x50"},
        {"topic": "clickstream"}, at="45m", quiet_at="45m",
    ),
    Alert(
        "BoomerangRecoveryStuck",
        # after five minutes the process ends, and begins anew: this is told before
        "boomerang_engine_standstill_seconds > 120", "0m", "page",
        "{{ $labels.instance }} is not ready and comes no nearer to it",
        {'boomerang_engine_standstill_seconds{instance="worker:6066"}': "0x26 0+60x4 0x9"},
        {'boomerang_engine_standstill_seconds{instance="worker:6066"}': "0 60 0 60 0 60 0x34"},
        {"instance": "worker:6066"},
    ),
    Alert(
        "BoomerangRebalancing", "sum by (table) (increase(boomerang_engine_rebalances_total[15m])) > 8", "0m", "ticket",
        "The workers of {{ $labels.table }} share out their partitions again and again",
        {'boomerang_engine_rebalances_total{table="customers"}': "0+1x40"},
        {'boomerang_engine_rebalances_total{table="customers"}': "0x20 2x20"},
        {"table": "customers"},
    ),
    Alert(
        "BoomerangClockJump", "increase(boomerang_engine_clock_jumps_total[10m]) > 0", "0m", "ticket",
        "The wall clock of {{ $labels.instance }} has jumped",
        {'boomerang_engine_clock_jumps_total{instance="worker:6066"}': "0x25 1x15"},
        {'boomerang_engine_clock_jumps_total{instance="worker:6066"}': "1x40"},
        {"instance": "worker:6066"},
    ),
    Alert(
        "BoomerangDeadLetterFlood", "max(boomerang_dead_letters_flood) == 1", "1m", "page",
        "More than 1 % of the records, or 1,000 in a row, cannot be used",
        {"boomerang_dead_letters_flood": "0x10 1x30"}, {"boomerang_dead_letters_flood": "0x40"},
    ),
    Alert(
        "BoomerangChannelDown", "max by (channel) (boomerang_channel_down) == 1", "5m", "page",
        "Nothing can be handed over on {{ $labels.channel }}",
        {'boomerang_channel_down{channel="email"}': "0x10 1x30"}, {'boomerang_channel_down{channel="email"}': "0x10 1x3 0x30"},
        {"channel": "email"},
    ),
    Alert(
        "BoomerangOutboxOld", "max(boomerang_outbox_oldest_seconds) > 600", "5m", "ticket",
        "A message has waited for more than ten minutes",
        {"boomerang_outbox_oldest_seconds": "5x10 900x30"}, {"boomerang_outbox_oldest_seconds": "300x40"},
    ),
    Alert(
        "BoomerangAmbiguousSends", "sum by (channel) (increase(boomerang_sends_ambiguous_total[15m])) > 0", "0m", "ticket",
        "Nobody knows whether some messages over {{ $labels.channel }} arrived",
        {'boomerang_sends_ambiguous_total{channel="email"}': "0x25 1x15"},
        {'boomerang_sends_ambiguous_total{channel="email"}': "1x40"},
        {"channel": "email"},
    ),
    Alert(
        "BoomerangSendsFailing",
        'sum by (channel) (rate(boomerang_sends_total{outcome="failed"}[15m]))'
        " / sum by (channel) (rate(boomerang_sends_total[15m])) > 0.1",
        "10m", "ticket",
        "More than one message in ten over {{ $labels.channel }} is refused for good",
        {'boomerang_sends_total{channel="email",outcome="failed"}': "0+3x40",
         'boomerang_sends_total{channel="email",outcome="sent"}': "0+7x40"},
        {'boomerang_sends_total{channel="email",outcome="failed"}': "0+1x40",
         'boomerang_sends_total{channel="email",outcome="sent"}': "0+99x40"},
        {"channel": "email"},
    ),
    Alert(
        "BoomerangTemplateFails", "sum by (channel) (increase(boomerang_render_failures_total[15m])) > 0", "1m", "ticket",
        "Messages over {{ $labels.channel }} are parked because their template fails",
        {'boomerang_render_failures_total{channel="email"}': "0+1x40"},
        {'boomerang_render_failures_total{channel="email"}': "3x40"},
        {"channel": "email"},
    ),
    Alert(
        "BoomerangReloadRefused", "max by (folder, instance) (boomerang_reload_refused) == 1", "1m", "ticket",
        "Changed {{ $labels.folder }} on the disk of {{ $labels.instance }} are refused; those of before go on",
        {'boomerang_reload_refused{folder="scenarios",instance="w1"}': "0x10 1x30"},
        {'boomerang_reload_refused{folder="scenarios",instance="w1"}': "0x40"},
        {"folder": "scenarios", "instance": "w1"},
    ),
    Alert(
        "BoomerangScenariosDiffer", "count by (scenario) (count by (scenario, version) (boomerang_scenario_info)) > 1", "10m", "ticket",
        "Workers run different versions of {{ $labels.scenario }}",
        {'boomerang_scenario_info{instance="w1",scenario="s",version="1"}': "1x40",
         'boomerang_scenario_info{instance="w2",scenario="s",version="1"}': "1x5 _x35",
         'boomerang_scenario_info{instance="w2",scenario="s",version="2"}': "_x6 1x34"},
        {'boomerang_scenario_info{instance="w1",scenario="s",version="2"}': "1x40",
         'boomerang_scenario_info{instance="w2",scenario="s",version="2"}': "1x40"},
        {"scenario": "s"},
    ),
    Alert(
        "BoomerangRedisDown", "min by (use) (boomerang_redis_up) == 0", "5m", "ticket",
        "Redis does not answer ({{ $labels.use }})",
        {'boomerang_redis_up{use="guard"}': "1x10 0x30"}, {'boomerang_redis_up{use="guard"}': "1x40"},
        {"use": "guard"},
    ),
    Alert(
        "BoomerangChatGatewayDown", "max by (source) (boomerang_chat_gateway_connected) == 0", "10m", "page",
        "The message gateway {{ $labels.source }} has not been read for ten minutes",
        {'boomerang_chat_gateway_connected{source="crm"}': "1x5 0x40"},
        {'boomerang_chat_gateway_connected{source="crm"}': "1x5 0x5 1x40"},
        {"source": "crm"},
    ),
    Alert(
        "BoomerangCatalogueOld", "time() - max by (feed) (boomerang_catalogue_last_success_timestamp_seconds) > 86400", "1h", "ticket",
        "The feed of {{ $labels.feed }} has not been imported for more than a day",
        {'boomerang_catalogue_last_success_timestamp_seconds{feed="shop.example"}': "0x1600"},
        {'boomerang_catalogue_last_success_timestamp_seconds{feed="shop.example"}': "0x1400 86400x200"},
        {"feed": "shop.example"}, at="1550m", quiet_at="1550m",
    ),
    Alert(
        "BoomerangChatNotGenuine",
        "sum by (provider, source) (rate(boomerang_chat_unauthentic_requests_total[30m])) > 0"
        " unless on (provider, source) sum by (provider, source) (rate(boomerang_chat_events_total[30m])) > 0",
        "15m", "ticket",
        "Nothing that comes for {{ $labels.provider }} {{ $labels.source }} is genuine",
        {
            'boomerang_chat_unauthentic_requests_total{provider="vk",source="club",verdict="signature_wrong"}': "0+1x90",
            'boomerang_chat_events_total{provider="vk",source="club",outcome="accepted"}': "9x90",
        },
        {
            'boomerang_chat_unauthentic_requests_total{provider="vk",source="club",verdict="signature_wrong"}': "0+1x90",
            'boomerang_chat_events_total{provider="vk",source="club",outcome="accepted"}': "0+1x90",
        },
        {"provider": "vk", "source": "club"},
        at="80m",
        quiet_at="80m",
    ),
    Alert(
        "BoomerangReceiptsNotGenuine",
        "sum by (provider) (rate(boomerang_receipt_unauthentic_requests_total[30m])) > 0"
        " unless on (provider) sum by (provider) (rate(boomerang_receipt_reports_total[30m])) > 0",
        "15m", "ticket",
        "No receipt that comes for {{ $labels.provider }} is genuine",
        {
            'boomerang_receipt_unauthentic_requests_total{provider="twilio",verdict="signature_wrong"}': "0+1x90",
            'boomerang_receipt_reports_total{provider="twilio",outcome="accepted"}': "9x90",
        },
        {
            'boomerang_receipt_unauthentic_requests_total{provider="twilio",verdict="signature_wrong"}': "0+1x90",
            'boomerang_receipt_reports_total{provider="twilio",outcome="accepted"}': "0+1x90",
        },
        {"provider": "twilio"},
        at="80m",
        quiet_at="80m",
    ),
    Alert(
        "BoomerangRedisFull",
        "max(boomerang_redis_memory_bytes / (boomerang_redis_memory_limit_bytes > 0)) > 0.9", "5m", "page",
        "Redis has used more than 90 % of the memory that it may",
        {"boomerang_redis_memory_bytes": "95x40", "boomerang_redis_memory_limit_bytes": "100x40"},
        {"boomerang_redis_memory_bytes": "95x40", "boomerang_redis_memory_limit_bytes": "0x40"},
    ),
    Alert(
        "BoomerangDiskFull", "boomerang_disk_free_bytes / boomerang_disk_size_bytes < 0.1", "5m", "page",
        "The disk of {{ $labels.instance }} has less than 10 % left",
        {'boomerang_disk_free_bytes{instance="worker:6066"}': "9x40", 'boomerang_disk_size_bytes{instance="worker:6066"}': "100x40"},
        {'boomerang_disk_free_bytes{instance="worker:6066"}': "11x40", 'boomerang_disk_size_bytes{instance="worker:6066"}': "100x40"},
        {"instance": "worker:6066"},
    ),
    Alert(
        "BoomerangJournalDown", "max(boomerang_journal_down) == 1", "10m", "ticket",
        "The journal's database takes no lines",
        {"boomerang_journal_down": "0x10 1x30"}, {"boomerang_journal_down": "0x10 1x5 0x30"},
    ),
    Alert(
        "BoomerangCredentialExpiring", "min by (credential) (boomerang_credential_expiry_timestamp_seconds) - time() < 14 * 86400",
        "1h", "ticket",
        "{{ $labels.credential }} expires within two weeks",
        {'boomerang_credential_expiry_timestamp_seconds{credential="smtp_relay"}': "864000x100"},
        {'boomerang_credential_expiry_timestamp_seconds{credential="smtp_relay"}': "8640000x100"},
        {"credential": "smtp_relay"}, at="90m", quiet_at="90m",
    ),
)  # fmt: skip

BUDGETS = tuple(alert for objective in OBJECTIVES for alert in _of_objective(objective))
ALERTS = (*BUDGETS, *SYMPTOMS)
