"""Double opt-in: a consent that the policy wants confirmed waits until the owner of the address has said yes to a mail. Pure.

    consent ──▶ asked, a mail goes out ──the button of its page──▶ granted, with both moments as the proof
                     ├─ nobody answers in time ──▶ lapsed
                     └─ consent refused, another address ──▶ forgotten, and the mail is called back

What waits stands beside the consents and permits nothing. Only a receipt that our own page has written confirms it.
"""

from math import inf

from agents.allowed import Basis
from agents.compose import locale_of
from agents.decision import Decision
from agents.zones import zone_of
from app.model.event import Consent, Event
from app.model.journal import JournalLine
from app.model.policy import Confirm, Policy
from app.model.reasons import Reason
from app.model.receipt import Receipt
from app.model.trigger import CONFIRMATION, Cancel, Content, Stage, Trigger, trigger_id
from tables.customer import Asked, Customer, Permission, Profile
from tables.profile import CONSENTS, TEXT, outweighs, set_consent

CHANNEL = "email"
"""What the mail is about, and goes over."""
ON_PAGE = "confirmation"
"""Source of a confirmed consent that named none."""

Wishes = dict[str, Consent]


def set_aside(policy: Policy, event: Event) -> Wishes:
    """Take those consents out of an event that need a confirmation: they are not granted by being told."""
    traits, confirm = event.traits, policy.confirm
    if confirm is None or traits is None or not traits.consent or event.source != "server":
        return {}
    told = traits.consent
    wishes = {name: word for name, word in told.items() if word.granted and len(name) <= TEXT and confirm.covers(name)}
    if wishes:
        traits.consent = {name: word for name, word in told.items() if name not in wishes} or None
    return wishes


def ask(basis: Basis, decision: Decision, key: str, event: Event, at: float, wishes: Wishes, before: str) -> None:
    """Ask for what was set aside of an event that happened at `at` and is applied; `before` was the address until then."""
    customer, confirm = decision.customer, basis.policy.confirm
    profile = customer.profile
    if confirm is None or profile is None:
        return
    _refused(decision, key, event, at)
    address = profile.email.lower()
    if before and address != before.lower():
        wishes = {**_of_old_address(decision, key, event, at, confirm), **wishes}
    wanted = {name: word for name, word in wishes.items() if _is_news(customer, name, word, at)}
    trigger = trigger_id(CONFIRMATION, 1, key, event.messageId, 0)
    now = event.receivedAt.timestamp() if event.receivedAt is not None else at
    known = _recalled(profile, now, confirm)
    if not wanted or any(item.trigger == trigger for item in known.values()):
        return
    line = JournalLine(at, key, Reason.CONSENT_ASKED, CONFIRMATION, "", event.messageId, CHANNEL)
    line.detail = {"consents": ", ".join(wanted)[:TEXT]}
    decision.reasons.append(line)
    if not address:
        line.reason = Reason.NO_ADDRESS
    elif event.historical or len({*known, *wanted}) > CONSENTS:
        line.reason = Reason.NOT_ASKED
        line.detail["why"] = "it is of more than 24 hours ago" if event.historical else f"over {CONSENTS} consents wait"
    elif last := _asked_lately(known, address, now, confirm):
        line.reason = Reason.ASKED_BEFORE
        line.detail["asked_at"] = last
    else:
        line.trigger_id, line.detail["until"] = trigger, now + confirm.within
        profile.asked = known
        _note(profile, wanted, at, Asked(at, now + confirm.within, address, trigger))
        decision.fired.append(_mail(basis, customer, key, event.messageId, now, confirm, trigger))
        decision.wake_at = min(decision.wake_at or inf, now + confirm.within)


def _is_news(customer: Customer, name: str, word: Consent, at: float) -> bool:
    """Whether a consent says anything new: what is granted keeps its proof, and a stronger refusal stands."""
    known = (customer.consent or {}).get(name)
    if known is None:
        return True
    return not known.granted and outweighs(Permission(True, word.at or at, word.source[:TEXT]), known)


def _recalled(profile: Profile, now: float, confirm: Confirm) -> dict[str, Asked]:
    """What waits, and what lapsed so lately that it keeps the address from being asked again; anything older takes up no room."""
    known = (profile.asked or {}).items()
    return {name: item for name, item in known if not item.over or now - (item.until - confirm.within) < confirm.again}


def _asked_lately(known: dict[str, Asked], address: str, now: float, confirm: Confirm) -> float:
    """When the address was last asked, if that was too short a time ago; else 0.0."""
    asked = (item.until - confirm.within for item in known.values() if item.address == address)
    return max((one for one in asked if now - one < confirm.again), default=0.0)


def _note(profile: Profile, wanted: Wishes, at: float, like: Asked) -> None:
    asked = {
        name: Asked(word.at or at, like.until, like.address, like.trigger, word.source[:TEXT], word.wording[:TEXT])
        for name, word in wanted.items()
    }
    profile.asked = {**(profile.asked or {}), **asked}


def _mail(
    basis: Basis, customer: Customer, key: str, anchor: str, now: float, confirm: Confirm, trigger: str
) -> Trigger:
    """The mail that asks. It is not sent when less than half of the time would be left to its reader.

    No name stands in it: the shop has not written it, and whoever left the address of somebody else would write to him with it.
    """
    profile = customer.profile or Profile()
    return Trigger(
        trigger_id=trigger,
        scenario=CONFIRMATION,
        version=1,
        customer=key,
        anchor=anchor,
        due=now,
        fired_at=now,
        expires_at=now + confirm.within / 2,
        cascade=[Stage(CHANNEL, CONFIRMATION)],
        addresses={CHANNEL: profile.email},
        content=Content(),
        locale=locale_of(customer, basis.locale),
        timezone=zone_of(customer, basis.policy).key,
        marketing=False,
        cap=confirm.again,
        confirm_until=now + confirm.within,
    )


def _of_old_address(decision: Decision, key: str, event: Event, at: float, confirm: Confirm) -> Wishes:
    """The address has changed: what was said of the old one has to be confirmed anew."""
    customer = decision.customer
    granted = {name: word for name, word in (customer.consent or {}).items() if word.granted and confirm.covers(name)}
    if granted:
        customer.consent = {n: word for n, word in (customer.consent or {}).items() if n not in granted} or None
    waiting = (customer.profile.asked if customer.profile is not None else None) or {}
    asked = {name: Consent(True, item.at, item.source, item.wording) for name, item in waiting.items() if not item.over}
    withdraw(decision, key, list(asked), event.messageId, at)
    return {name: Consent(True, word.at, word.source, word.wording) for name, word in granted.items()} | asked


def _refused(decision: Decision, key: str, event: Event, at: float) -> None:
    """Forget what waits and is refused by this event."""
    told = event.traits.consent if event.traits is not None and event.source == "server" else None
    known = decision.customer.profile.asked if decision.customer.profile is not None else None
    if not told or not known:
        return
    refused = {name: word.at or at for name, word in told.items() if not word.granted}
    names = [
        name
        for name, item in known.items()
        if item.at <= max(refused.get(name, 0.0), refused.get(name.partition(":")[0], 0.0))
    ]
    withdraw(decision, key, names, event.messageId, at)


def withdraw(decision: Decision, key: str, names: list[str], event_id: str, at: float) -> None:
    """Forget what waits under these names; the mail that asks for it is called back where it has not gone out."""
    profile = decision.customer.profile
    known = (profile.asked if profile is not None else None) or {}
    gone = {known[name].trigger for name in names if name in known and not known[name].over}
    for trigger in sorted(gone):
        decision.cancelled.append(Cancel(trigger, key, Reason.CONSENT_WITHDRAWN, at, event_id))
        decision.reasons.append(
            JournalLine(at, key, Reason.CONSENT_WITHDRAWN, CONFIRMATION, trigger, event_id, CHANNEL)
        )
    if profile is not None and names:
        profile.asked = {name: item for name, item in known.items() if name not in names} or None


def refused_on_page(decision: Decision, key: str, receipt: Receipt) -> None:
    """The customer has unsubscribed or complained: nothing of the channel waits for a confirmation any more."""
    profile = decision.customer.profile
    if receipt.channel == CHANNEL and profile is not None and profile.asked:
        withdraw(decision, key, list(profile.asked), receipt.message_id, receipt.at)


def confirm(decision: Decision, key: str, receipt: Receipt) -> bool:
    """Grant what the mail of this receipt asked for, if it still waits. Whether it did."""
    profile, at = decision.customer.profile, receipt.at
    waiting = (profile.asked if profile is not None else None) or {}
    meant = {
        name: item
        for name, item in waiting.items()
        if item.trigger == receipt.trigger_id and not item.over and profile and item.address == profile.email.lower()
    }
    line = JournalLine(at, key, Reason.CONSENT_CONFIRMED, CONFIRMATION, receipt.trigger_id, channel=CHANNEL)
    decision.reasons.append(line)
    if not meant or profile is None:
        line.reason = Reason.NOTHING_TO_CONFIRM
        return False
    profile.asked = {name: item for name, item in waiting.items() if name not in meant} or None
    for name, item in meant.items():
        set_consent(decision.customer, name, Permission(True, at, item.source or ON_PAGE, item.wording, item.at))
    first = next(iter(meant.values()))
    line.detail = {"consents": ", ".join(meant)[:TEXT], "asked_at": first.at}
    line.detail |= {name: text for name, text in (("source", first.source), ("wording", first.wording)) if text}
    return True


def lapse(decision: Decision, key: str, now: float, until: float) -> None:
    """What nobody has confirmed by `until` counts no more. It stays known, so that the address is not asked again too soon."""
    profile = decision.customer.profile
    late = [
        (name, item)
        for name, item in ((profile.asked if profile is not None else None) or {}).items()
        if not item.over and item.until <= until
    ]
    for trigger in dict.fromkeys(item.trigger for _, item in late):
        names = ", ".join(name for name, item in late if item.trigger == trigger)
        line = JournalLine(now, key, Reason.CONSENT_LAPSED, CONFIRMATION, trigger, channel=CHANNEL)
        line.detail = {"consents": names[:TEXT]}
        decision.reasons.append(line)
    for _, item in late:
        item.over = True
