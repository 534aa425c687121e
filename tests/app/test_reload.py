"""The folder of scenarios is looked at while the worker works."""

import asyncio
import json
import logging
import os
import signal

import pytest

from agents.behaviour import ROW_TYPE, Behaviour
from agents.decide import Decider
from agents.delivery.service import Delivery
from agents.policy import load_policy
from agents.segments.language import SegmentSet
from app import metrics
from app.clock import SYSTEM
from app.engine.folder import Files, FolderWatch
from app.engine.policy import PolicyReloader
from app.engine.reload import MANY, SLICE, Reloader
from app.engine.rules import load_rules
from app.engine.templates import TemplateReloader
from app.model.trigger import Content, Trigger
from app.replay.core import MemoryBatch, MemoryRecord
from app.settings import load
from app.topics import CLICKSTREAM, JOURNAL
from channels.render import TEMPLATES, RenderError, Templates
from channels.rendering import Rendering
from tables import frost
from tables.changelog import Codec
from tables.held import HeldPartition
from tables.packed import PackedRows
from tables.step import Step
from tests.agents.test_versions import text
from tests.frozen import EagerRows

NOW = 1_767_268_800.0
HOUR = 3_600.0


class Table:
    """What the reloader needs of the worker's table: one open partition."""

    def __init__(self):
        self.codec, self.changed = Codec(ROW_TYPE), []
        part = HeldPartition(0, 2.0, PackedRows(self.codec.encode_row, self.codec.decode_row))
        part.open = True
        self.parts = {0: part}

    def timers_changed(self, part):
        self.changed.append(part.number)


class Worker:
    """A behaviour over that table, and the reloader of a folder."""

    def __init__(self, path, segments=None, **own):
        """`segments`: the text of a segment in a folder of the shop's own; none, and the folder is the one that is built in."""
        self.path = path
        self.path.mkdir()
        self.write("left.yaml", text(1))
        if segments is not None:
            own["segments"] = path.parent / "segments"
            own["segments"].mkdir()
            self.write("../segments/one.yaml", segments)
        settings = load({}, scenarios=path, reload_seconds=0.0, **own)
        rules = load_rules(settings, 2026)
        self.behaviour = Behaviour(
            Decider(rules.scenarios.site, segments=rules.segments, policy=rules.policy, staff=rules.staff),
            stream_time=False,
            partitions=1,
        )
        self.table = Table()
        self.reloader = Reloader(settings, rules, self.behaviour, self.table)

    def write(self, name, words):
        """As an editor does; the time of change differs each time, however coarse the disk's clock is."""
        path = self.path / name
        path.write_text(words)
        self._written = getattr(self, "_written", 0) + 1
        os.utime(path, (NOW + self._written, NOW + self._written))

    async def look(self):
        """Twice: what has changed counts once two looks agree."""
        await self.reloader.look()
        await self.reloader.look()

    def carts(self, count, price=1.0):
        """So many customers put something into their carts."""
        part = self.table.parts[0]
        records = [
            MemoryRecord(
                b"u%d" % number,
                b'{"type":"track","event":"Product Added","messageId":"m%d","userId":"u%d","timestamp":"2026-01-01T12:00:00Z",'
                b'"properties":{"product_id":"p1","price":%.1f}}' % (number, number, price),
                number,
                0,
            )
            for number in range(count)
        ]
        step = Step(part)
        self.behaviour.on_bundle(step, MemoryBatch(CLICKSTREAM.name, 0, records), NOW)
        list(self.table.codec.records(step.rows, step.changed))
        part.packed.close()

    def timers(self):
        """What comes due by now is looked at; the lines of the journal as (reason, segment)."""
        part = self.table.parts[0]
        step = Step(part)
        for due, key in list(part.timers.pop_due(NOW)):
            self.behaviour.on_timer(step, due, key, NOW)
        list(self.table.codec.records(step.rows, step.changed))
        part.packed.close()
        lines = [json.loads(output.value) for output in step.outputs if output.topic == JOURNAL.name]
        return [(line["reason"], line["detail"]["segment"]) for line in lines]

    def sizes(self):
        """Customers by segment, of those segments that have any."""
        return {name: count for (_, name), count in self.behaviour.sizes.now.items() if count}

    def due(self, until):
        return len(list(self.table.parts[0].timers.pop_due(until)))

    @property
    def refused(self):
        return metrics.RELOAD_REFUSED.labels("scenarios")._value.get()


@pytest.fixture
def worker(tmp_path):
    return Worker(tmp_path / "scenarios")


async def test_a_shorter_wait_brings_the_deadlines_of_those_who_wait_forward(worker):
    worker.carts(2 * SLICE + 5)
    assert worker.due(NOW + 11 * 60) == 0
    worker.write("left.yaml", text(2).replace("for: 60m", "for: 10m"))
    await worker.look()
    assert worker.due(NOW + 11 * 60) == 2 * SLICE + 5
    assert worker.table.changed == [0]


async def test_rows_that_lie_frozen_get_their_new_deadlines_too(worker, monkeypatch):
    monkeypatch.setattr(frost, "LEAST", 60)
    codec = worker.table.codec
    part = worker.table.parts[0] = HeldPartition(0, 2.0, EagerRows(codec.encode_row, codec.decode_row))
    part.open = True
    worker.carts(50)
    part.packed.close()
    for key in part.packed:
        part.packed.freeze(key)
    assert all(frost.is_frozen(cell.packed) for cell in part.packed.cells.values())
    worker.write("left.yaml", text(2).replace("for: 60m", "for: 10m"))
    await worker.look()
    assert worker.due(NOW + 11 * 60) == 50


AGAIN = """\
id: again
version: {version}
title: Soon used up
family: again
priority: 10
entry: {{replenish: {{ahead: {ahead}}}}}
steps:
  - message: {{channel: email, template: abandoned_product}}
"""


async def test_a_prediction_that_looks_further_ahead_finds_those_whom_no_row_names(worker):
    worker.write("again.yaml", AGAIN.format(version=1, ahead="3d"))
    await worker.look()
    part, day = worker.table.parts[0], 24 * HOUR
    records = [
        MemoryRecord(
            b"u1",
            b'{"type":"track","event":"Order Completed","messageId":"o%d","userId":"u1","timestamp":"2026-01-%02dT12:00:00Z",'
            b'"properties":{"order_id":"o%d","total":1.0,"products":[{"product_id":"tea"}]}}'
            % (number, number, number),
            number,
            0,
        )
        for number in (1, 11, 21)
    ]
    step = Step(part)
    worker.behaviour.on_bundle(step, MemoryBatch(CLICKSTREAM.name, 0, records), NOW)
    list(worker.table.codec.records(step.rows, step.changed))
    part.packed.close()
    assert worker.due(NOW + 22 * day) == 0
    worker.write("again.yaml", AGAIN.format(version=2, ahead="9d"))
    await worker.look()
    assert worker.due(NOW + 22 * day) == 1


async def test_where_nearly_all_scenarios_change_rows_are_not_searched_for_each(worker):
    for number in range(MANY + 1):
        worker.write(f"left{number}.yaml", text(1).replace("id: left", f"id: left_{number}"))
    await worker.look()
    worker.carts(3)
    assert worker.due(NOW + 11 * 60) == 0
    for number in range(MANY + 1):
        changed = text(2).replace("id: left", f"id: left_{number}").replace("for: 60m", "for: 10m")
        worker.write(f"left{number}.yaml", changed)
    await worker.look()
    assert worker.due(NOW + 11 * 60) == 3


async def test_files_count_once_two_looks_have_found_the_same(worker):
    worker.write("left.yaml", text(2))
    await worker.reloader.look()
    worker.write("left.yaml", text(3))
    await worker.reloader.look()
    assert worker.behaviour._decider._index.by_id["left"].version == 1, "somebody is still writing"
    await worker.reloader.look()
    assert worker.behaviour._decider._index.by_id["left"].version == 3


async def test_sighup_need_not_wait_for_a_second_look(worker):
    worker.write("left.yaml", text(2))
    await worker.reloader.look(at_once=True)
    assert worker.behaviour._decider._index.by_id["left"].version == 2


async def test_what_is_not_valid_changes_nothing_and_is_told_until_it_is_mended(worker, caplog):
    worker.write("left.yaml", text(2).replace("title", "titel"))
    await worker.look()
    assert worker.behaviour._decider._index.by_id["left"].version == 1
    assert worker.refused == 1
    assert "left.yaml:3: titel: there is no such field" in caplog.text
    caplog.clear()
    await worker.look()
    assert caplog.records == [], "the same fault is told once"
    worker.write("left.yaml", text(2))
    await worker.look()
    assert (worker.refused, worker.behaviour._decider._index.by_id["left"].version) == (0, 2)


async def test_a_folder_that_is_emptied_leaves_the_scenarios_as_they_are(worker):
    (worker.path / "left.yaml").unlink()
    await worker.look()
    assert list(worker.behaviour._decider._index.by_id) == ["left"]
    assert worker.refused == 1


async def test_a_touched_file_is_no_change(worker, caplog):
    caplog.set_level(logging.INFO)
    worker.write("left.yaml", text(1))
    await worker.look()
    assert "taken" not in caplog.text


async def test_what_is_put_back_as_it_was_is_refused_no_more(worker):
    worker.write("left.yaml", text(2).replace("title", "titel"))
    await worker.look()
    assert worker.refused == 1
    worker.write("left.yaml", text(1))
    await worker.look()
    assert (worker.refused, worker.behaviour._decider._index.by_id["left"].version) == (0, 1)


async def test_a_scenario_with_a_condition_that_is_only_touched_is_not_taken_again(worker, caplog):
    words = text(2) + "when: {cart: value, at_least: 1}\n"
    worker.write("left.yaml", words)
    await worker.look()
    caplog.set_level(logging.INFO)
    caplog.clear()
    worker.write("left.yaml", words)
    await worker.look()
    assert "taken" not in caplog.text


async def test_customers_of_a_scenario_whose_condition_is_as_it_was_are_not_looked_at_again(worker, caplog):
    worker.write("left.yaml", text(2) + "when: {cart: value, at_least: 1}\n")
    await worker.look()
    worker.carts(3)
    caplog.set_level(logging.INFO)
    caplog.clear()
    worker.write("other.yaml", text(1).replace("id: left", "id: other") + "when: {cart: value, at_least: 9}\n")
    await worker.look()
    assert "0 customers have got the deadlines" in caplog.text
    worker.write("left.yaml", text(3) + "when: {cart: value, at_least: 2}\n")
    await worker.look()
    assert "3 customers have got the deadlines" in caplog.text


async def test_what_runs_is_shown_by_version(worker):
    def shown():
        return {labels: 1 for labels in metrics.SCENARIO_INFO._metrics if labels[0] == "left"}

    assert shown() == {("left", "1"): 1}
    worker.write("left.yaml", text(2))
    await worker.look()
    assert shown() == {("left", "2"): 1}


async def test_a_partition_that_is_closed_is_left_to_whoever_opens_it(worker):
    worker.carts(3)
    worker.table.parts[0].open = False
    worker.write("left.yaml", text(2).replace("for: 60m", "for: 10m"))
    await worker.look()
    assert worker.due(NOW + 11 * 60) == 0


@pytest.fixture
def templates(tmp_path):
    """A shop's folder of templates with one of its own, loaded."""
    for locale in ("en", "ru"):
        folder = tmp_path / "templates" / locale
        folder.mkdir(parents=True)
        for part in ("subject.txt", "html"):
            (folder / f"hello.{part}.j2").write_text("Hello")
    own = Templates(tmp_path / "templates", TEMPLATES)
    assert own.load() == []
    return own, tmp_path / "templates"


def subject(templates):
    trigger = Trigger("t1", "s", 1, "u1", "m1", NOW, NOW, NOW + HOUR, [], {}, Content())
    return templates.render("hello", trigger, "https://shop.example/u").subject


async def test_a_changed_template_is_used_from_the_next_message_on(templates):
    own, folder = templates
    watch = TemplateReloader(own, (folder, TEMPLATES), 0.0)
    assert subject(own) == "Hello"
    (folder / "en" / "hello.subject.txt.j2").write_text("Good morning")
    await watch.look(at_once=True)
    assert subject(own) == "Good morning"
    (folder / "en" / "hello.subject.txt.j2").write_text("{{ oops")
    await watch.look(at_once=True)
    assert subject(own) == "Good morning"
    assert metrics.RELOAD_REFUSED.labels("templates")._value.get() == 1


async def test_a_template_that_was_too_slow_is_tried_again_once_it_was_changed(templates):
    own, folder = templates
    (folder / "en" / "hello.html.j2").write_text(
        "{% for i in range(90000) %}{% for j in range(90000) %}x{% endfor %}{% endfor %}"
    )
    watch = TemplateReloader(own, (folder, TEMPLATES), 0.0)
    own.take(own.twin())
    rendering = Rendering(own, lambda: NOW)
    trigger = Trigger("t1", "s", 1, "u1", "m1", NOW, NOW, NOW + HOUR, [], {}, Content())
    for _ in range(2):
        with pytest.raises(RenderError):
            await rendering.render("hello", trigger, "https://shop.example/u", None, "email")
    (folder / "en" / "hello.html.j2").write_text("<p>short</p>")
    await watch.look(at_once=True)
    assert "short" in (await rendering.render("hello", trigger, "https://shop.example/u", None, "email")).html


async def test_a_fault_of_ours_counts_as_refused(worker, monkeypatch):
    def broken(*_args, **_options):
        raise OverflowError

    monkeypatch.setattr("app.engine.reload.load_rules", broken)
    worker.write("left.yaml", text(2))
    await worker.look()
    assert worker.refused == 1


@pytest.mark.parametrize(("segment", "refused"), [("loyal", 0), ("loyl", 1)])
async def test_a_segment_that_there_is_not_is_a_fault(worker, segment, refused):
    worker.write("left.yaml", text(2) + f"when: {{segment: {segment}}}\n")
    await worker.look()
    assert worker.refused == refused


CARTS = "id: carts\ntitle: A full cart\nwhen: {cart: value, at_least: 1}\n"
DEAR = "id: dear\ntitle: A dear cart\nwhen: {cart: value, at_least: 100}\n"


@pytest.fixture
def shop(tmp_path):
    """A worker whose shop has a segment of its own."""
    return Worker(tmp_path / "scenarios", CARTS)


async def test_a_changed_segment_finds_its_customers_without_a_restart(shop):
    shop.carts(3)
    assert shop.sizes() == {"carts": 3}
    shop.write("../segments/two.yaml", CARTS.replace("id: carts", "id: filled"))
    shop.write("../segments/one.yaml", CARTS.replace("at_least: 1", "at_least: 100"))
    await shop.look()
    assert shop.table.changed == [0]
    assert sorted(shop.timers()) == [("segment_entered", "filled")] * 3 + [("segment_left", "carts")] * 3
    assert shop.sizes() == {"filled": 3}
    assert shop.timers() == [], "each is looked at once"
    shop.carts(4)
    assert shop.sizes() == {"filled": 4}, "whoever is new is judged by the segments as they are now"


async def test_customers_without_any_deadline_are_found_as_well(shop):
    shop.write("left.yaml", text(2).replace("for: 60m", "for: 10m"))
    await shop.look()
    shop.carts(2)
    assert len(list(shop.table.parts[0].timers.pop_due(NOW + 48 * HOUR))) == 2
    shop.write("../segments/two.yaml", CARTS.replace("id: carts", "id: filled"))
    await shop.look()
    assert shop.timers() == [("segment_entered", "filled")] * 2


async def test_a_segment_that_is_taken_away_is_left(shop):
    shop.write("../segments/two.yaml", DEAR)
    await shop.look()
    shop.carts(2)
    (shop.path / "../segments/one.yaml").unlink()
    await shop.look()
    assert shop.timers() == [("segment_left", "carts")] * 2
    assert shop.sizes() == {}


async def test_a_segment_with_a_fault_leaves_segments_and_scenarios_as_they_are(shop, caplog):
    shop.carts(2)
    shop.write("left.yaml", text(2))
    shop.write("../segments/two.yaml", DEAR.replace("title", "titel"))
    await shop.look()
    assert shop.refused == 1
    assert "two.yaml:2: titel: there is no such field" in caplog.text
    assert shop.behaviour._decider._index.by_id["left"].version == 1
    assert (shop.timers(), shop.sizes()) == ([], {"carts": 2})
    shop.write("../segments/two.yaml", DEAR)
    await shop.look()
    assert (shop.refused, shop.behaviour._decider._index.by_id["left"].version) == (0, 2)


async def test_a_segment_and_the_scenario_that_asks_for_it_are_taken_together(shop, caplog):
    asking = text(2) + "when: {segment: dear}\n"
    shop.write("left.yaml", asking)
    await shop.look()
    assert shop.refused == 1
    shop.write("../segments/two.yaml", DEAR)
    await shop.look()
    assert (shop.refused, shop.behaviour._decider._index.by_id["left"].version) == (0, 2)
    (shop.path / "../segments/two.yaml").unlink()
    await shop.look()
    assert shop.refused == 1, "it is asked for still"


async def test_a_folder_of_segments_that_is_emptied_leaves_them_as_they_are(shop, caplog):
    shop.carts(2)
    (shop.path / "../segments/one.yaml").unlink()
    await shop.look()
    assert shop.refused == 1
    assert "no segment is left" in caplog.text
    assert (shop.timers(), shop.sizes()) == ([], {"carts": 2})


async def test_segments_of_another_title_alone_have_nobody_looked_at(shop, caplog):
    shop.carts(2)
    caplog.set_level(logging.INFO)
    shop.write("../segments/one.yaml", CARTS.replace("A full cart", "Full carts"))
    await shop.look()
    assert "0 customers have got the deadlines" in caplog.text


async def test_segments_that_are_built_in_are_worked_out_while_a_scenario_asks_for_one(worker):
    worker.carts(2, price=90_000.0)
    assert worker.behaviour._decider.members.mark == SegmentSet().mark
    worker.write("left.yaml", text(2) + "when: {segment: big_cart}\n")
    await worker.look()
    assert ("segment_entered", "big_cart") in worker.timers()
    assert worker.sizes()["big_cart"] == 2
    worker.write("left.yaml", text(3))
    await worker.look()
    assert ("segment_left", "big_cart") in worker.timers()
    assert worker.sizes() == {}


async def test_a_time_below_0_looks_at_sighup_alone(tmp_path):
    looks = []

    class Watch(FolderWatch):
        async def look(self, *, at_once=False):
            looks.append(at_once)

    watch = Watch("scenarios", Files([tmp_path], "*.yaml"), -1.0)
    await watch.start()
    try:
        await asyncio.sleep(0.05)
        assert looks == []
    finally:
        await watch.stop()


# -- the policy and the team, which are taken with the scenarios

POLICY = "zone: UTC\ncontrol: 10\n"
TEAM = "hours: {zone: UTC}\nname: Sales\n"


@pytest.fixture
def office(tmp_path):
    """A worker whose shop has a policy and a team of its own."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "team.yaml").write_text(TEAM)
    return Worker(tmp_path / "scenarios", policy=tmp_path / "policy.yaml", team=tmp_path / "team.yaml")


def basis(worker):
    return worker.behaviour._decider._basis


async def test_a_changed_policy_and_team_are_in_effect_without_a_restart(office):
    assert basis(office).policy.control == 0.1
    office.write("../policy.yaml", POLICY.replace("10", "12"))
    office.write("../team.yaml", TEAM.replace("Sales", "Counter"))
    await office.look()
    assert (basis(office).policy.control, basis(office).staff.team().name) == (0.12, "Counter")
    assert office.refused == 0


@pytest.mark.parametrize(
    ("name", "words"), [("../policy.yaml", "control: 200\n"), ("../team.yaml", "line: [nobody]\n"), ("left.yaml", "id")]
)
async def test_a_fault_in_one_file_keeps_all_of_them_as_they_were(office, name, words):
    office.write("../policy.yaml", POLICY.replace("10", "12"))
    office.write("../team.yaml", TEAM.replace("Sales", "Counter"))
    office.write("left.yaml", text(2))
    office.write(name, words)
    await office.look()
    assert office.refused == 1
    assert (basis(office).policy.control, basis(office).staff.team().name) == (0.1, "Sales")
    assert basis(office).scenarios.by_id["left"].version == 1


async def test_another_place_of_the_shop_has_every_customer_looked_at(office, caplog):
    caplog.set_level(logging.INFO)
    office.carts(3)
    office.write("../policy.yaml", POLICY.replace("UTC", "Asia/Tokyo"))
    await office.look()
    assert "3 customers have got the deadlines" in caplog.text
    office.write("../policy.yaml", POLICY.replace("UTC", "Asia/Tokyo").replace("10", "12"))
    await office.look()
    assert "0 customers have got the deadlines" in caplog.text, "a share of the control group moves no deadline"


async def test_the_sender_takes_a_changed_policy_and_refuses_a_broken_one(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text("budgets: {left: 10}\n")
    settings = load({}, policy=file, reload_seconds=0.0, data=tmp_path)
    delivery = Delivery(channels={}, templates=Templates(TEMPLATES), urls=None, clock=SYSTEM, policy=load_policy(file))
    watch = PolicyReloader(settings, delivery)
    file.write_text("budgets: {left: 20, further: 5}\nzone: Asia/Tokyo\n")
    await watch.look(at_once=True)
    assert (delivery.rules.policy.budgets, delivery.rules.policy.zone) == ({"left": 20, "further": 5}, "Asia/Tokyo")
    assert delivery._gates._policy is delivery.rules.policy
    file.write_text("budgets: {left: -1}\n")
    await watch.look(at_once=True)
    assert delivery.rules.policy.budgets["left"] == 20
    assert metrics.RELOAD_REFUSED.labels("policy")._value.get() == 1


async def test_one_signal_has_every_folder_of_the_process_looked_at(tmp_path, eventually):
    looked = []

    class Watch(FolderWatch):
        async def take(self):
            looked.append(self._name)

    watches = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        watches.append(Watch(name, Files((tmp_path / name,), "*.yaml"), 0.0))
        await watches[-1].start()
        (tmp_path / name / "new.yaml").write_text("x")
    os.kill(os.getpid(), signal.SIGHUP)
    await eventually(lambda: sorted(looked) == ["one", "two"])
    await watches[0].stop()
    (tmp_path / "two" / "more.yaml").write_text("x")
    os.kill(os.getpid(), signal.SIGHUP)
    await eventually(lambda: sorted(looked) == ["one", "two", "two"])
    await watches[1].stop()
