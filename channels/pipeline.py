"""From a claimed message to a verdict: small stages with one signature, walked in order until one of them decides.

A stage returns None ("go on") or a `Verdict`: the ledger's next move and its reason. Only `Speak` reaches a provider, and only
`after_attempt` decides whether there is another attempt.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from app.model.alert import AlertUpdate
from app.model.policy import Policy
from app.model.reasons import Reason
from app.model.trigger import Trigger
from channels import alert, retry
from channels.channel import (
    Ambiguous,
    Channel,
    Down,
    Later,
    Misconfigured,
    Rejected,
    Rendered,
    Retry,
    Sent,
)
from channels.circuit import FAILURES, Circuits, name_of
from channels.ledger import Move
from channels.policy import Facts, hushed, refusal
from channels.render import RenderError, Templates
from channels.rendering import AT_ONCE, Rendering, Thread

log = logging.getLogger(__name__)

MOST_DETAIL = 200


class Verdict(NamedTuple):
    """What becomes of a message. `move` of None: nothing was handed over and the whole channel has to wait (`after` seconds).

    `alone`: only this message has to wait. `next_at` is epoch seconds (POSTPONE only), `put_off`: the provider named the time, and the attempt does not count;
    `suppress`: the address is dead.
    """

    move: Move | None
    reason: str
    detail: str = ""
    next_at: float = 0.0
    suppress: bool = False
    provider_id: str = ""
    after: float | None = None
    alone: bool = False
    put_off: bool = False


class Withheld(Exception):  # noqa: N818 - not an error: the ledger decided otherwise
    """The irreversible moment was not granted. `verdict` of None: the message is not ours any more, leave it."""

    def __init__(self, verdict: Verdict | None) -> None:
        super().__init__("withheld")
        self.verdict = verdict


class Job(msgspec.Struct):
    """One attempt at one message, filled in by the stages. `spoken`: the irreversible moment was granted."""

    message_id: str
    trigger: Trigger
    template: str
    channel: Channel
    address: str
    attempt: int
    grant: Callable[["Job"], Awaitable[None]]
    facts: Callable[["Job"], Facts]
    rendered: Rendered | None = None
    spoken: bool = False
    change: AlertUpdate | None = None
    """Set where the message is a change of an alert that the provider has under `ref`."""
    ref: str = ""
    put_off: int = 0
    """Of the attempts before this one, those that the provider put off."""
    affords: Callable[["Job"], bool] = lambda _job: True
    """Whether the scenario can pay for it, as it was rendered."""


UnsubscribeUrl = Callable[[str, Trigger, str, str], str]
"""(message id, trigger, channel, address) -> the link that ends marketing messages to the address."""

ConfirmUrl = Callable[[str, Trigger, str, str], str]
"""The same for the link by which a consent is confirmed."""

ReceiptUrl = Callable[[str, Trigger, Channel], str]
"""(message id, trigger, channel) -> where the provider may tell what became of the message; "" where it cannot."""


class Urls(NamedTuple):
    """Makes the addresses of ours that go out with a message."""

    unsubscribe: UnsubscribeUrl
    receipt: ReceiptUrl = lambda _message_id, _trigger, _channel: ""
    confirm: ConfirmUrl = lambda _message_id, _trigger, _channel, _address: ""


Asked = Sent | Retry | Rejected | Misconfigured | Down | Ambiguous
"""Answers of a provider that was asked."""

Stage = Callable[[Job], Awaitable[Verdict | None]]


class Gates:
    """Hold the message back if there is a reason to by now (channels/policy.py)."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def take(self, policy: Policy) -> None:
        """Go on with another policy."""
        self._policy = policy

    async def __call__(self, job: Job) -> Verdict | None:
        """Refused, put off, or None: go on."""
        return gate(job.facts(job), self._policy)


def gate(facts: Facts, policy: Policy) -> Verdict | None:
    """Whether the message is refused for good, or put off until quiet hours are over; None: it may be spoken."""
    reason = refusal(facts)
    if reason is not None:
        return Verdict(Move.REFUSE, reason)
    opens = hushed(policy, facts.trigger, facts.channel, facts.now)
    if not opens:
        return None
    if facts.trigger.quiet == "drop":
        return Verdict(Move.REFUSE, Reason.QUIET_HOURS)
    return Verdict(Move.POSTPONE, Reason.QUIET_HOURS, next_at=opens, put_off=True)


async def address(job: Job) -> Verdict | None:
    """Hold back what has no usable address."""
    problem = job.channel.usable(job.address)
    return Verdict(Move.REFUSE, Reason.BAD_ADDRESS, problem[:MOST_DETAIL]) if problem else None


class Render:
    """Make the texts, with the unsubscribe link of a marketing message; of an alert its cards, with links to `board`."""

    def __init__(
        self, templates: Templates, urls: Urls, now: Callable[[], float], board: str = "", thread: Thread | None = None
    ) -> None:
        self._templates, self._rendering = templates, Rendering(templates, now, thread)
        self._urls = urls
        self._now = now
        self._board = board

    async def __call__(self, job: Job) -> Verdict | None:
        """Park a message whose template fails; nobody else waits for it."""
        try:
            trigger = self._told(job.trigger)
        except RenderError as error:
            return Verdict(Move.FAIL, Reason.RENDER_FAILED, str(error)[:MOST_DETAIL])
        what = job.message_id, trigger, job.channel.name, job.address
        link = self._urls.unsubscribe(*what) if trigger.marketing else ""
        now, locale = self._now(), self._templates.language(trigger.locale)
        cards = tuple(
            made
            for size in alert.SIZES
            if (made := alert.card(trigger, locale, now, self._board, change=job.change, ref=job.ref, size=size))
        )
        try:
            card = cards[0] if cards else None
            signed = self._urls.confirm(*what) if trigger.confirm_until else link
            texts = await self._rendering.render(job.template, trigger, signed, card, job.channel.name)
        except RenderError as error:
            return Verdict(Move.FAIL, Reason.RENDER_FAILED, str(error)[:MOST_DETAIL])
        job.rendered = Rendered(
            job.message_id,
            trigger.trigger_id,
            trigger.scenario,
            job.address,
            trigger.content.name,
            texts.subject,
            texts.text,
            texts.html,
            link,
            now,
            cards,
            locale,
            "" if cards else self._urls.receipt(job.message_id, trigger, job.channel),
            texts.link,
            trigger.customer,
        )
        return None

    def _told(self, trigger: Trigger) -> Trigger:
        """The trigger with the words of its alert, where a template says them. Raises RenderError."""
        if trigger.alert is None or not trigger.alert.template:
            return trigger
        title, note = self._templates.told(trigger, seconds=AT_ONCE)
        told = msgspec.structs.replace(trigger.alert, title=title, note=note)
        return msgspec.structs.replace(trigger, alert=told)


async def affordable(job: Job) -> Verdict | None:
    """Hold back what its scenario cannot pay today, before it waits for a provider."""
    return None if job.affords(job) else Verdict(Move.REFUSE, Reason.BUDGET)


class Speak:
    """Hand the message over and translate the answer. `observe(channel, seconds)` gets the duration of each attempt."""

    def __init__(
        self, now: Callable[[], float], monotonic: Callable[[], float], observe: Callable[[str, float], None]
    ) -> None:
        self._now = now
        self._monotonic = monotonic
        self._observe = observe
        self._circuits = Circuits()

    async def __call__(self, job: Job) -> Verdict | None:
        """Always a verdict. Raises Withheld(None) when the message is not ours any more."""
        assert job.rendered is not None, "rendered by the stage before"
        name = name_of(job.channel.name, job.address, alert=bool(job.rendered.cards))
        wait = self._circuits.ask(name, self._monotonic())
        if wait > 0.0:
            detail = f"{name.partition(':')[0]} has failed {FAILURES} times in a row and is left alone"
            return Verdict(None, Reason.RETRY, detail, after=wait, alone=name != job.channel.name)
        try:
            return await self._ask(job, job.rendered, name)
        finally:
            self._circuits.undecided(name)

    async def _ask(self, job: Job, rendered: Rendered, circuit: str) -> Verdict:
        started = self._monotonic()
        try:
            answer = await job.channel.send(rendered, lambda: job.grant(job))
        except Withheld as withheld:
            if withheld.verdict is None:
                raise
            return withheld.verdict
        except Exception as error:  # a channel's bug must not stop the others
            what = f"{type(error).__name__}: {error}"
            answer = Ambiguous(what) if job.spoken else Retry(None, what)
        if isinstance(answer, Later):
            return Verdict(None, Reason.RETRY, "the chat's pace", after=answer.after, alone=True)
        self._observe(job.channel.name, self._monotonic() - started)
        self._note(circuit, answer, spoken=job.spoken)
        return after_attempt(answer, job, self._now())

    def _note(self, circuit: str, answer: Asked, *, spoken: bool) -> None:
        match answer:
            case Ambiguous() | Misconfigured() if spoken:
                if self._circuits.failed(circuit, self._monotonic()):
                    log.warning("%s is left alone for a while: %s", circuit.partition(":")[0], answer.reason)
            case Sent() | Rejected() | Retry():
                self._circuits.succeeded(circuit)


def after_attempt(answer: Asked, job: Job, now: float) -> Verdict:
    """The verdict that follows from a provider's answer; the one place that knows of further attempts. `now` is the wall clock."""
    detail = "" if isinstance(answer, Sent) else answer.reason[:MOST_DETAIL]
    match answer:
        case Sent():
            return Verdict(Move.ACCEPT, Reason.SENT, provider_id=answer.provider_id[:MOST_DETAIL])
        case Rejected():
            return Verdict(Move.FAIL, Reason.REJECTED, detail, suppress=answer.suppress)
        case Ambiguous():
            return Verdict(Move.LOSE, Reason.AMBIGUOUS, detail)
        case Down() | Misconfigured() if not job.spoken:
            reason = Reason.MISCONFIGURED if isinstance(answer, Misconfigured) else Reason.RETRY
            return Verdict(None, reason, detail, after=getattr(answer, "after", None))
        case _:
            after = answer.after if isinstance(answer, Retry | Down) else None
            return _another(job, now, after, detail)


def _another(job: Job, now: float, after: float | None, detail: str) -> Verdict:
    """A further attempt. One for which the provider named the time is bounded by the message's expiry alone."""
    asked, failed = after is not None, job.attempt - job.put_off
    next_at = now + retry.wait(job.message_id, job.attempt if asked else failed, after)
    if retry.exhausted(0 if asked else failed, next_at, job.trigger.expires_at + (now - job.facts(job).now)):
        return Verdict(Move.FAIL, Reason.RETRIES_EXHAUSTED, detail)
    return Verdict(Move.POSTPONE, Reason.RETRY, detail, next_at=next_at, put_off=asked)


async def run(stages: tuple[Stage, ...], job: Job) -> Verdict:
    """Walk the stages; the last one always decides."""
    for stage in stages:
        verdict = await stage(job)
        if verdict is not None:
            return verdict
    raise AssertionError("the last stage decides")
