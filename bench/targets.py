"""What has to be reached, as data: which figure of which bench, at least or at most how much."""

from collections.abc import Callable
from typing import NamedTuple


class Target(NamedTuple):
    """`measure` gives the figure of each round. `must` and `aim` are bounds; `at_most` says of which kind."""

    bench: str
    text: str
    measure: Callable[[dict], list]
    must: float
    aim: float | None = None
    at_most: bool = True
    strictly: bool = False
    unit: str = ""

    @property
    def must_text(self):
        return _bound(self, self.must)

    @property
    def aim_text(self):
        return "" if self.aim is None else _bound(self, self.aim)


def _bound(target, value):
    number = f"{value:,.0f}" if value >= 1000 or float(value).is_integer() else f"{value:g}"
    sign = ("<" if target.at_most else ">") if target.strictly else ("<=" if target.at_most else ">=")
    return f"{sign} {number}{target.unit}"


def reached(target, found, *, aim=False):
    """Whether the median of the rounds keeps the bound. Without an aim, the aim is not reached."""
    from statistics import median

    bound = target.aim if aim else target.must
    if bound is None or not found:
        return False
    value = median(found)
    if target.strictly:
        return value < bound if target.at_most else value > bound
    return value <= bound if target.at_most else value >= bound


def _line(lines, what):
    return next((line for line in lines if str(line.get("what") or line.get("bench") or "") == what), {})


def figure(what, key):
    """One figure of one row."""
    return lambda bench: [line[key] for lines in bench["rounds"] if key in (line := _line(lines, what))]


def over(key, what, base="boomerang"):
    """How many times the figure of another row is that of ours, in the same round."""

    def measure(bench):
        pairs = [(_line(lines, what).get(key), _line(lines, base).get(key)) for lines in bench["rounds"]]
        return [round(theirs / ours, 3) for theirs, ours in pairs if theirs and ours]

    return measure


def faults(what):
    """Missing, wrong, extra and duplicate triggers together."""
    names = ("missing", "wrong", "extra", "duplicate")
    return lambda bench: [sum(line[name] for name in names) for lines in bench["rounds"]
                          if "missing" in (line := _line(lines, what))]  # fmt: skip


def flatness(key, whats):
    """How far a figure's greatest value over some rows lies above its least, in percent."""

    def measure(bench):
        rows = [[_line(lines, what).get(key) for what in whats] for lines in bench["rounds"]]
        return [round((max(row) / min(row) - 1) * 100, 1) for row in rows if all(row)]

    return measure


def kept_rate(keys, large, small):
    """The least share of a rate that is left with `large` instead of `small`."""

    def measure(bench):
        pairs = [(_line(lines, large), _line(lines, small)) for lines in bench["rounds"]]
        return [round(min(big[key] / little[key] for key in keys), 2) for big, little in pairs if big and little]

    return measure


ONE, TEN = "1000000 pending", "10000000 pending"
SIDE, OURS = "sidebyside", "boomerang"
MILLION = "1,000,000 customers"
CHATS = ("telegram", "whatsapp", "vk", "chatwoot")
HTTP = ("sms", "webhook", "whatsapp", "telegram", "vk")
SIZES = ("100,000 customers", MILLION, "3,000,000 customers")

TARGETS = (
    *(
        Target(SIDE, f"CPU per event, {name} over ours", over("cpu_us_per_event", name), 1.0, at_most=False, strictly=True)
        for name in ("bytewax", "kafka-streams", "kafka-streams-eos", "flink")
    ),
    Target(SIDE, "CPU per event, plain Faust over ours", over("cpu_us_per_event", "faust"), 15.0, at_most=False),
    Target(SIDE, "CPU per event, ours", figure(OURS, "cpu_us_per_event"), 15.0, 7.0, unit=" us"),
    Target(SIDE, "rate of the second half, ours over Flink's", lambda bench: [
        round(1 / value, 3) for value in over("late_events_per_s", "flink")(bench)], 1.0, at_most=False, strictly=True),
    Target(SIDE, "wrong, missing, extra or repeated triggers, ours", faults(OURS), 0),
    Target("recovery", "the same after kill -9", faults(OURS), 0),
    Target("recovery", "caught up, Kafka Streams with exactly-once over ours", over("caught_up_s", "kafka-streams-eos"), 1.0,
           at_most=False, strictly=True),
    Target("recovery", "caught up after kill -9", figure(OURS, "caught_up_s"), 15.0, 5.0, unit=" s"),
    Target("restore", "1,000,000 customers, start to first event", figure(MILLION, "first_event_s"), 15.0, 8.0, unit=" s"),
    Target("restore", "memory for a million customers", figure(MILLION, "gb_per_million"), 0.7, 0.4, unit=" GB"),
    Target("restore", "memory is linear: bytes a customer part by", flatness("bytes_a_customer", SIZES), 10, unit=" %"),
    Target("timers", "a million timers: scheduled", figure(ONE, "schedule_per_s"), 500_000, at_most=False, unit="/s"),
    Target("timers", "a million timers: postponed", figure(ONE, "postpone_per_s"), 1_000_000, at_most=False, unit="/s"),
    Target("timers", "a million timers: fired", figure(ONE, "fire_per_s"), 300_000, at_most=False, unit="/s"),
    Target("timers", "ten million timers: share of these rates",
           kept_rate(("schedule_per_s", "postpone_per_s", "fire_per_s"), TEN, ONE), 0.7, at_most=False),
    Target("timers", "a timer, in memory", figure(ONE, "bytes_a_timer"), 60, unit=" B"),
    Target("burst", "10,000 due in one second, p50", figure("10,000 due", "p50_ms"), 50, unit=" ms"),
    Target("burst", "10,000 due in one second, p99", figure("10,000 due", "p99_ms"), 250, 100, unit=" ms"),
    Target("burst", "10,000 due at one moment, drained", figure("10,000 due", "drained_per_s"), 10_000, at_most=False, unit="/s"),
    Target("collector", "requests of one event, a core", figure("single", "requests_per_core_s"), 5_000, 10_000, at_most=False,
           unit="/s"),
    Target("collector", "events in requests of 20, a core", figure("20 a request", "events_per_core_s"), 60_000, 120_000,
           at_most=False, unit="/s"),
    Target("collector", "p99 at 2,500 requests/s", figure("single, 2,500/s", "ack_ms_p99"), 25, unit=" ms"),
    Target("collector", "p99 at 1,500 requests/s of 20 events", figure("20 a request, 1,500/s", "ack_ms_p99"), 25, unit=" ms"),
    *(
        Target("chat", f"webhook requests of {name}, a core", figure(name, "requests_per_core_s"), 3_000, at_most=False, unit="/s")
        for name in CHATS
    ),
    *(Target("chat", f"p99 at 1,500 requests/s of {name}", figure(f"{name}, 1,500/s", "ack_ms_p99"), 25, unit=" ms") for name in CHATS),
    Target("email", "mails a core, DKIM off", figure("email", "mails_per_cpu_second"), 700, 1_500, at_most=False, unit="/s"),
    Target("email", "mails a core, DKIM on (RSA 2048)", figure("email", "dkim_mails_per_cpu_second"), 250, 500, at_most=False, unit="/s"),
    Target("cascade", "gates, ledger and template of a message", figure("gates and render", "cpu_us_per_message"), 300, unit=" us"),
    Target("cascade", "a pending stage beside the customer, by objects", figure("pending stages", "bytes_a_pending_stage"), 150, unit=" B"),
    Target("cascade", "the same by resident memory, 1,000,000 of them", figure("pending stages", "rss_a_pending_stage"), 150, unit=" B"),
    *(
        Target("channels", f"messages over {name}, a core", figure(name, "messages_per_cpu_second"), 1_500, at_most=False, unit="/s")
        for name in HTTP
    ),
    Target("channels", "p99 of a channel beside one that hangs, over its p99 alone",
           figure("beside one that hangs", "p99_ratio"), 2.0),
    *(Target("channels", f"requests in flight over {name}", figure(name, "in_flight_most"), 200) for name in HTTP),
    Target("scenarios", "CPU per event with 500 scenarios, over 20", over("us_per_event", "500 scenarios", "20 scenarios"), 2.0),
    Target("scenarios", "check of 100 files, CPU", figure("check of 100 files", "cpu_s"), 1.0, unit=" s"),
    Target("scenarios", "backtest of the topic, events a core", figure("backtest of the topic", "events_per_cpu_s"), 60_000,
           at_most=False, unit="/s"),
    Target("catalogue", "100,000 offers: resident memory of the import", figure("first", "rss_mb"), 150, unit=" MB"),
    Target("scaleout", "CPU per event over 1, 2 and 4 workers parts by",
           flatness("cpu_us_per_event", ("1 worker", "2 workers", "4 workers")), 15, unit=" %"),
)  # fmt: skip
