"""`boomerang backtest`: the real recording through the core, twice the same, two versions side by side, nothing sent."""

import json
from pathlib import Path

import pytest

from agents.scenarios.load import load_folder
from app import cli
from app.commands.replay import feed_core
from app.model.policy import Policy
from app.model.reasons import Reason
from app.replay.backtest import Backtest
from app.replay.sources import read
from tests.driver import BUILT_IN
from tests.simulation.rees46 import RECORDING, expected

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scenarios.md"
SCENARIOS = ("abandoned_cart", "abandoned_product", "abandoned_category", "abandoned_search")


def played(**options):
    test = Backtest(load_folder(BUILT_IN), Policy(), **options)
    feed_core(test.replay, read(RECORDING, addresses=True), lambda _: None)
    test.replay.flush()
    assert test.replay.dead == []
    return test


@pytest.fixture(scope="module")
def whole(recording):
    return played()


def test_the_figures_are_those_of_the_independent_batch_script(whole):
    wanted = [scenario for _, scenario in expected()]
    assert {name: whole.count(name, Reason.FIRED) for name in SCENARIOS} == {
        name: wanted.count(name) for name in SCENARIOS
    }
    assert whole.count("abandoned_product", Reason.ARMED) > 4_000


def test_one_log_twice_gives_byte_identical_journals(whole):
    again = played()
    assert again.digest == whole.digest
    assert again.reasons == whole.reasons


def test_what_was_before_the_beginning_is_applied_and_not_counted(whole):
    noon = 1_569_931_200.0  # 2019-10-01 12:00 UTC
    late = played(since=noon, samples=3)
    assert late.digest == whole.digest
    assert all(trigger.fired_at >= noon for kept in late.samples.values() for trigger in kept)
    assert all(len(kept) <= 3 for kept in late.samples.values())
    assert late.reasons <= whole.reasons


def test_overlaps_are_customers_for_whom_both_fired(whole):
    found = {}
    for customer, scenario in expected():
        found.setdefault(customer, set()).add(scenario)
    both = [names for names in found.values() if {"abandoned_cart", "abandoned_product"} <= names]
    assert whole.overlaps("abandoned_cart").get("abandoned_product", 0) == len(both)


def test_the_page_on_scenarios_shows_what_a_backtest_of_the_recording_tells(recording, capsys):
    words = ["abandoned_product", "--events", str(RECORDING), "--addresses", "--samples", "0"]
    assert cli.main(["backtest", *words]) == 0
    told = capsys.readouterr().out
    assert told.count("\n") > 6
    assert f"```text\n{told}```" in PAGE.read_text()


def event(at, name, **properties):
    return json.dumps(
        {"type": "track", "userId": "u1", "event": name, "timestamp": f"2026-01-05T{at}Z", "properties": properties}
    )


@pytest.fixture
def events(tmp_path):
    lines = [
        event("10:00:00", "Product Added", product_id="p1", price=20),
        event("10:45:00", "Order Completed", order_id="o1", total=20),
    ]
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(lines) + "\n")
    return str(file)


def shorter(tmp_path, name="shorter.yaml"):
    text = (
        (BUILT_IN / "abandoned_cart.yaml")
        .read_text()
        .replace("for: 60m", "for: 30m")
        .replace("version: 1", "version: 2")
    )
    (tmp_path / name).write_text(text)
    return str(tmp_path / name)


def test_two_versions_stand_side_by_side(events, tmp_path, capsys):
    options = ["--events", events, "--addresses", "--json", "--against", shorter(tmp_path)]
    assert cli.main(["backtest", "abandoned_cart", *options]) == 0
    out, err = capsys.readouterr()
    one, two = json.loads(out)
    assert (one["version"], one["fired"], one["ended"]) == (1, 0, {"ended_by_order": 1})
    assert (two["version"], two["fired"]) == (2, 1)
    assert err.count("3 events, 0 refused") == 2


def test_a_recording_takes_every_consent_as_confirmed(events, tmp_path, capsys, monkeypatch):
    (tmp_path / "policy.yaml").write_text("confirm: {consents: email}\n")
    monkeypatch.setenv("BOOMERANG_POLICY", str(tmp_path / "policy.yaml"))
    assert cli.main(["backtest", shorter(tmp_path), "--events", events, "--addresses", "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert one["fired"] == 1


def test_a_table_with_samples_is_told_without_addresses(events, tmp_path, capsys):
    assert cli.main(["backtest", shorter(tmp_path), "--events", events, "--addresses"]) == 0
    out = capsys.readouterr().out
    assert "abandoned_cart v2" in out and "2026-01-05 10:30:00  u1  v2  p1" in out and "@" not in out


def test_events_after_the_end_are_left_out(events, capsys):
    options = ["--events", events, "--addresses", "--json", "--to", "2026-01-05T10:30:00"]
    assert cli.main(["backtest", "abandoned_cart", *options]) == 0
    (figures,) = json.loads(capsys.readouterr().out)
    assert figures["fired"] == 1 and figures["ended"] == {}


PACK = BUILT_IN.parent / "pack"


@pytest.mark.parametrize(
    ("scenario", "options", "status", "told"),
    [
        ("abandoned_kart", [], 1, "there is no scenario 'abandoned_kart'; there are: abandoned_cart"),
        ("resolution", [], 1, "a scenario of dialogs"),
        (str(PACK / "price_drop.yaml"), [], 1, "begins on a change of the catalogue"),
        ("none.yaml", [], 1, "none.yaml"),
        ("abandoned_cart", ["--from", "soon"], 2, "--from 'soon' is not a time"),
        ("abandoned_cart", ["--from", "2026-12-01", "--to", "2026-01-01"], 2, "--to lies before --from"),
        ("abandoned_cart", ["--samples", "-1"], 2, "cannot be negative"),
        ("abandoned_cart", ["--against", "none.yaml"], 1, "cannot be read"),
    ],
)
def test_wrong_use_is_told_in_a_line(events, capsys, scenario, options, status, told):
    assert cli.main(["backtest", scenario, "--events", events, *options]) == status
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1


def test_a_schedule_begins_in_history_and_not_after_its_end(events, tmp_path, capsys):
    file = tmp_path / "daily.yaml"
    head = "id: daily\nversion: 1\ntitle: Daily\nfamily: news\npriority: 5\nunless: {order_within: 0s}\n"
    steps = "steps: [{message: {channel: email, template: wishlist}}]\n"
    for clock, fired in (("10:30", 1), ("10:45", 1), ("10:46", 0), ("09:59", 0)):
        file.write_text(f'{head}entry: {{schedule: {{every: day, at: "{clock}"}}}}\n{steps}')
        assert cli.main(["backtest", str(file), "--events", events, "--addresses", "--json"]) == 0
        (one,) = json.loads(capsys.readouterr().out)
        assert one["fired"] == fired, clock


def test_a_scenario_that_asks_for_segments_is_tried_with_them(events, tmp_path, capsys):
    text = (BUILT_IN / "abandoned_cart.yaml").read_text().replace("for: 60m", "for: 30m")
    for when, fired in (("{segment: active_30d}", 1), ("{segment: champions}", 0)):
        file = tmp_path / "asking.yaml"
        file.write_text(text + f"when: {when}\n")
        assert cli.main(["backtest", str(file), "--events", events, "--addresses", "--json"]) == 0
        (one,) = json.loads(capsys.readouterr().out)
        assert one["fired"] == fired
