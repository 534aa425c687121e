"""The screens: for the one on call, for those who look deeper, and for marketing. Written to JSON by `generate.py`."""

from grafana import Panel, Query, Row, Screen

P99 = 0.99
LATE = ((0.5, "orange"), (1.0, "red"))
SLO_NAMES = {"triggers": "triggers on time", "collector": "events taken", "handover": "messages handed over"}


def q(expr: str, legend: str = "__auto") -> Query:
    """A query."""
    return Query(expr, legend)


def quantiles(metric: str, by: str = "", where: str = "") -> tuple[Query, ...]:
    """Median and p99 of a histogram, by one label."""
    group, name = (f"le, {by}", f"{{{{{by}}}}} ") if by else ("le", "")
    return tuple(
        q(f"histogram_quantile({share}, sum by ({group}) (rate({metric}_bucket{{$J{where}}}[$I])))", f"{name}{words}")
        for share, words in ((0.5, "median"), (P99, "p99"))
    )


def budget() -> tuple[Panel, ...]:
    """What is left of each promise's budget, and how fast it burns."""
    left = tuple(q(f'slo:budget_left:rate30d{{slo="{name}"}}', words) for name, words in SLO_NAMES.items())
    burn = tuple(q(f'slo:bad_ratio:rate1h{{slo="{name}"}}', words) for name, words in SLO_NAMES.items())
    alerts = ("BoomerangTriggersLateFast", "BoomerangCollectorSlowFast", "BoomerangHandoverLateFast")
    return (
        Panel(
            "Budget left, 30 days", "Share of the month's error budget that is not used yet. Below zero the promise is broken.",
            "percentunit", left, "bargauge", 12, alerts, ((0.0, "red"), (0.25, "orange"), (0.5, "green")),
        ),
        Panel("Broken in the last hour", "Share of cases in which the promise was not kept.", "percentunit", burn, width=12, alerts=alerts),
    )  # fmt: skip


OVERVIEW = Screen(
    "boomerang-overview",
    "Boomerang: overview",
    "Do events come in, do triggers fire on time, do messages leave, and what is wrong if not?",
    (
        Row(
            "Do customers' events come in?",
            (
                Panel("Events", "Events per second by what became of them.", "eps",
                      (q("sum by (outcome) (rate(boomerang_collector_events_total{$J}[$I]))", "{{outcome}}"),),
                      alerts=("BoomerangNoEvents", "BoomerangEventsRefused"), stacked=True),
                Panel("Acknowledged after", "From a request to Kafka's acknowledgement. The promise: 250 ms for 99.9 %.", "s",
                      quantiles("boomerang_collector_ack_seconds"), alerts=("BoomerangCollectorSlowFast",)),
                Panel("Waiting to be read", "Age of the last record applied, while there are more. Triggers wait for it.", "s",
                      (q("max by (topic) (boomerang_engine_lag_seconds{$J})", "{{topic}}"),),
                      alerts=("BoomerangLagging", "BoomerangLagGrowing")),
            ),
        ),
        Row(
            "Do triggers fire on time?",
            (
                Panel("Triggers", "Triggers per minute by scenario.", "short",
                      (q("60 * sum by (scenario) (rate(boomerang_triggers_total{$J}[$I]))", "{{scenario}}"),), stacked=True),
                Panel("Lateness of triggers", "From due (grace included) to the trigger's commit. The promise: 1 s for 99.9 %.", "s",
                      quantiles("boomerang_trigger_lateness_seconds"), alerts=("BoomerangTriggersLateFast",)),
                Panel("Timers", "Armed customers, and entries that wait in the index.", "short",
                      (q('sum(boomerang_engine_timers_pending{$J,table="customers"})', "pending"),)),
            ),
        ),
        Row(
            "Do messages leave?",
            (
                Panel("Messages", "Messages per minute by what became of them.", "short",
                      (q("60 * sum by (channel, outcome) (rate(boomerang_sends_total{$J}[$I]))", "{{channel}} {{outcome}}"),),
                      alerts=("BoomerangSendsFailing", "BoomerangAmbiguousSends"), stacked=True),
                Panel("Lateness at the provider", "From due (grace included) to the provider's acceptance. The promise: 60 s for 99 %.", "s",
                      quantiles("boomerang_handover_lateness_seconds", "channel"), alerts=("BoomerangHandoverLateFast",)),
                Panel("Waiting messages", "Messages that are not settled yet, and the age of the oldest.", "short",
                      (q("sum(boomerang_outbox_pending{$J})", "messages"),
                       q("max(boomerang_outbox_oldest_seconds{$J})", "oldest, seconds")), alerts=("BoomerangOutboxOld",)),
            ),
        ),
        Row(
            "What is wrong, if not?",
            (
                Panel("Processes at work", "Processes that are ready, of those that answer.", "short",
                      (q("sum(boomerang_ready{$J})", "ready"), q("count(boomerang_build_info{$J})", "answering")),
                      "stat", 6, ("BoomerangDown", "BoomerangNotReady")),
                Panel("Channels down", "Channels on which nothing can be handed over.", "short",
                      (q("sum(boomerang_channel_down{$J})", "down"),), "stat", 6, ("BoomerangChannelDown",), ((1, "red"),)),
                Panel("Dead letters, 1 h", "Records and events that could not be used.", "short",
                      (q("sum(increase(boomerang_dead_letters_total{$J}[1h]))", "letters"),), "stat", 6,
                      ("BoomerangDeadLetterFlood",), ((1, "orange"), (1000, "red"))),
                Panel("Ambiguous, 24 h", "Messages of which nobody knows whether they arrived.", "short",
                      (q("sum(increase(boomerang_sends_ambiguous_total{$J}[24h]))", "messages"),), "stat", 6,
                      ("BoomerangAmbiguousSends",), ((1, "red"),)),
            ),
        ),
        Row("Are the promises kept?", budget()),
    ),
)  # fmt: skip

ENGINE = Screen(
    "boomerang-engine",
    "Boomerang: engine",
    "What the workers do with records, timers and state.",
    (
        Row(
            "Reading",
            (
                Panel("Records applied", "Records per second that changed state, and those that the fence had covered before.", "short",
                      (q("sum by (topic) (rate(boomerang_engine_events_applied_total{$J}[$I]))", "{{topic}}"),
                       q("sum by (topic) (rate(boomerang_engine_events_skipped_total{$J}[$I]))", "{{topic}} skipped"))),
                Panel("Lag, records", "Records between the workers and the ends of their partitions.", "short",
                      (q("sum by (topic) (boomerang_engine_lag_records{$J})", "{{topic}}"),),
                      alerts=("BoomerangLagGrowing",)),
                Panel("Bundle size", "Records that one step applies at once. Large bundles are a backlog.", "short",
                      quantiles("boomerang_engine_bundle_records", "topic")),
            ),
        ),
        Row(
            "Steps",
            (
                Panel("Step time", "From the start of a step's transaction to its commit.", "s",
                      quantiles("boomerang_engine_step_seconds", "table")),
                Panel("CPU a bundle", "Time spent deciding, for each bundle.", "s",
                      (q("sum by (table) (rate(boomerang_engine_decide_cpu_seconds_total{$J}[$I]))"
                         " / sum by (table) (rate(boomerang_engine_steps_total{$J}[$I]))", "{{table}}"),)),
                Panel("CPU of processes", "Cores used.", "short",
                      (q("rate(boomerang_process_cpu_seconds_total{$J}[$I])", "{{instance}}"),),
                      alerts=("BoomerangLagGrowing",)),
            ),
        ),
        Row(
            "Timers",
            (
                Panel("Timers", "Timers per second that came up, and armed scenarios that ended before.", "short",
                      (q("sum by (table) (rate(boomerang_engine_timers_fired_total{$J}[$I]))", "{{table}} came up"),
                       q("sum by (reason) (rate(boomerang_engine_timers_cancelled_total{$J}[$I]))", "{{reason}}"))),
                Panel("Lateness, part by part", "p99 from due (grace included) to the trigger's commit, to the sender's claim, to the provider.", "s",
                      tuple(q(f"histogram_quantile(0.99, sum by (le) (rate({metric}_bucket{{$J}}[$I])))", words) for metric, words in (
                          ("boomerang_trigger_lateness_seconds", "committed"), ("boomerang_claim_lateness_seconds", "claimed"),
                          ("boomerang_handover_lateness_seconds", "handed over"))),
                      alerts=("BoomerangTriggersLateFast", "BoomerangHandoverLateFast")),
                Panel("Held by the lag gate", "Due timers that waited until the backlog was read, and jumps of the clock.", "short",
                      (q("sum(rate(boomerang_engine_lag_gate_holds_total{$J}[$I]))", "holds per second"),
                       q("sum(increase(boomerang_engine_clock_jumps_total{$J}[1h]))", "clock jumps in 1 h")),
                      alerts=("BoomerangClockJump", "BoomerangLagging")),
            ),
        ),
        Row(
            "State",
            (
                Panel("Rows", "Customers, pointers and shelves; messages and addresses.", "short",
                      (q("sum by (table) (boomerang_engine_state_rows{$J})", "{{table}}"),)),
                Panel("Memory", "Packed rows, and the whole process.", "bytes",
                      (q("sum by (table) (boomerang_engine_state_bytes{$J})", "rows of {{table}}"),
                       q("boomerang_process_resident_memory_bytes{$J}", "{{instance}}"))),
                Panel("Recovery", "Records yet to be restored, how long nothing moved, and how long the last recovery took.", "short",
                      (q("sum by (instance) (boomerang_engine_recovery_remaining_records{$J})", "{{instance}} to go"),
                       q("max by (instance) (boomerang_engine_standstill_seconds{$J})", "{{instance}} stands still, seconds"),
                       q("max by (table) (boomerang_engine_recovery_seconds{$J})", "{{table}} last took, seconds")),
                      alerts=("BoomerangRecoveryStuck", "BoomerangNotReady")),
                Panel("Rebalances, 1 h", "How often partitions were shared out anew.", "short",
                      (q("sum by (table) (increase(boomerang_engine_rebalances_total{$J}[1h]))", "{{table}}"),),
                      alerts=("BoomerangRebalancing",)),
                Panel("Visitors forgotten, 24 h", "Visitors without a name who stayed away too long.", "short",
                      (q("sum(increase(boomerang_engine_rows_forgotten_total{$J}[24h]))", "visitors"),)),
                Panel("Uptime", "Since the process began.", "s",
                      (q("time() - boomerang_process_start_time_seconds{$J}", "{{instance}}"),),
                      alerts=("BoomerangRestarting",)),
            ),
        ),
        Row(
            "Collector",
            (
                Panel("Requests", "Requests per second by route and status.", "reqps",
                      (q("sum by (route, status) (rate(boomerang_collector_requests_total{$J}[$I]))", "{{route}} {{status}}"),)),
                Panel("Events by name", "Accepted events per second.", "eps",
                      (q("topk(10, sum by (event) (rate(boomerang_collector_event_names_total{$J}[$I])))", "{{event}}"),)),
                Panel("Refused events", "By reason, per second.", "eps",
                      (q("sum by (reason) (rate(boomerang_collector_rejected_events_total{$J}[$I]))", "{{reason}}"),),
                      alerts=("BoomerangEventsRefused",)),
                Panel("Bodies", "Size of requests with events, unpacked.", "bytes", quantiles("boomerang_collector_body_bytes")),
                Panel("Taken away from browsers", "Addresses, consents and foreign links removed, per minute.", "short",
                      (q("60 * sum(rate(boomerang_collector_stripped_fields_total{$J}[$I]))", "fields"),)),
                Panel("Repetitions not looked for", "Questions that Redis did not answer, per second. The engine drops what is repeated.", "short",
                      (q("sum(rate(boomerang_collector_dedupe_unavailable_total{$J}[$I]))", "questions"),),
                      alerts=("BoomerangRedisDown",)),
            ),
        ),
        Row(
            "Ground",
            (
                Panel("Disk", "Share that is free where the data folder is.", "percentunit",
                      (q("boomerang_disk_free_bytes{$J} / boomerang_disk_size_bytes{$J}", "{{instance}}"),), alerts=("BoomerangDiskFull",)),
                Panel("Redis", "Memory used, and its limit where it has one.", "bytes",
                      (q("max(boomerang_redis_memory_bytes{$J})", "used"), q("max(boomerang_redis_memory_limit_bytes{$J})", "limit")),
                      alerts=("BoomerangRedisFull",)),
                Panel("Redis connections", "By who uses them and their state; up is 1 while it answers.", "short",
                      (q("sum by (use, state) (boomerang_redis_connections{$J})", "{{use}} {{state}}"),
                       q("min by (use) (boomerang_redis_up{$J})", "{{use}} up")), alerts=("BoomerangRedisDown",)),
            ),
        ),
    ),
)  # fmt: skip

DELIVERY = Screen(
    "boomerang-delivery",
    "Boomerang: delivery",
    "From the outbox to the provider.",
    (
        Row(
            "Messages",
            (
                Panel("By outcome", "Messages per minute.", "short",
                      (q("60 * sum by (channel, outcome) (rate(boomerang_sends_total{$J}[$I]))", "{{channel}} {{outcome}}"),),
                      alerts=("BoomerangSendsFailing",), stacked=True),
                Panel("Held back by gates", "Messages per minute by the reason that held them back.", "short",
                      (q("60 * sum by (reason) (rate(boomerang_refusals_total{$J}[$I]))", "{{reason}}"),)),
                Panel("Ambiguous, 1 h", "Messages of which nobody knows whether they arrived.", "short",
                      (q("sum by (channel) (increase(boomerang_sends_ambiguous_total{$J}[1h]))", "{{channel}}"),),
                      alerts=("BoomerangAmbiguousSends",)),
                Panel("Templates that failed, 1 h", "Messages that were parked because they could not be rendered.", "short",
                      (q("sum by (channel) (increase(boomerang_render_failures_total{$J}[1h]))", "{{channel}}"),),
                      alerts=("BoomerangTemplateFails",)),
            ),
        ),
        Row(
            "What became of them",
            (
                Panel("Receipts", "What providers and customers told, per minute; each kind counts once a message.", "short",
                      (q("60 * sum by (channel, outcome) (rate(boomerang_message_receipts_total{$J}[$I]))", "{{channel}} {{outcome}}"),),
                      stacked=True),
                Panel("Links and opens", "Requests per minute by who made them: persons, robots by their sign, and links that lead nowhere.",
                      "short", (q("60 * sum by (kind, verdict) (rate(boomerang_tracked_requests_total{$J}[$I]))", "{{kind}} {{verdict}}"),)),
                Panel("Reports of providers", "Per minute by what became of them; those that were not genuine by their verdict.", "short",
                      (q("60 * sum by (provider, outcome) (rate(boomerang_receipt_reports_total{$J}[$I]))", "{{provider}} {{outcome}}"),
                       q("60 * sum by (provider, verdict) (rate(boomerang_receipt_unauthentic_requests_total{$J}[$I]))",
                         "{{provider}} {{verdict}}")), alerts=("BoomerangReceiptsNotGenuine",)),
            ),
        ),
        Row(
            "Providers",
            (
                Panel("Time of an attempt", "One attempt at the provider.", "s", quantiles("boomerang_provider_seconds", "channel")),
                Panel("Attempts that will be repeated", "Per minute.", "short",
                      (q("60 * sum by (channel) (rate(boomerang_send_retries_total{$J}[$I]))", "{{channel}}"),)),
                Panel("Channel down", "1 while nothing can be handed over.", "short",
                      (q("max by (channel) (boomerang_channel_down{$J})", "{{channel}}"),), alerts=("BoomerangChannelDown",)),
                Panel("Connections to the relay", "Busy, idle, and the limit of BOOMERANG_SMTP_CONNECTIONS.", "short",
                      (q("sum by (state) (boomerang_smtp_connections{$J})", "{{state}}"),)),
                Panel("Certificates and tokens", "Time until they expire.", "s",
                      (q("min by (credential) (boomerang_credential_expiry_timestamp_seconds{$J}) - time()", "{{credential}}"),),
                      alerts=("BoomerangCredentialExpiring",)),
                Panel("The second guard", "Questions that Redis did not answer, per second; the ledger decides alone then. Names: ids of messages "
                      "and short links that were not kept or found.", "short",
                      (q("sum(rate(boomerang_guard_unavailable_total{$J}[$I]))", "questions"),
                       q("sum(rate(boomerang_references_unavailable_total{$J}[$I]))", "names")), alerts=("BoomerangRedisDown",)),
            ),
        ),
        Row(
            "Queues",
            (
                Panel("Outbox", "Messages taken and not settled.", "short",
                      (q("sum by (instance) (boomerang_outbox_pending{$J})", "{{instance}}"),)),
                Panel("Oldest message", "Its age.", "s",
                      (q("max by (instance) (boomerang_outbox_oldest_seconds{$J})", "{{instance}}"),), alerts=("BoomerangOutboxOld",)),
                Panel("Journal", "Lines stored per second; down is 1 while the database takes none.", "short",
                      (q("sum(rate(boomerang_journal_lines_total{$J}[$I]))", "lines"),
                       q("max(boomerang_journal_down{$J})", "down")), alerts=("BoomerangJournalDown",)),
                Panel("Dead letters", "By reason, per minute.", "short",
                      (q("60 * sum by (reason) (rate(boomerang_dead_letters_total{$J}[$I]))", "{{reason}}"),),
                      alerts=("BoomerangDeadLetterFlood",)),
                Panel("Inbox for development", "Mails that the dev inbox took, per minute; empty where a relay is set.", "short",
                      (q("60 * sum(rate(boomerang_inbox_messages_total{$J}[$I]))", "mails"),)),
            ),
        ),
    ),
)  # fmt: skip

SCENARIOS = Screen(
    "boomerang-scenarios",
    "Boomerang: scenarios",
    "For marketing: what fired, what was held back and why, and what came of it.",
    (
        Row(
            "What fired",
            (
                Panel("Fired, 24 h", "Triggers by scenario.", "short",
                      (q("sum by (scenario) (increase(boomerang_triggers_total{$J}[24h]))", "{{scenario}}"),), "bargauge", 12),
                Panel("Armed, 24 h", "Customers in whom a scenario began to wait.", "short",
                      (q('sum by (scenario) (increase(boomerang_engine_decisions_total{$J,reason="armed"}[24h]))', "{{scenario}}"),),
                      "bargauge", 12),
            ),
        ),
        Row(
            "What was held back, and why",
            (
                Panel("Held back when due", "Decisions per hour not to fire, by scenario and reason.", "short",
                      (q('3600 * sum by (scenario, reason) (rate(boomerang_engine_decisions_total{$J,reason!~"armed|moved|fired|ended_.*'
                         '|linked|receipt|consent_changed|historical|state_.*|forwarded"}[$I]))', "{{scenario}} {{reason}}"),), width=12),
                Panel("Ended before they came due", "The customer did what was missing: per hour.", "short",
                      (q('3600 * sum by (scenario, reason) (rate(boomerang_engine_decisions_total{$J,reason=~"ended_.*"}[$I]))',
                         "{{scenario}} {{reason}}"),), width=12),
            ),
        ),
        Row(
            "What came of it",
            (
                Panel("Messages, 24 h", "Receipts by scenario: sent, held back, failed, and what customers did (opened and clicked "
                      "where the channel tells).", "short",
                      (q("sum by (scenario, outcome) (increase(boomerang_receipts_total{$J}[24h]))", "{{scenario}} {{outcome}}"),),
                      "bargauge", 12),
                Panel("Clicked, of what was sent, 24 h", "Share of the messages of a scenario whose links a person has followed.", "percentunit",
                      (q('sum by (scenario) (increase(boomerang_receipts_total{$J,outcome="clicked"}[24h]))'
                         ' / sum by (scenario) (increase(boomerang_receipts_total{$J,outcome="sent"}[24h]) > 0)', "{{scenario}}"),),
                      "bargauge", 12),
                Panel("Called back by a purchase, 24 h", "Triggers that were cancelled, before they were handed over, because the goal was reached.",
                      "short", (q('sum by (scenario) (increase(boomerang_engine_decisions_total{$J,reason="goal_reached"}[24h]))',
                                  "{{scenario}}"),), "bargauge", 12),
                Panel("Loaded scenarios", "Versions that the workers have.", "short",
                      (q("count by (scenario, version) (boomerang_scenario_info{$J})", "{{scenario}} v{{version}}"),), "stat", 18),
                Panel("Reloads, 24 h", "Times that changed scenarios or templates were taken, or refused.", "short",
                      (q("sum by (folder, outcome) (increase(boomerang_reloads_total{$J}[24h]))", "{{folder}} {{outcome}}"),), "stat", 6,
                      alerts=("BoomerangReloadRefused", "BoomerangScenariosDiffer")),
            ),
        ),
        Row(
            "Segments and journeys",
            (
                Panel("Customers in segments", "As of now, over all partitions; none where no scenario asks for a segment and the shop has none of its own.",
                      "short", (q("sum by (segment) (boomerang_segment_customers{$J})", "{{segment}}"),), "bargauge", 8),
                Panel("Entered and left, 24 h", "Customers who came into a segment, or went, by what they did or as time passed.", "short",
                      (q("sum by (segment, way) (increase(boomerang_segment_moves_total{$J}[24h]))", "{{segment}} {{way}}"),), "bargauge", 8),
                Panel("Journeys, 24 h", "Of scenarios with steps: begun, refused, waiting, ended, by scenario and reason.", "short",
                      (q('sum by (scenario, reason) (increase(boomerang_engine_decisions_total{$J,reason=~"journey_.*|waited_in_vain|team_told"}[24h]))',
                         "{{scenario}} {{reason}}"),), "bargauge", 8),
            ),
        ),
        Row(
            "What it brings",
            (
                Panel("Goals of 1,000 times due, 7 days", "Orders, or a scenario's own goals, after it came due, of recipients and of the control group; "
                      "given back ones are taken off. `boomerang worth` and the console count customers, and tell how sure a difference is.", "short",
                      (q("1000 * scenario:goals_per_entry:7d", "{{scenario}} {{group}}"),), "bargauge", 8),
                Panel("Uplift of 1,000 times due, 7 days", "Goals of recipients less those of the control group. Of few customers it says nothing.", "short",
                      (q("1000 * scenario:uplift:7d", "{{scenario}}"),), "bargauge", 8),
                Panel("Times due, 7 days", "Of recipients and of the control group: how much the two panels beside it rest on.", "short",
                      (q("sum by (scenario, group) (increase(boomerang_scenario_entered_total{$J}[7d]))", "{{scenario}} {{group}}"),),
                      "bargauge", 8),
                Panel("Orders owed, 24 h", "Attributed to the last message that touched, associated with others, and taken back: refunds, and orders "
                      "that another message has now. Likewise goals other than orders, of scenarios that have such.", "short",
                      (q("sum by (scenario, part) (increase(boomerang_orders_owed_total{$J}[24h]))", "{{scenario}} {{part}}"),
                       q("sum by (scenario, part) (increase(boomerang_goals_owed_total{$J}[24h]))", "{{scenario}} goals {{part}}")), "bargauge", 8),
                Panel("Revenue owed, 24 h", "What attributed orders and goals with a value came to, and what of it was taken back, by currency.", "short",
                      (q("sum by (scenario, currency) (increase(boomerang_revenue_total{$J}[24h]))", "{{scenario}} {{currency}}"),
                       q("sum by (scenario, currency) (increase(boomerang_revenue_taken_back_total{$J}[24h]))",
                         "{{scenario}} {{currency}} taken back")), "bargauge", 8),
                Panel("Cost by scenario, 24 h", "What its messages have cost, in the currency of the policy.", "short",
                      (q("sum by (scenario) (increase(boomerang_spent_total{$J}[24h]))", "{{scenario}}"),), "bargauge", 8),
            ),
        ),
        Row(
            "What it costs, in the currency of the policy",
            (
                Panel("Spent, 24 h", "What messages have cost, by channel.", "short",
                      (q("sum by (channel) (increase(boomerang_spent_total{$J}[24h]))", "{{channel}}"),), "bargauge", 6),
                Panel("Price of a message, 24 h", "What was spent on a channel, by the messages that went out over it.", "short",
                      (q('sum by (channel) (increase(boomerang_spent_total{$J}[24h]))'
                         ' / sum by (channel) (increase(boomerang_sends_total{$J,outcome="sent"}[24h]) > 0)', "{{channel}}"),),
                      "bargauge", 6),
                Panel("The day's budget, used", "Share of a scenario's ceiling of today that is spent. What it has no more money for is held back "
                      "with the reason budget_spent.", "percentunit",
                      (q("sum by (scenario) (boomerang_budget_spent{$J}) / (sum by (scenario) (boomerang_budget_ceiling{$J}) > 0)",
                         "{{scenario}}"),), "bargauge", 6, (), ((0.0, "green"), (0.8, "orange"), (1.0, "red"))),
                Panel("Saved against everything by SMS, 24 h", "What the same triggers would have cost as one SMS each, less what was spent.",
                      "short", (q("sum(increase(boomerang_spent_by_sms_total{$J}[24h])) - sum(increase(boomerang_spent_total{$J}[24h]))",
                                  "saved"),), "stat", 6),
            ),
        ),
        Row(
            "Is the catalogue up to date?",
            (
                Panel("Age of the last import", "Since the feed was last imported. After a day somebody is told.", "s",
                      (q("time() - max by (feed) (boomerang_catalogue_last_success_timestamp_seconds{$J})", "{{feed}}"),),
                      alerts=("BoomerangCatalogueOld",)),
                Panel("Offers", "Offers of the feed by what they are worth to us.", "short",
                      (q("max by (feed, state) (boomerang_catalogue_offers{$J})", "{{feed}} {{state}}"),), stacked=True),
                Panel("Changes", "Changes of price and stock that were published, per hour.", "short",
                      (q("3600 * sum by (kind) (rate(boomerang_catalogue_changes_total{$J}[$I]))", "{{kind}}"),)),
                Panel("Imports", "Imports per hour by what became of them.", "short",
                      (q("3600 * sum by (outcome) (rate(boomerang_catalogue_imports_total{$J}[$I]))", "{{outcome}}"),)),
                Panel("Duration", "From the beginning of an import to its commit.", "s", quantiles("boomerang_catalogue_import_seconds")),
            ),
        ),
    ),
)  # fmt: skip

TALK = 'reason=~"taken|snoozed|snooze_over|dismissed|escalated|client_returned|joined|held_by_dialog"'
ENDS = 'reason=~"ended_by_answer|ended_by_manager|ended_by_closing"'

DIALOGS = Screen(
    "boomerang-dialogs",
    "Boomerang: dialogs",
    "For the head of sales: who waits, what was done about it, and whether messengers are heard.",
    (
        Row(
            "Who waits?",
            (
                Panel("A manager is awaited", "Clients who wrote last and wait for an answer.", "short",
                      (q('max(boomerang_dialogs{$J,state="manager_awaited"})', "clients"),), "stat", 6),
                Panel("The client is silent", "Dialogs with an alert about a client who went silent, or that somebody has taken up.", "short",
                      (q('max(boomerang_dialogs{$J,state="client_silent"})', "dialogs"),), "stat", 6),
                Panel("Past a deadline", "Dialogs on the board of which a deadline has passed.", "short",
                      (q('max(boomerang_dialogs{$J,state="breached"})', "dialogs"),), "stat", 6, (), ((1, "orange"), (10, "red"))),
                Panel("Nobody has taken it", "Open alerts that nobody has taken or put off.", "short",
                      (q('max(boomerang_dialogs{$J,state="alert_open"})', "alerts"),), "stat", 6, (), ((1, "orange"), (10, "red"))),
                Panel("On the board", "Dialogs in which somebody waits, or has to do something.", "short",
                      (q("max by (state) (boomerang_dialogs{$J})", "{{state}}"),), width=24),
            ),
        ),
        Row(
            "What is done about it?",
            (
                Panel("Ended by themselves", "Watches that ended because somebody spoke or closed the dialog, per hour.", "short",
                      (q("3600 * sum by (scenario, reason) (rate(boomerang_engine_decisions_total{$J," + ENDS + "}[$I]))",
                         "{{scenario}} {{reason}}"),)),
                Panel("What the team did", "Alerts taken, put off, dismissed, passed on, and clients who came back to the site, per hour.", "short",
                      (q("3600 * (sum(rate(boomerang_engine_decisions_total{$J," + TALK + "}[$I])) or vector(0))", "all"),
                       q("3600 * sum by (reason) (rate(boomerang_engine_decisions_total{$J," + TALK + "}[$I]))", "{{reason}}"))),
                Panel("Presses of buttons", "In messengers, by what became of them, per hour.", "short",
                      (q("3600 * (sum(rate(boomerang_alert_presses_total{$J}[$I])) or vector(0))", "all"),
                       q("3600 * sum by (channel, outcome) (rate(boomerang_alert_presses_total{$J}[$I]))", "{{channel}} {{outcome}}"))),
            ),
        ),
        Row(
            "Are messengers heard?",
            (
                Panel("What messengers told", "Per minute, by what became of it.", "short",
                      (q("60 * sum by (provider, outcome) (rate(boomerang_chat_events_total{$J}[$I]))", "{{provider}} {{outcome}}"),)),
                Panel("Not genuine", "Requests to webhooks with a wrong or missing signature, per minute.", "short",
                      (q("60 * sum by (provider, source, verdict) (rate(boomerang_chat_unauthentic_requests_total{$J}[$I]))",
                         "{{provider}} {{source}} {{verdict}}"),), alerts=("BoomerangChatNotGenuine",)),
                Panel("Gateways", "1 while a gateway's connection is open.", "short",
                      (q("max by (source) (boomerang_chat_gateway_connected{$J})", "{{source}}"),), alerts=("BoomerangChatGatewayDown",)),
            ),
        ),
    ),
)  # fmt: skip

SCREENS = (OVERVIEW, ENGINE, DELIVERY, SCENARIOS, DIALOGS)
