"""Which topics feed which agents, and which tables they write: the two apps on one page.

    engine      clickstream, chat, receipts, links -> behaviour -> customers | outbox, links, journal, dialogs, dead-letters
    delivery    outbox, receipts             -> delivery  -> ledger    | receipts, journal
                journal                      -> journal   -> SQL

Agents and tables have explicit names: a name is part of the group's and the changelog's identity, a module's path is not.
"""

from typing import TYPE_CHECKING, Any

from app.clock import SYSTEM, Clock, moment
from app.engine.base import EngineApp
from app.engine.journeys import Telling, attempts, decisions
from app.engine.wiring import agent, table
from app.settings import Settings
from app.topics import CHAT, CLICKSTREAM, CUSTOMERS_INPUTS, JOURNAL, LEDGER_INPUTS, OUTBOX
from app.tracing import journeys
from tables.store import FencedTable
from tables.writer import Fault

# Each app imports what it alone needs where it is made: what the other one needs is a fifth of a process's memory.
if TYPE_CHECKING:
    from agents.behaviour import Behaviour
    from agents.delivery.service import Delivery
    from agents.journal import JournalSink
    from app.engine.beside import Beside
    from app.engine.rules import Rules

ENGINE = "boomerang-engine"
DELIVERY = "boomerang-delivery"


def engine_app(settings: Settings, clock: Clock = SYSTEM, *, fault: Fault | None = None) -> EngineApp:
    """The worker: decides over customers. Raises ScenarioError, PolicyError or TeamError."""
    from agents.behaviour import ROW_TYPE
    from app.engine.counts import DecisionCounts, SegmentCounts, SweepCounts, WorthCounts
    from app.engine.reload import Reloader
    from app.engine.rules import load_rules

    live = settings.time == "live"
    rules = load_rules(settings, moment(clock.now()).year)
    behaviour = behaviour_of(settings, rules)
    app = EngineApp(ENGINE, settings)
    told = journeys(settings, "worker")
    customers = table(
        app,
        clock,
        name="customers",
        row_type=ROW_TYPE,
        packed=True,
        inputs=CUSTOMERS_INPUTS,
        across=(CLICKSTREAM.name, CHAT.name),
        wake_of=behaviour.wake_of,
        rebuilding=behaviour.rebuilding,
        on_gone=behaviour.sizes.gone,
        on_closed=behaviour.closed,
        on_timer=behaviour.on_timer,
        live=live,
        grace=settings.grace,
        triggers_to=OUTBOX.name,
        committed=decisions(told, clock) if told is not None else None,
        fault=fault,
    )
    if told is not None:
        app.attached.append(Telling(told))
    agent(app, "behaviour", customers, lambda step, bundle: behaviour.on_bundle(step, bundle, clock.now()))
    if live:
        app.attached += beside(settings, customers, behaviour, clock)
    app.observers.append(DecisionCounts(behaviour.counts, behaviour.dead, behaviour.receipts).take)
    app.observers.append(SweepCounts(behaviour.sweeps.counts).take)
    app.observers.append(WorthCounts(behaviour.worth).take)
    app.attached.append(Reloader(settings, rules, behaviour, customers, clock))
    app.observers.append(SegmentCounts(behaviour.sizes, rules.segments.names).take)
    return app


def beside(settings: Settings, customers: FencedTable, behaviour: "Behaviour", clock: Clock) -> "list[Beside]":
    """What goes on beside the worker's agent where the wall clock counts."""
    from app.engine.cooling import Cooler
    from app.engine.forget import Forgetter
    from app.engine.planning import Planner

    return [
        Forgetter(customers, clock, settings.anonymous_days),
        Cooler(customers, clock),
        Planner(customers, behaviour.upkeep, clock),
    ]


def behaviour_of(settings: Settings, rules: "Rules") -> "Behaviour":
    """What is decided, by these rules."""
    from agents.behaviour import Behaviour
    from agents.decide import Decider
    from agents.dialogs.decide import Dialogs

    return Behaviour(
        Decider(
            rules.scenarios.site,
            former=rules.scenarios.former,
            locale=settings.locale,
            policy=rules.policy,
            segments=rules.segments,
            staff=rules.staff,
        ),
        stream_time=settings.time != "live",
        partitions=settings.partitions,
        dialogs=Dialogs(rules.scenarios.dialogs, rules.staff),
    )


class Speaking:
    """The sender's service, tied to its table."""

    def __init__(self, delivery: "Delivery", ledger: FencedTable) -> None:
        self._delivery, self._ledger = delivery, ledger

    async def start(self) -> None:
        """Begin to speak."""
        await self._delivery.start(self._ledger)

    async def stop(self) -> None:
        """Finish what is being said."""
        await self._delivery.stop()


def delivery_app(settings: Settings, clock: Clock = SYSTEM, *, fault: Fault | None = None) -> EngineApp:
    """The sender, and the journal's sink beside it. Raises SettingsError."""
    from agents.delivery.channels import template_folders
    from agents.delivery.factory import make_delivery, templates_of
    from agents.journal import JournalSink
    from app.engine.policy import PolicyReloader
    from app.engine.templates import TemplateReloader
    from app.journal_store import JournalStore

    told = journeys(settings, "delivery")
    templates = templates_of(settings)
    delivery = make_delivery(settings, clock, attempts(told) if told is not None else None, templates)
    app = EngineApp(DELIVERY, settings)
    ledger = table(
        app,
        clock,
        name="ledger",
        row_type=delivery.row_type,
        inputs=LEDGER_INPUTS,
        wake_of=delivery.wake_of,
        on_timer=delivery.on_timer,
        on_opened=delivery.on_opened,
        on_closed=delivery.on_closed,
        live=settings.time == "live",
        fault=fault,
    )
    agent(app, "delivery", ledger, lambda step, bundle: delivery.on_bundle(step, bundle, clock.now()))
    app.attached.append(Speaking(delivery, ledger))
    folders = template_folders(settings)
    app.attached.append(TemplateReloader(templates, folders, settings.reload_seconds))
    app.attached.append(PolicyReloader(settings, delivery))
    if told is not None:
        app.attached.append(Telling(told))
    sink = JournalSink(JournalStore(settings.sql_url), clock, settings.journal_days)
    journal_agent(app, sink)
    return app


def journal_agent(app: EngineApp, sink: "JournalSink") -> Any:
    """Attach the agent that stores the journal's lines; a bundle is acknowledged when they are durable."""

    async def store(stream: Any) -> None:
        async for event in stream.noack().events():
            try:
                await sink.on_bundle(event.value.records, event.value.partition)
            except Exception as error:  # Faust would go on with the next bundle
                await app.crash(error)
                raise
            event.ack()

    return app.agent(app.source(JOURNAL.name), name="journal")(store)
