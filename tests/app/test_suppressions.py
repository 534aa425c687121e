"""Suppression lists as people write them: what each line means, and what is wrong with it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli import main
from app.model.reasons import Reason
from app.suppressions import CHANNELS, HEAD, LONGEST_LINE, BadLine, Entry, entry, read, written
from channels.address import digest
from channels.ledger import Standing, address_key

NOW = 1_795_332_000.0
ANN = address_key("email", "ann@shop.example")


def read_csv(*lines, channel="", **more):
    return list(read(lines, "csv", channel, NOW, **more))


def test_a_list_of_ones_own():
    found = read_csv(
        "\ufeffaddress,reason,channel,since",
        "Ann@shop.example,unsubscribed,email,2026-11-20",
        "",
        "bob@shop.example,bounced,email,",
        "+7 (916) 123-45-67,complained,sms,1795000000",
    )
    assert found == [
        Entry((ANN,), Reason.UNSUBSCRIBED, False, 1_795_132_800.0),
        Entry((address_key("email", "bob@shop.example"),), Reason.SUPPRESSED, True, NOW),
        Entry((address_key("sms", "+79161234567"),), Reason.SUPPRESSED, False, 1_795_000_000.0),
    ]


def test_a_bare_list_of_addresses_needs_its_channel_once():
    assert read_csv("address", "ann@shop.example", channel="email") == [Entry((ANN,), Reason.UNSUBSCRIBED, False, NOW)]


def test_lines_of_json():
    lines = [
        json.dumps({"channel": "email", "address": "ann@shop.example", "scope": "everything", "since": 1_795_000_000}),
        json.dumps({"channel": "webpush", "digest": "0" * 32, "reason": "bounced"}),
    ]
    assert list(read(lines, "jsonl", "", NOW)) == [
        Entry((ANN,), Reason.UNSUBSCRIBED, True, 1_795_000_000.0),
        Entry(("a:webpush:" + "0" * 32,), Reason.SUPPRESSED, True, NOW),
    ]


def test_an_address_that_can_be_spelled_in_two_ways_is_held_in_both():
    found = entry({"address": "ann@пример.рф", "channel": "email"}, "", NOW)
    assert set(found.keys) == {address_key("email", "ann@пример.рф"), address_key("email", "ann@xn--e1afmkfd.xn--p1ai")}


def test_a_national_number_is_completed_where_the_country_is_known():
    row = {"address": "8 916 123-45-67", "channel": "sms"}
    assert entry(row, "", NOW, "RU").keys == (address_key("sms", "+79161234567"),)
    with pytest.raises(ValueError, match="with its country"):
        entry(row, "", NOW)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("ann@shop.example,unsubscribed,carrier-pigeon,", "the channel must be one of"),
        ("ann@shop.example,unsubscribed,,", "the channel must be one of"),
        ("ann@shop.example,angry,email,", "the reason must be one of"),
        ("not an address,,email,", "not an e-mail address"),
        ('"ann@shop.example\r",x,email,', "the reason"),
        ("12,,sms,", "not a phone number"),
        (",,email,", "either an address or a digest"),
        ("ann@shop.example,,email,yesterday", "since must be a date"),
        ("ann@shop.example,,email,1970-01-01", "between the year 2000 and now"),
        ("ann@shop.example,,email,2099-01-01", "between the year 2000 and now"),
        ("ann@shop.example,,email", "3 cells where the first line has 4"),
        ("x" * (LONGEST_LINE + 1), "longer than"),
    ],
)
def test_what_is_wrong_with_a_line_is_told_with_its_number_and_the_others_are_read(line, why):
    good = "bob@shop.example,,email,"
    first, bad, last = read_csv("address,reason,channel,since", good, line, good)[0:3]
    assert (type(first), type(last)) == (Entry, Entry)
    assert isinstance(bad, BadLine)
    assert bad.number == 3
    assert why in bad.why


@pytest.mark.parametrize("head", ["name,phone", "ann@shop.example", "channel,reason"])
def test_a_file_without_a_head_is_not_guessed_at(head):
    (bad,) = read_csv(head, "ann@shop.example,x")
    assert (bad.number, "must name the columns" in bad.why) == (1, True)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("[1]", "not a JSON object"),
        ("{", "not a JSON object"),
        ("[" * 5_000, "not a JSON object"),
        ('{"channel":"email","address":7.5}', "not an e-mail address"),
        ('{"channel":"email","address":["a"]}', "address must be a text"),
        ('{"channel":"email","address":"a@shop.example","extra":1}', "'extra' is not one of"),
        ('{"channel":"email","digest":"xyz"}', "32 hexadecimal digits"),
        ('{"channel":"email","address":"a@shop.example","digest":"%s"}' % ("0" * 32), "either an address or a digest"),
    ],
)
def test_what_is_wrong_with_a_line_of_json(line, why):
    (bad,) = read([line], "jsonl", "", NOW)
    assert why in bad.why


@given(
    st.sampled_from(CHANNELS),
    st.sampled_from([Reason.SUPPRESSED, Reason.UNSUBSCRIBED]),
    st.booleans(),
    st.integers(946_684_800, int(NOW)),
    st.sampled_from(["csv", "jsonl"]),
)
def test_what_is_exported_can_be_imported_and_means_the_same(channel, reason, everything, at, form):
    key = f"a:{channel}:{digest('somebody')}"
    line = written(key, Standing(0.0, reason, float(at), everything), form)
    (found,) = read([HEAD, line] if form == "csv" else [line], form, "", NOW)
    assert (found.keys, found.everything, found.at) == ((key,), everything, float(at))
    assert (found.reason == Reason.UNSUBSCRIBED) == (reason == Reason.UNSUBSCRIBED)
    assert "somebody" not in line


@given(
    st.lists(st.text(max_size=60), max_size=8), st.sampled_from(["csv", "jsonl"]), st.sampled_from(["", "email", "sms"])
)
def test_no_file_raises_anything(lines, form, channel):
    for item in read(["address", *lines] if form == "csv" else lines, form, channel, NOW):
        assert isinstance(item, Entry | BadLine)


# -- the command


def run(capsys, *words):
    status = main(["suppressions", *map(str, words)])
    told = capsys.readouterr()
    return status, told.out, told.err


def test_a_file_with_a_bad_line_is_not_taken_and_the_lines_are_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("BOOMERANG_KAFKA", "kafka://127.0.0.1:1")
    file = tmp_path / "list.csv"
    file.write_text("address\nann@shop.example\nnobody\n" + "x\n" * 30)
    status, out, err = run(capsys, "import", file, "--channel", "email")
    assert (status, out) == (1, "")
    assert "line 3: not an e-mail address" in err
    assert "... and 11 more" in err
    assert "31 of 32 lines cannot be used, and nothing was taken" in err
    status, out, err = run(capsys, "import", file, "--channel", "email", "--dry-run", "--skip-bad")
    assert (status, out) == (0, "1 addresses would be taken, 31 lines passed over\n")


@pytest.mark.parametrize(
    ("content", "words", "status", "told"),
    [
        (None, [], 1, "cannot be read"),
        (b"address\n\xff\xfe\n", [], 1, "is not UTF-8"),
        (b"address\n", [], 1, "has no address"),
        (b"", [], 1, "has no address"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_in_one_line(tmp_path, capsys, content, words, status, told):
    file = tmp_path / "list.csv"
    if content is not None:
        file.write_bytes(content)
    found, _, err = run(capsys, "import", file, "--channel", "email", "--dry-run", *words)
    assert found == status
    assert told in err
    assert len(err.strip().splitlines()) == 1


def test_a_file_with_too_many_lines_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("app.commands.suppressions.MOST_LINES", 10)
    file = tmp_path / "list.csv"
    file.write_text("address\n" + "ann@shop.example\n" * 10)
    status, _, err = run(capsys, "import", file, "--channel", "email", "--dry-run")
    assert (status, "10 lines are the most" in err) == (1, True)


def test_a_line_without_an_end_is_bounded(tmp_path, capsys):
    file = tmp_path / "list.jsonl"
    file.write_text(
        '{"channel":"email","address":"' + "a" * 200_000 + '"}\n{"channel":"email","address":"a@shop.example"}'
    )
    status, out, err = run(capsys, "import", file, "--dry-run", "--skip-bad")
    assert (status, out) == (0, "1 addresses would be taken, 1 lines passed over\n")
    assert "line 1: longer than" in err


@pytest.mark.parametrize("words", [["add", "email", "nobody"], ["remove", "sms", "8916"], ["import", "-"]])
def test_wrong_use_is_told_in_one_line(capsys, monkeypatch, words):
    monkeypatch.setenv("BOOMERANG_KAFKA", "kafka://127.0.0.1:1")
    status, _, err = run(capsys, *words)
    assert status == 2
    assert len(err.strip().splitlines()) == 1
