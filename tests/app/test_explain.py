import json

import pytest

from app import cli
from app.codec import encode_json
from app.explain import Tone, full_time, standing, story, tell, told, tone_of
from app.journal_store import JournalStore, Place
from app.masking import mask
from app.model.journal import JournalLine
from app.model.reasons import Reason

NOON = 1_795_348_990.0  # 2026-11-22 12:03:10 UTC


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_sentence_that_reads_to_its_end(reason):
    bare = told(JournalLine(NOON, "anna", reason))
    full = told(JournalLine(NOON, "anna", reason, "abandoned_cart", "ab" * 16, "m-1", "email", NOON + 3600))
    assert bare.text != reason.value
    for text in (bare.text, full.text):
        assert len(text) > 10
        assert "{" not in text
        assert "None" not in text


def test_the_sentences_of_two_reasons_differ():
    lines = [JournalLine(NOON, "anna", reason, "abandoned_cart", channel="email") for reason in Reason]
    assert len({item.text for item in tell(lines)}) == len(Reason)


def test_an_armed_scenario_names_its_event_and_when_it_is_due():
    line = JournalLine(NOON, "anna", Reason.ARMED, "abandoned_cart", event_id="m-123", due=NOON + 3600)
    assert story([line]) == ["2026-11-22", "  12:03:10  abandoned_cart armed by event m-123 (due 13:03:10)"]


def test_a_due_time_of_another_day_carries_its_date():
    line = JournalLine(NOON, "anna", Reason.ARMED, "abandoned_cart", event_id="m", due=NOON + 86_400)
    assert "(due 2026-11-23 12:03:10)" in told(line).text


def test_a_refusal_names_the_channel():
    line = JournalLine(NOON, "anna", Reason.NO_CONSENT, "abandoned_cart", detail={"channel": "email"})
    assert told(line).text == "abandoned_cart refused: no consent for email"


def test_a_cap_is_told_with_its_window_and_the_last_message():
    detail = {"channel": "email", "last_sent": NOON - 3600, "window": 57_600}
    text = told(JournalLine(NOON, "anna", Reason.CAP, "abandoned_cart", detail=detail)).text
    assert text == "abandoned_cart refused: one message by email per 16 h, the last at 11:03:10"


def test_values_that_the_sentence_does_not_name_follow_it():
    line = JournalLine(
        NOON, "anna", Reason.REJECTED, "abandoned_cart", channel="email", detail={"code": 550, "said": "no such user"}
    )
    assert told(line).text.endswith("for good (code: 550, said: no such user)")


def test_what_the_relay_said_is_told_without_ids_that_repeat_the_trigger():
    detail = {"message_id": "ab" * 16 + ".0", "attempt": 1, "detail": "250 OK"}
    line = JournalLine(NOON, "anna", Reason.SENT, "abandoned_cart", "ab" * 16, channel="email", detail=detail)
    assert told(line).text.endswith("taken it (250 OK, trigger abababab)")


def test_a_reason_of_a_newer_version_is_shown_as_it_stands():
    sentence = told(JournalLine(NOON, "anna", "teleported{scenario}", "abandoned_cart"))
    assert sentence.text == "abandoned_cart teleportedscenario"
    assert sentence.tone is Tone.INFO
    assert tone_of("teleported") is Tone.INFO


def test_braces_in_values_are_only_letters():
    line = JournalLine(NOON, "{customer}", Reason.OUTRANKED, "{0.__class__}", detail={"by": "{scenario.__init__}"})
    assert told(line).text == "{0.__class__} held back: {scenario.__init__} goes first"


def test_control_letters_cannot_write_a_line_of_their_own():
    line = JournalLine(NOON, "anna", Reason.REJECTED, "cart", detail={"said": "x\n2026 forged\x1b[31m"})
    assert told(line).text.isprintable()


@pytest.mark.parametrize(
    ("clear", "masked"),
    [
        ("anna@shop.example", "a***@shop.example"),
        ("to: anna.b+c@shop.example, then", "to: a***@shop.example, then"),
        ("email:anna@shop.example", "email:a***@shop.example"),
        ("<анна@почта.рф>", "<а***@почта.рф>"),
        ("phone:+79161234567", "phone:+***67"),
        ("two a@b.example c@d.example", "two a***@b.example c***@d.example"),
        ("20 @ 3 pieces", "20 @ 3 pieces"),
        ("order 1234567", "order 1234567"),
    ],
)
def test_addresses_and_numbers_are_masked(clear, masked):
    assert mask(clear) == masked


def test_masking_a_long_text_without_an_address_is_quick():
    assert mask("x" * 200_000) == "x" * 200_000


def test_what_waits_is_what_was_armed_last():
    lines = [
        JournalLine(NOON, "anna", Reason.ARMED, "abandoned_cart", due=NOON + 60),
        JournalLine(NOON, "anna", Reason.ARMED, "abandoned_view", due=NOON + 90),
        JournalLine(NOON + 1, "anna", Reason.ENDED_BY_ORDER, "abandoned_cart"),
    ]
    assert standing(lines) == ["abandoned_view waits: due 2026-11-22 12:04:40 or later"]


def test_a_receipt_for_the_last_message_leaves_the_next_one_waiting():
    lines = [
        JournalLine(NOON, "anna", Reason.ARMED, "abandoned_cart", due=NOON + 60),
        JournalLine(NOON + 1, "anna", Reason.RECEIPT, "abandoned_cart", "ab" * 16, detail={"outcome": "opened"}),
    ]
    assert len(standing(lines)) == 1


def test_a_time_out_of_every_calendar_is_a_number():
    assert full_time(1e18) == "1e+18"


@pytest.fixture
def journal(tmp_path, monkeypatch):
    monkeypatch.setenv("BOOMERANG_DATA", str(tmp_path))
    store = JournalStore(f"sqlite:///{tmp_path}/journal.sqlite")
    lines = [
        JournalLine(NOON, "anon:a1", Reason.ARMED, "abandoned_cart", event_id="m-1", due=NOON + 3600),
        JournalLine(NOON + 60, "anna", Reason.LINKED, detail={"alias": "anon:a1", "owner": "anna"}),
        JournalLine(NOON + 3602, "anna", Reason.NO_CONSENT, "abandoned_cart", detail={"channel": "email"}),
        JournalLine(NOON + 3603, "anna", Reason.ARMED, "abandoned_view", due=NOON + 9000),
    ]
    store.insert([Place(0, at, encode_json(line), line) for at, line in enumerate(lines)])
    store.close()


@pytest.mark.usefixtures("journal")
def test_the_command_tells_the_story_of_a_customer_and_of_the_visitor_before(capsys):
    assert cli.main(["explain", "anna"]) == 0
    told_ = capsys.readouterr().out
    assert "12:03:10  abandoned_cart armed by event m-1 (due 13:03:10)" in told_
    assert "13:03:12  abandoned_cart refused: no consent for email" in told_
    assert "abandoned_view waits" in told_


@pytest.mark.usefixtures("journal")
def test_the_command_takes_an_anonymous_id_without_its_prefix(capsys):
    assert cli.main(["explain", "a1", "--scenario", "abandoned_cart"]) == 0
    assert "refused: no consent" in capsys.readouterr().out


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize("at", ["2026-11-22T12:30:00", "2026-11-22T15:30:00+03:00", str(NOON + 1610)])
def test_the_command_tells_how_it_stood_at_a_time(capsys, at):
    assert cli.main(["explain", "anna", "--at", at]) == 0
    told_ = capsys.readouterr().out
    assert "no consent" not in told_
    assert "abandoned_cart waits: due 2026-11-22 13:03:10" in told_


@pytest.mark.usefixtures("journal")
def test_the_command_gives_lines_as_json(capsys):
    assert cli.main(["explain", "anna", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["reason"] for line in lines] == ["armed", "linked", "no_consent", "armed"]
    assert lines[2]["sentence"] == "abandoned_cart refused: no consent for email"


@pytest.mark.usefixtures("journal")
def test_an_unknown_customer_is_a_failure_in_one_line(capsys):
    assert cli.main(["explain", "nobody"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "nobody" in error


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize("at", ["yesterday", "nan", "inf"])
def test_a_time_that_cannot_be_read_is_wrong_use(capsys, at):
    assert cli.main(["explain", "anna", "--at", at]) == 2
    assert "2026-11-22T12:00:00" in capsys.readouterr().err


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize("limit", ["0", "-5"])
def test_a_limit_below_one_is_wrong_use(capsys, limit):
    assert cli.main(["explain", "anna", "--limit", limit]) == 2
    assert "--limit must be at least 1" in capsys.readouterr().err


def test_without_a_journal_nothing_is_created(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BOOMERANG_DATA", str(tmp_path / "none"))
    assert cli.main(["explain", "anna"]) == 1
    assert "BOOMERANG_DATA" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
