"""The policy file: what is read, and what is refused with a line that says what to do."""

import re
from pathlib import Path

import msgspec
import pytest

from agents.policy import PolicyError, described, load_policy, parse_policy, unknown_names
from agents.scenarios.language import ScenarioError
from app.model.policy import AttributionWindow, Cap, Confirm, Policy, Quiet, Which
from app.settings import load
from tests.driver import DAY, HOUR

FULL = """\
zone: Europe/Moscow
cities: {Omsk: Asia/Omsk}
caps:
  - {channel: email, most: 1, per: 16h}
  - {most: 3, per: 7 days, transactional: true}
  - most: 1
    per: 1 day
    counts: {channel: [sms, whatsapp]}
    obeys: {topic: news}
quiet: {from: "22:30", until: "08:00", channels: [sms], then: drop}
control: 5
goal_within: 3d
currency: RUB
prices: {sms: 3.5}
sms_units: 2
budgets: {abandoned_cart: 500, "*": 100}
attribution: {email: {by: clicked, within: 4d}, sms: {within: 0s}, webpush: {by: opened, within: 12h}}
"""


def test_the_policy_that_comes_with_the_product_is_the_default():
    assert load_policy(load({}).policy) == Policy()


def test_everything_that_is_written_is_read():
    policy = parse_policy(FULL, time_scale=2.0)
    mails = Which(frozenset({"email"}))
    assert policy == Policy(
        zone="Europe/Moscow",
        cities={"omsk": "Asia/Omsk"},
        caps=(
            Cap(1, 8 * HOUR, 0, mails, mails),
            Cap(3, 0.0, 7, transactional=True),
            Cap(1, 0.0, 1, Which(frozenset({"sms", "whatsapp"})), Which(topics=frozenset({"news"}))),
        ),
        quiet=Quiet(22 * 60 + 30, 8 * 60, frozenset({"sms"}), drop=True),
        control=0.05,
        goal_within=1.5 * DAY,
        currency="RUB",
        prices={"sms": 3.5},
        sms_units=2,
        budgets={"abandoned_cart": 500.0, "*": 100.0},
        attribution={
            **dict.fromkeys(("whatsapp", "telegram", "vk", "webhook"), AttributionWindow("sent", 2.5 * DAY)),
            "email": AttributionWindow("clicked", 2 * DAY),
            "sms": AttributionWindow("sent", 0.0),
            "webpush": AttributionWindow("opened", 6 * HOUR),
            "fcm": AttributionWindow("sent", 12 * HOUR),
        },
    )
    assert (policy.budget_of("abandoned_cart"), policy.budget_of("other"), policy.by_sms) == (500.0, 100.0, 7.0)
    assert (policy.windows.get("email", 0.0), policy.windows.get("sms", 0.0)) == (8 * HOUR, 0.0)
    assert policy.horizon == 7 * 25 * HOUR


def test_an_empty_file_allows_everything_at_any_time():
    policy = parse_policy("")
    assert (policy.caps, policy.quiet, policy.control, policy.budget_of("x")) == ((), None, 0.0, None)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Europe/Moscow", "Europe/Atlantis", "zone: there is no time zone"),
        ("Asia/Omsk", "Asia/Atlantis", "cities: Omsk: there is no time zone"),
        ("channel: email", "channel: pigeon", "cap 1: there is no channel 'pigeon'"),
        ("[sms, whatsapp]", "[sms, pigeon]", "cap 3: there is no channel 'pigeon'"),
        ("per: 16h", "per: soon", "not a duration"),
        ("per: 16h", "per: 40d", "cap 1: per: '40d'"),
        ("per: 7 days", "per: 0 days", "cap 2: per: '0 days'"),
        ("most: 3", "most: 21", "cap 2: most: between 1 and 20"),
        ("most: 3", "most: many", "line 5: caps 2.most: a whole number"),
        ("control: 5", "control: some", "line 11: control: a number belongs here"),
        ("    per: 1 day\n", "    per: 1 day\n    channel: sms\n", "cap 3: `counts` and `obeys` say it all"),
        ('"22:30"', "22:30", "line 10: quiet.from: a text belongs here"),
        ('"22:30"', '"25:30"', "quiet.from: '25:30' is no time of the day"),
        ('"08:00"', '"22:30"', "are the same"),
        ("channels: [sms]", "channels: [pigeon]", "quiet.channels: there is no channel"),
        ("then: drop", "then: scream", "then"),
        ("control: 5", "control: 16", "control: between 0 and 15"),
        ("sms: 3.5", "sms: -1", "prices: none can be below 0"),
        ("sms: 3.5", "pigeon: 1", "prices: there is no channel"),
        ("sms_units: 2", "sms_units: 0", "sms_units"),
        ('"*": 100', '"*": -1', "budgets: none"),
        ("by: clicked", "by: heard", "attribution.email.by: 'heard': write one of sent, delivered, opened, clicked"),
        ("within: 4d", "within: 40d", "attribution.email.within: up to 31d"),
        ("webpush: {by", "pigeon: {by", "attribution: there is no channel 'pigeon'"),
        ("goal_within: 3d", "surprise: 1", "surprise"),
        ("zone: Europe/Moscow", "zone: [", "line"),
    ],
)
def test_a_faulty_policy_is_refused_with_advice(old, new, expected):
    with pytest.raises((PolicyError, ScenarioError), match=expected.replace("[", r"\[")):
        parse_policy(FULL.replace(old, new))


def test_a_file_that_somebody_is_just_writing_does_not_end_every_rule(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("\n")
    with pytest.raises(
        PolicyError, match=r"policy\.yaml: the file is empty; a policy without any rule is written \{\}"
    ):
        load_policy(path)
    path.write_text("{}\n")
    assert load_policy(path) == parse_policy("")


def test_a_file_that_is_missing_huge_or_binary_is_refused_with_its_name(tmp_path):
    path = tmp_path / "policy.yaml"
    with pytest.raises(PolicyError, match="BOOMERANG_POLICY"):
        load_policy(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyError, match=r"policy\.yaml"):
        load_policy(path)
    path.write_text("#" * 100_000)
    with pytest.raises(PolicyError, match="KiB"):
        load_policy(path)


def test_the_policy_of_tests_is_that_of_the_product_without_its_night():
    awake = load_policy(Path(__file__).parents[1] / "awake.yaml")
    assert awake == msgspec.structs.replace(Policy(), quiet=None)


def test_double_opt_in_is_read_and_told():
    policy = parse_policy("confirm: {consents: [email, 'email:news'], within: 1d, again: 7d}")
    assert policy.confirm == Confirm(frozenset({"email", "email:news"}), DAY, 7 * DAY)
    assert [policy.confirm.covers(name) for name in ("email", "email:any", "sms")] == [True, True, False]
    assert not Confirm(frozenset({"email:news"})).covers("email")
    assert parse_policy("confirm: {consents: email}", time_scale=2.0).confirm.within == DAY
    assert "consent to be confirmed: email" in described(policy)
    (warning,) = unknown_names(policy, [])
    assert "no scenario has the topic 'news'" in warning


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("consents: []", "name at least one"),
        ("consents: sms", "'sms': write email"),
        ("consents: 'email:No Topic'", "write email"),
        ("consents: email, within: 1m", "at least 10m"),
        ("consents: email, within: 3d, again: 1d", "`again` at least as long"),
    ],
)
def test_a_double_opt_in_that_cannot_work_is_refused(text, told):
    with pytest.raises(PolicyError, match=re.escape(told)):
        parse_policy(f"confirm: {{{text}}}")
