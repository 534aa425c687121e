"""The scenario language: what is read, and what is refused with a line that says what to do."""

import os

import pytest

from agents.scenarios.faults import Known
from agents.scenarios.language import ScenarioError, duration
from agents.scenarios.load import check_folder, load_folder, parse
from tests.driver import BUILT_IN, HOUR, Engine

GOOD = """\
id: wish
version: 1
title: A wish was left
family: wishes
priority: 5
absence:
  of: [Product Added to Wishlist]
  for: 2h
show:
  items: views
cascade:
  - channel: email
    template: wish
"""


def test_the_built_in_scenarios_load_in_the_order_of_their_priority():
    scenarios = load_folder(BUILT_IN)
    assert [item.id for item in sorted(scenarios, key=lambda item: -item.priority)] == [
        "abandoned_cart",
        "abandoned_product",
        "abandoned_category",
        "abandoned_search",
    ]
    assert {item.cap for item in scenarios} == {None}  # the policy's


def test_a_new_scenario_is_one_file_and_no_python():
    shop = Engine([parse(GOOD)])
    shop.subscriber()
    shop.view("p1")
    shop.event("Product Added to Wishlist", product_id="p1")
    shop.wait(3 * HOUR)
    assert shop.fired == ["wish"]


def test_the_time_scale_divides_waits():
    assert parse(GOOD, time_scale=3600).wait == 2.0


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("60m", 3600), ("3h", 10_800), ("2d", 172_800), ("1.5h", 5400)]
)
def test_durations(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "-1h", "1 h", "1y", "1000d", "1e9s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ScenarioError):
        duration(text)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("id: wish", "id: Wish!", "id:"),
        ("version: 1", "version: one", "line 2:"),
        ("version: 1", "version: 0", "version:"),
        ("for: 2h", "for: 0s", "longer than 0"),
        ("for: 2h", "for: 900d", "400 days"),
        ("  for: 2h\n", "", "for"),
        ("items: views", "items: orders", "items"),
        ("of: [Product Added to Wishlist]", "of: [wished]", "neither a signal"),
        ("of: [Product Added to Wishlist]", "of: []", "at least one"),
        ("of: [Product Added to Wishlist]", "of: [ordered]", "`of` and in `without`"),
        ("channel: email", "channel: pigeon", "no channel"),
        ("priority: 5", "priority: 5\nsurprise: 1", "surprise"),
        ("family: wishes", "family: [", "line"),
        ("title: A wish was left", "title: &a [*a]", "title"),
    ],
)
def test_a_faulty_scenario_is_refused_with_advice(old, new, expected):
    with pytest.raises(ScenarioError, match="(?s).*" + expected.replace("[", r"\[")):
        parse(GOOD.replace(old, new), channels={"email"})


def test_two_files_with_one_id_are_refused(tmp_path):
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(GOOD)
    with pytest.raises(ScenarioError, match=r"b\.yaml:1: id: the id 'wish' is taken by a\.yaml"):
        load_folder(tmp_path)


def test_an_empty_folder_says_what_to_set(tmp_path):
    with pytest.raises(ScenarioError, match="BOOMERANG_SCENARIOS"):
        load_folder(tmp_path)


def test_a_huge_or_binary_file_is_refused(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe" * 10)
    with pytest.raises(ScenarioError, match="UTF-8"):
        load_folder(tmp_path)
    (tmp_path / "a.yaml").write_text("#" * 100_000)
    with pytest.raises(ScenarioError, match="KiB"):
        load_folder(tmp_path)


def test_skip_after_drops_what_an_outage_has_delayed():
    scenario = parse(GOOD.replace("cascade:", "outage:\n  skip_after: 6h\ncascade:"))
    assert scenario.max_lateness == 6 * HOUR


def test_fire_decides_as_if_it_had_been_on_time():
    def outcome(outage):
        shop = Engine([parse(GOOD.replace("cascade:", f"outage: {outage}\nreentry: 3h\ncap: 3h\ncascade:"))])
        shop.subscriber()
        shop.view("p1")
        shop.event("Product Added to Wishlist", product_id="p1")
        shop.wait(2 * HOUR + 1)
        shop.event("Product Added to Wishlist", product_id="p1")
        shop.clock.advance(4 * HOUR)
        shop.wait(0)
        return len(shop.fired)

    assert (outcome("fire"), outcome("recheck")) == (1, 2)


def test_a_pipe_in_the_folder_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "left.yaml")
    assert check_folder(tmp_path, Known()).faults == ("left.yaml: no ordinary file",)
