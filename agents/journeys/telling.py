"""What a journey tells the sales team of its customer: one message, that nobody answers by a button. Pure."""

from agents.dialogs.showing import show_customer
from agents.journeys.moment import Moment
from agents.scenarios.evaluate import Refusal, stops
from agents.scenarios.language import Scenario
from agents.scenarios.program import Tell
from app.model.alert import Alert
from app.model.reasons import Reason
from app.model.trigger import Content, Stage, Trigger, alert_id
from channels.alert import TEMPLATE
from tables.engagement import Journey


def tell_team(moment: Moment, scenario: Scenario, journey: Journey, step: Tell) -> Refusal | None:
    """Tell whom the step names, once for each journey, or why not. The customer's own gates (consent, caps, quiet hours) are not asked."""
    customer, now = moment.customer, moment.now
    name = alert_id(scenario.id, scenario.version, moment.key, journey.anchor, journey.step)
    target = moment.basis.staff.named(step.to)
    held = stops(scenario, customer, journey.due, now)
    if held is None and not target.addresses:
        held = Refusal(Reason.NO_ADDRESS, {"channel": "the team"})
    if held is not None:
        moment.tell(held.reason, scenario.id, {"step": step.place, **held.detail}, trigger_id=name, due=journey.due)
        return held
    profile = customer.profile
    alert = Alert(name, None, "", "", journey.at, to=target.member, title=step.text, template=step.template)
    if profile is not None:
        alert.who, alert.phone = profile.name or profile.first_name, profile.phone
    show_customer(alert, customer)
    moment.decision.fired.append(
        Trigger(
            trigger_id=name,
            scenario=scenario.id,
            version=scenario.version,
            customer=moment.key,
            anchor=journey.anchor,
            due=journey.due,
            fired_at=now,
            expires_at=now + scenario.send_within,
            cascade=[Stage(channel, TEMPLATE) for channel in target.addresses],
            addresses=dict(target.addresses),
            content=_content(target.name, moment) if step.template else Content(name=target.name),
            step=journey.step,
            locale=target.locale,
            marketing=False,
            alert=alert,
        )
    )
    detail: dict[str, str | float | int] = {"step": step.place, "to": target.member or step.to}
    moment.tell(Reason.TEAM_TOLD, scenario.id, detail, trigger_id=name, due=journey.due)
    return None


def _content(name: str, moment: Moment) -> Content:
    """What a template of an alert may show beside the alert: `name` is the member's."""
    out, engagement = Content(name=name), moment.customer.engagement
    if engagement is not None:
        out.traits, out.tags = dict(engagement.traits or {}), list(engagement.tags or ())
    return out
