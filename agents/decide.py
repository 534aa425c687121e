"""What is decided about one customer: an event, a receipt or a moment in, a Decision out. Pure; `now` is an argument.

State is changed in place and is the truth; `wake_at` says when the customer wants to be looked at again.
"""

from collections.abc import Iterable, Mapping
from copy import copy
from zoneinfo import ZoneInfo

from agents import optin
from agents.allowed import NOBODY, Basis
from agents.arming import held_by_dialog, start
from agents.cascade import on_news
from agents.claiming import claim
from agents.decision import Decision
from agents.dialogs.staff import Staff
from agents.due import decide_due
from agents.ending import cancel, end, refused
from agents.joining import join
from agents.journeys import replenish
from agents.journeys.dates import told_dates, wake_of
from agents.journeys.hear import on_heard
from agents.journeys.moment import Moment
from agents.journeys.planned import decide_planned
from agents.journeys.sweep import decide_change
from agents.journeys.walk import settle
from agents.kept import kept_for
from agents.receipts import REFUSALS, meant, on_receipt
from agents.scenarios.evaluate import ShelfOf
from agents.scenarios.index import Dues, Heard, ScenarioIndex
from agents.scenarios.language import Scenario
from agents.scenarios.needs import asks_presence, unread
from agents.segments.language import SegmentSet
from agents.segments.membership import Changed, Memberships, difference, note_changes, segments_of
from agents.worth.goals import on_goal, on_order, on_reaction, on_return
from agents.zones import shop_zone
from app.model.event import EMAIL, Event, Glance
from app.model.journal import JournalLine
from app.model.policy import Policy
from app.model.reasons import Reason
from app.model.receipt import Outcome, Receipt
from tables.apply import HANDLERS, NO_VISIT, RETURNS, apply
from tables.customer import Customer, Sweep
from tables.signals import CART_BOUNDED, CONSENT_CHANGED, ORDERED

_LINKING = ("identify", "alias")


class Decider:
    """The scenarios, indexed by the signals that start and end them."""

    def __init__(
        self,
        scenarios: Iterable[Scenario],
        *,
        locale: str = "en",
        policy: Policy | None = None,
        former: Iterable[Scenario] = (),
        segments: SegmentSet | None = None,
        staff: Staff = NOBODY,
    ) -> None:
        """`former` are earlier versions, under which what has begun may end. `locale` is the language of messages to customers whose own is not known; no `policy`: the one that is built in. `staff`: whom alerts of journeys go to."""
        self._reads_all, self._staff = False, staff
        self.members = Memberships(segments or SegmentSet())
        self._take(ScenarioIndex(scenarios, former), policy or Policy(), locale)

    def take(
        self,
        scenarios: Iterable[Scenario],
        former: Iterable[Scenario] = (),
        segments: SegmentSet | None = None,
        policy: Policy | None = None,
        staff: Staff | None = None,
    ) -> None:
        """Go on with other scenarios, and other segments, policy and team where some are given. Between two steps: what a step has begun it ends with the same ones."""
        if segments is not None and segments.mark != self.members.mark:
            self.members = Memberships(segments)
        self._staff = staff or self._staff
        self._take(ScenarioIndex(scenarios, former), policy or self._basis.policy, self._basis.locale)

    def _take(self, index: ScenarioIndex, policy: Policy, locale: str) -> None:
        self._index, self._segmented = index, bool(self.members)
        self.dues = index.dues  # for what asks more than once when a customer's are due
        self._basis = Basis(index, policy, locale, self.members.noted, self._staff)
        needless = frozenset() if self._reads_all else unread(index.all())
        self.kept = kept_for(index.all(), self.members)
        self.coarse = not (self._reads_all or self.members or self.kept.devices or asks_presence(index.all()))
        # names of events that say more than that the customer is there
        self.meaningful = index.named | (frozenset(HANDLERS) - needless) | self.members.heard | self.kept.events

    def read_all(self) -> None:
        """Keep the traces of all that customers do, whether a scenario of the site reads them or not."""
        self._reads_all, self.coarse = True, False
        self.meaningful |= frozenset(HANDLERS)

    def known(self, scenario: str) -> str:
        """The scenario's id where it is one of ours, else `other`: what a counter may be named after."""
        return scenario if scenario in self._index.by_id else "other"

    # -- events --------------------------------------------------------------------------------------------------

    def on_event(self, key: str, customer: Customer, event: Event, at: float) -> Decision:
        """Apply one event of customer `key` that happened at `at`. What it means depends on event time alone."""
        linking = event.type in _LINKING
        before = copy(customer.profile) if linking else None
        wanted = {} if event.traits is None else optin.set_aside(self._basis.policy, event)
        seen, counted = customer.last_seen, customer.orders.count if customer.orders is not None else 0
        signals = apply(customer, event, at)
        decision = Decision(customer)
        if event.event in self.kept.events or self.kept.devices:
            self.kept.note(customer, event, at)
        changed = self.members.on_event(customer, event, signals, at, seen) if self.members else []
        heard = self._index.heard(signals, "" if event.historical else event.event)
        if heard is not None:
            self._hear(decision, key, heard, event, at)
        if (goal_of := self._index.goals.get(event.event)) is not None:
            decision.reasons += on_goal(self._basis, key, customer, event, goal_of, at)
        if event.event in RETURNS:
            decision.reasons += on_return(key, customer, event, at)
        if event.historical and event.event in HANDLERS:
            decision.reasons.append(JournalLine(at, key, Reason.HISTORICAL, event_id=event.messageId))
        if linking:
            claim(decision, key, event, at, before)
        if (
            self._index.purchases
            and ORDERED in signals
            and customer.orders is not None
            and customer.orders.count > counted
        ):
            replenish.on_order(self._basis, decision, key, event, at)
        if self._index.dated:
            told_dates(self._basis, decision)
        if event.traits is not None and self._basis.policy.confirm is not None:
            optin.ask(self._basis, decision, key, event, at, wanted, before.email if before is not None else "")
        if self.members:
            self._moved(decision, key, changed, at, event)
        return decision

    def _moved(
        self, decision: Decision, key: str, changed: list[Changed], at: float, event: Event | None = None
    ) -> None:
        """Write down who entered and left what, and let scenarios hear of it."""
        if changed:
            name = event.messageId if event is not None else ""
            at = note_changes(decision, key, changed, name, at)
            for one in changed:
                heard = self._index.heard((one.signal,), "")
                for signal, scenarios in heard.ending if heard is not None else ():
                    end(self._basis, decision, key, signal, scenarios, name, at)
                if heard is not None and (event is None or not event.historical):
                    anchor, told = name or f"{one.signal}@{at:.0f}", event.properties if event is not None else None
                    for signal, starting in heard.starting:
                        start(self._basis, decision, key, signal, starting, anchor, at, told)
                    on_heard(Moment(self._basis, decision, key, at, at, anchor, told), heard)
            self._settled(decision, key, at)
        due = self.members.wake_of(decision.customer)
        if due is not None and (decision.wake_at is None or due < decision.wake_at):
            decision.wake_at = due

    def is_mere_activity(self, event: Event | Glance) -> bool:
        """Whether the event says no more than that the customer is there."""
        return (
            event.event not in self.meaningful
            and event.type not in NO_VISIT
            and event.traits is None
            and not event.push
            and not event.historical
        )

    def _hear(self, decision: Decision, key: str, heard: Heard, event: Event, at: float) -> None:
        event_id = event.messageId
        for name, scenarios in heard.ending:
            end(self._basis, decision, key, name, scenarios, event_id, at)
        if not event.historical:
            for name, starting in heard.starting:
                start(self._basis, decision, key, name, starting, event_id, at, event.properties)
        if CART_BOUNDED in heard.signals:
            decision.reasons.append(JournalLine(at, key, Reason.STATE_BOUNDED, event_id=event_id))
        if CONSENT_CHANGED in heard.signals:
            self.consent_changed(decision, key, event_id, at)
        if ORDERED in heard.signals:
            profile = decision.customer.profile
            if profile is not None and profile.email:
                decision.ordered_as = EMAIL + profile.email.lower()
            decision.reasons += on_order(self._basis, key, decision.customer, event, at)
        if heard.awaited or heard.entering:
            moment = Moment(self._basis, decision, key, at, at, event_id, event.properties)
            on_heard(moment, heard, historical=event.historical)
        self._settled(decision, key, at)

    def _settled(self, decision: Decision, key: str, at: float) -> None:
        """Journeys walk on whose message was waited for, and is over."""
        engagement = decision.customer.engagement
        if engagement is not None and engagement.journeys is not None:
            settle(Moment(self._basis, decision, key, at, at))

    def consent_changed(self, decision: Decision, key: str, event_id: str, at: float) -> None:
        """Journal the consents as they are now, and call back what they no longer allow."""
        customer = decision.customer
        words: dict[str, str | float | int] = {
            name: "granted" if item.granted else "refused" for name, item in (customer.consent or {}).items()
        }
        decision.reasons.append(JournalLine(at, key, Reason.CONSENT_CHANGED, event_id=event_id, detail=words))
        cancel(decision, key, refused(self._basis, customer), Reason.CONSENT_WITHDRAWN, event_id, at)

    def on_receipt(self, key: str, customer: Customer, receipt: Receipt) -> Decision:
        """Apply a receipt of customer `key`: what it says of him, and of the trigger that it is about."""
        if receipt.outcome is Outcome.CONFIRMED:
            return self._confirmed(key, customer, receipt)
        lines, withdrawn = on_receipt(customer, receipt)
        decision = Decision(customer, reasons=lines)
        if receipt.outcome in REFUSALS:
            optin.refused_on_page(decision, key, receipt)
        item = meant(customer, receipt)
        if item is not None:
            on_news(self._basis, decision, key, item, receipt)
        trigger = receipt.trigger_id or (item.trigger_id if item is not None else "")
        decision.reasons += on_reaction(self._basis, key, customer, receipt, trigger)
        if withdrawn:
            self.consent_changed(decision, key, receipt.message_id, receipt.at)
        if item is not None and item.marketing and receipt.outcome in REFUSALS and item in (customer.open or ()):
            cancel(decision, key, [item], Reason.CONSENT_WITHDRAWN, receipt.message_id, receipt.at)
        if withdrawn and self.members:
            self._moved(decision, key, self.members.on_consent(customer, receipt.at), receipt.at)
        self._settled(decision, key, receipt.at)
        return decision

    def _confirmed(self, key: str, customer: Customer, receipt: Receipt) -> Decision:
        """A consent is confirmed: it counts from now on, for what it begins as well."""
        decision = Decision(customer)
        if optin.confirm(decision, key, receipt):
            self.consent_changed(decision, key, receipt.message_id, receipt.at)
            starting = self._index.starting.get(CONSENT_CHANGED)
            if starting:
                start(self._basis, decision, key, CONSENT_CHANGED, starting, receipt.message_id, receipt.at)
            if self.members:
                self._moved(decision, key, self.members.on_consent(customer, receipt.at), receipt.at)
        self._settled(decision, key, receipt.at)
        return decision

    def answered(self, key: str, customer: Customer, channel: str, at: float) -> Decision:
        """The client has written in a messenger at `at`: an answer to what went to him over it last, which may end that."""
        receipt = Receipt(Outcome.REPLIED, key, channel, at)
        item = meant(customer, receipt)
        decision = Decision(customer)
        if item is not None:
            on_news(self._basis, decision, key, item, receipt)
            decision.reasons += on_reaction(self._basis, key, customer, receipt, item.trigger_id)
            self._settled(decision, key, at)
        return decision

    # -- identity ------------------------------------------------------------------------------------------------

    def merge(self, key: str, customer: Customer, alias: str, state: Customer, at: float) -> Decision:
        """Join the state of `alias`, which has moved here, into `customer`."""
        was = segments_of(customer)
        decision = join(self._basis, key, customer, alias, state, at)
        self._settled(decision, key, at)
        decision.wake_at = self.wake_of(customer)
        if self.members:
            self._moved(decision, key, self.members.on_merge(customer, at), at)
        decision.moved = difference(was, segments_of(customer))
        return decision

    # -- time ----------------------------------------------------------------------------------------------------

    def wake_of(self, customer: Customer, dues: Dues | None = None) -> float | None:
        """The customer's earliest deadline, epoch seconds, or None. `dues`: what `dues` has just said of him."""
        if customer.engagement is None and not self._segmented:
            return self._index.wake_of(customer, dues)
        soonest, due = wake_of(self._basis, customer), self.members.wake_of(customer)
        return due if soonest is None or (due is not None and due < soonest) else soonest

    def held(self, key: str, customer: Customer, event_id: str, at: float) -> list[JournalLine]:
        """Lines about what is armed and has to wait, now that the customer is in a dialog."""
        return held_by_dialog(self._index, key, customer, event_id, at)

    def hears_of(self, kind: str) -> bool:
        """Whether some scenario begins on such a change of the catalogue."""
        return any(change.kind == kind for _, change in self._index.changing)

    def on_change(self, key: str, customer: Customer, sweep: Sweep, at: float) -> Decision:
        """What changes of the catalogue mean to customer `key`, as of `at` (epoch seconds)."""
        decision = Decision(customer)
        decide_change(self._basis, decision, key, sweep, at)
        if decision.reasons:
            self._settled(decision, key, at)
        return decision

    @property
    def planned(self) -> Mapping[str, Scenario]:
        """The scenarios that begin at times by the shop's clock, by id. Another mapping when others are taken."""
        return self._index.planned

    @property
    def shop_zone(self) -> ZoneInfo:
        """The zone of the shop's clock."""
        return shop_zone(self._basis.policy)

    def on_planned(self, key: str, customer: Customer, scenario: Scenario, sweep: Sweep, at: float) -> Decision:
        """What it means to customer `key`, as of `at` (epoch seconds), that a scenario's time has come."""
        decision = Decision(customer)
        decide_planned(self._basis, decision, key, scenario, sweep, at)
        if decision.reasons:
            self._settled(decision, key, at)
        return decision

    def on_ranks(self, key: str, customer: Customer, at: float) -> Decision:
        """What it means to customer `key`, as of `at` (epoch seconds), that customers are ranked anew."""
        decision = Decision(customer)
        if self.members.is_moved(customer, at):
            self._moved(decision, key, self.members.on_ranks(customer, at), at)
        return decision

    def on_due(self, key: str, customer: Customer, now: float, shelf: ShelfOf, until: float, dues: Dues) -> Decision:
        """Look at everything of customer `key` whose deadline is not after `until`; `now` is the clock (epoch seconds). `dues`: as of `wake_of`."""
        decision = decide_due(self._basis, key, customer, now, shelf, until, dues)
        if self._segmented or customer.engagement is not None:
            self._moved(decision, key, self.members.on_due(customer, until), until)
        return decision
