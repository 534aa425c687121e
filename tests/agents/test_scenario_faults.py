"""Every fault of a scenario at once, each with its line and what to do; and the schema that editors complete from."""

import json
import re
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec
import pytest

from agents.scenarios.dialogs import DialogScenarioFile
from agents.scenarios.faults import Known
from agents.scenarios.hints import hints
from agents.scenarios.language import ScenarioError, ScenarioFile
from agents.scenarios.load import check_folder, parse, parse_any
from agents.scenarios.schema import MEANING, scenario_schema
from agents.scenarios.steps import JourneyFile
from app.web.collector.commerce import SPEC, canonical
from channels import CHANNELS
from tests.agents.test_scenario_files import GOOD
from tests.driver import BUILT_IN

KNOWN = Known(CHANNELS, ("wish", "alert"), canonical)
ROOT = Path(__file__).resolve().parents[2]
FAULTY = """\
id: Wish!
version: 0
titel: A wish was left
family: wishes
priority: 5
absence:
  of: [Added Product, carts_changed]
  for: 900d
show:
  items: view
  most: lots
cascade:
  - channel: emial
    template: wihs
    wait: 3y
  - channel: [email, email]
    template: wish
priority: 7
"""
TOLD = [
    (1, "id: 'Wish!' must be 1 to 64 of a-z, 0-9 and _"),
    (1, "the field `title` is missing"),
    (2, "version: must be between 1 and"),
    (3, "titel: there is no such field; did you mean 'title'?"),
    (5, "priority: stands twice, on line 5 and on line 18"),
    (7, "absence.of 1: 'Added Product' is never seen: the collector calls this event 'Product Added'"),
    (7, "absence.of 2: 'carts_changed' is neither a signal nor the name of an event"),
    (8, "absence.for: '900d' is longer than 400 days"),
    (10, "show.items: 'view' is none of begun, cart, category, search, views; did you mean 'views'?"),
    (11, "show.most: a whole number belongs here, not 'lots'"),
    (13, "cascade 1.channel: there is no channel 'emial'; did you mean 'email'?"),
    (14, "cascade 1.template: there is no template 'wihs'; did you mean 'wish'?"),
    (15, "cascade 1.wait: '3y' is not a duration"),
    (16, "cascade 2.channel: name one channel, or several different ones"),
]


def folder_of(tmp_path, **texts):
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def test_all_faults_of_a_file_are_told_at_once_with_their_lines(tmp_path):
    checked = check_folder(folder_of(tmp_path, a=FAULTY), KNOWN)
    assert [(fault, expected) for fault, expected in zip(checked.faults, TOLD, strict=True) if
            not fault.startswith(f"a.yaml:{expected[0]}: {expected[1]}")] == []  # fmt: skip
    assert checked.scenarios == []


def test_faults_of_one_file_hide_none_in_another_and_good_files_are_read(tmp_path):
    other = GOOD.replace("id: wish", "id: other").replace("for: 2h", "for: 0s")
    checked = check_folder(folder_of(tmp_path, a=FAULTY, b=other, c=GOOD, d="id: ["), KNOWN)
    assert [scenario.id for scenario in checked.scenarios] == ["wish"]
    assert {fault.split(":")[0] for fault in checked.faults} == {"a.yaml", "b.yaml", "d.yaml"}
    assert "b.yaml:8: absence.for: must be longer than 0" in checked.faults


def test_two_files_with_one_id_are_told_with_both_names(tmp_path):
    checked = check_folder(folder_of(tmp_path, a=GOOD, b="# mine\n" + GOOD), KNOWN)
    assert checked.faults == ("b.yaml:2: id: the id 'wish' is taken by a.yaml; two scenarios need two ids",)


def test_the_built_in_files_have_no_fault_and_no_hint():
    from channels.render import TEMPLATES, names_in

    checked = check_folder(BUILT_IN, Known(CHANNELS, names_in([TEMPLATES]), canonical))
    assert checked.faults == ()
    site = [scenario for scenario in checked.scenarios if hasattr(scenario, "family")]
    assert len(site) >= 4
    assert [hint for scenario in site for hint in hints(scenario, site, SPEC)] == []


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        (GOOD.replace("family: wishes", "family: &a {x: *a}"), 4, "contains itself"),
        (GOOD.replace("of: [Product Added to Wishlist]", "of: &a [*a]"), 7, "contains itself"),
        (GOOD + "    wait: 2h\n", 12, "nothing follows"),
        (GOOD.replace("  - channel: email\n", "  - channel: email\n    wait: 1h\n") + "    wait: 1h\n", 12, "stands twice"),
        (GOOD.replace("title: A wish was left", "title: 2026-99-99"), 3, "in quotes"),
        (GOOD.replace("title: A wish was left", "title: 2026-11-25"), 3, "in quotes it would be a text"),
        (GOOD.replace("for: 2h", "for: 60"), 8, "write a number and s, m, h or d"),
        (GOOD.replace("for: 2h", "? [a, b]\n  : 1"), 6, "a list or mapping where the name of a field belongs"),
        (GOOD.replace("show:\n", "marketing: 3\nshow:\n"), 9, "true or false belongs here, not 3"),
        (GOOD.replace("show:\n", "outage: later\nshow:\n"), 9, "'later' is none of fire, recheck"),
        (GOOD.replace("show:\n", "outage: {skip_after: x}\nshow:\n"), 9, "outage.skip_after: 'x' is not a duration"),
        (GOOD.replace("show:\n", "outage: [x]\nshow:\n"), 9, "belongs here, not a list"),
        ("- 1\n- 2\n", 1, "fields (`name: value`) belongs here, not a list"),
        ("", 1, "belongs here, not nothing"),
        ("a\0b", 0, "not YAML"),
    ],
)  # fmt: skip
def test_odd_texts_are_refused_at_their_line(text, line, expected):
    with pytest.raises(ScenarioError) as error:
        parse(text)
    assert expected in str(error.value)
    assert not line or f"line {line}: " in str(error.value)


def test_faults_of_dialog_scenarios_are_told_at_once():
    text = (
        "id: d\nversion: 1\ntitle: x\ndialog:\n  watch: silent\n  for: 0s\n  cases: [{when: {}, for: 5m}]\n"
        "cascade: [{channel: telegran, template: alert}]\npriority: 9\n"
    )
    with pytest.raises(ScenarioError) as error:
        parse_any(text, channels=CHANNELS)
    told = str(error.value).split("; line ")
    assert [int(re.search(r"\d+", fault)[0]) for fault in told] == [5, 6, 7, 8, 9]
    assert "did you mean 'silent_client'?" in told[0] and "did you mean 'telegram'?" in told[3]


def test_aliases_that_multiply_are_refused_before_they_do():
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
    )
    with pytest.raises(ScenarioError, match="more than 20000 values"):
        parse(bomb)


def test_nesting_without_end_is_refused():
    with pytest.raises(ScenarioError):
        parse("[" * 5_000 + "]" * 5_000)


def test_a_family_or_an_event_that_is_nearly_another_is_hinted_at():
    wish = parse(
        GOOD.replace("family: wishes", "family: abandonement").replace("of: [Product Added to", "of: [Product Addd to")
    )
    others = [wish, parse(GOOD.replace("id: wish", "id: cart").replace("family: wishes", "family: abandonment"))]
    told = [hint.text for hint in hints(wish, others, SPEC)]
    assert ["'abandonment'" in told[0], "'Product Added to Wishlist'" in told[1], len(told)] == [True, True, 2]
    own = parse(GOOD.replace("Product Added to Wishlist", "Ring Tried On"))
    assert list(hints(own, [own], SPEC)) == []


# -- the schema


def test_the_schema_that_is_committed_is_fresh():
    held = json.loads((ROOT / "docs" / "scenario.schema.json").read_text())
    assert held == json.loads(json.dumps(scenario_schema(sorted(CHANNELS)))), "run `make docs`"


def structs(kind, seen):
    """A struct and all that its fields name."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind not in seen:
        seen.add(kind)
        for hint in get_type_hints(kind).values():
            structs(hint, seen)
    for inner in get_args(kind):
        structs(inner, seen)
    return seen


def test_every_field_of_the_language_has_its_meaning_in_the_schema():
    language = structs(ScenarioFile, set()) | structs(DialogScenarioFile, set()) | structs(JourneyFile, set())
    missing = [
        (struct.__name__, field.encode_name)
        for struct in language
        for field in msgspec.structs.fields(struct)
        if field.encode_name not in MEANING.get(struct, {})
    ]
    assert missing == []
    assert set(MEANING) == language


def test_the_schema_demands_what_the_language_demands():
    schema = scenario_schema(sorted(CHANNELS))
    parts = schema["$defs"]
    for struct in MEANING:
        required = [field.encode_name for field in msgspec.structs.fields(struct) if field.required]
        assert parts[struct.__name__].get("required", []) == required
        assert parts[struct.__name__]["additionalProperties"] is False
    named = set(re.findall(r'"#/\$defs/(\w+)"', json.dumps(schema)))
    assert named == set(parts)
    waits = re.compile(parts["Absence"]["properties"]["for"]["pattern"])
    assert [bool(waits.match(text)) for text in ("60m", "1.5h", "60", "2y")] == [True, True, False, False]
    assert parts["StageFile"]["properties"]["channel"]["anyOf"][0]["enum"] == sorted(CHANNELS)
    assert {"cart_changed", "Order Completed"} <= set(parts["Absence"]["properties"]["of"]["items"]["anyOf"][0]["enum"])


@pytest.mark.parametrize(
    ("show", "told"),
    [
        ("{items: begun}", "show.items: 'begun' is what began a scenario with steps: write cart, views, category or search"),
        ("{items: views, similar_by: viewed}", "show.similar_by: says nothing without `similar`"),
        ("{items: views, prefer: [average]}", "show.prefer: 'average' sorts similar products"),
        ("{items: cart, prefer: [bonus, bonus]}", "show.prefer: each stands once"),
        ("{items: cart, prefer: [cheap]}", "show.prefer 1: 'cheap' is none of average, bonus, discounted"),
        ("{items: views, similar: 4, similar_by: luck}", "show.similar_by: 'luck' is none of bought, category, viewed"),
    ],
)  # fmt: skip
def test_a_message_that_cannot_show_what_it_says_is_refused(tmp_path, show, told):
    text = re.sub(r"show:\n(  .*\n)+", f"show: {show}\n", GOOD)
    assert f"show: {show}\n" in text
    (tmp_path / "wishlist.yaml").write_text(text)
    (fault,) = check_folder(tmp_path, KNOWN).faults
    assert fault.startswith(f"wishlist.yaml:9: {told}")


def test_a_step_that_cannot_show_what_it_says_is_refused(tmp_path):
    (tmp_path / "wished.yaml").write_text(
        "id: wished\nversion: 1\ntitle: W\nfamily: w\npriority: 1\nentry: {event: Wished}\nsteps:\n"
        "  - message: {channel: email, template: wish, show: {items: begun, similar_by: bought}}\n"
        "  - cascade: [{channel: email, template: wish}]\n    show: {items: begun, prefer: [average]}\n"
    )
    faults = check_folder(tmp_path, KNOWN).faults
    assert [fault.split(": ")[0] for fault in faults] == ["wished.yaml:8", "wished.yaml:10"]
