"""Feeds as shops write them, and as nobody should: read, or refused with what to do."""

import gzip
import zlib

import pytest

from app.catalogue import elements, unpack
from app.catalogue.feed import Feed
from app.catalogue.refusal import FeedRefusedError
from app.model.catalogue import Offer
from tests.app.catalogue.samples import ATOM, NOW, RSS, TSV, YML, read, yml

LAMP = Offer(
    id="9012", name="Лампа «Север»", price=1299.5, currency="RUB", old_price=1590.0, url="https://shop.example/lamp?id=9012&utm=ym",
    picture="https://shop.example/9012.jpg", category="Свет > Лампы & люстры", brand="Nord", group="55",
)  # fmt: skip


@pytest.mark.parametrize("step", [0, 1, 7, 4096])
def test_offers_of_yml_are_read_whatever_pieces_they_come_in(step):
    found, faults = read(YML, step=step)
    assert found["9012"] == LAMP
    assert found["9013"] == Offer("9013", "Ночник Nord Луна", 990.0, "RUB", available=False,
                                  url="https://shop.example/9013", category="Свет", brand="Nord")  # fmt: skip
    assert not found["9014"].available
    assert list(found) == ["9012", "9013", "9014"]
    assert [(fault.number, fault.id) for fault in faults] == [(4, "9015"), (5, ""), (6, "9016"), (7, "9017")]
    line = 1 + YML[: YML.index("Слово")].count("\n")
    assert str(faults[2]) == f"line {line}, offer 6, id '9016': its price 'дорого' is not one; write it like 1299.00"
    assert "must begin with https://" in faults[3].why


@pytest.mark.parametrize("encoding", ["windows-1251", "utf-16", "koi8-r"])
def test_the_encoding_that_a_file_declares_is_read(encoding):
    text = YML.replace("UTF-8", encoding).replace("«", '"').replace("»", '"')
    found, _ = read(text.encode(encoding), step=100)
    assert found["9012"].name == 'Лампа "Север"'


def test_an_encoding_that_is_not_declared_is_refused_and_can_be_named():
    data = YML.replace(' encoding="UTF-8"', "").encode("windows-1251")
    with pytest.raises(
        FeedRefusedError, match=r"line \d+: not well-formed .*--encoding windows-1251 names another one"
    ):
        read(data)
    assert read(data, encoding="windows-1251")[0]["9012"] == LAMP
    with pytest.raises(FeedRefusedError, match="there is no encoding 'klingon'"):
        Feed(NOW, encoding="klingon")


@pytest.mark.parametrize("encoding", ["hex", "rot13", "base64", "utf\0008"])
def test_a_codec_that_is_not_of_text_is_no_encoding(encoding):
    with pytest.raises(FeedRefusedError, match="there is no encoding"):
        Feed(NOW, encoding=encoding)


def test_an_encoding_that_nobody_knows_is_refused():
    with pytest.raises(FeedRefusedError, match="encoding"):
        read(YML.replace("UTF-8", "x-nobody"))


@pytest.mark.parametrize("step", [0, 1, 300])
def test_googles_feed_is_read_as_rss(step):
    found, faults = read(RSS, step=step)
    assert found["L-1"] == Offer(
        "L-1", "Lamp", 999.0, "EUR", 1299.0, url="https://shop.example/l-1", picture="https://shop.example/l-1.jpg",
        category="Light > Lamps", brand="Nord", group="L",
    )  # fmt: skip
    assert found["L-2"] == Offer("L-2", "Rug", 40.0, "EUR", available=False, url="https://shop.example/l-2")
    assert [(fault.id, fault.why[:30]) for fault in faults] == [("L-3", "its availability 'some_day' is")]


def test_a_sale_counts_in_its_period_alone():
    assert read(RSS, now=1_580_515_200.0 - 1)[0]["L-2"].price == 30.0
    assert read(RSS, now=1_580_515_200.0)[0]["L-2"].price == 40.0
    assert read(RSS, now=1_580_515_200.0)[0]["L-1"].price == 1299.0


def test_googles_feed_is_read_as_atom_and_as_a_table():
    found, _ = read(ATOM)
    assert found == {"L-1": Offer("L-1", "Lamp", 10.0, "EUR", url="https://shop.example/l-1")}
    for data in (TSV.encode(), TSV.encode("utf-16"), TSV.replace("\n", "\r\n").encode()):
        found, faults = read(data, step=5)
        assert found["L-1"] == Offer("L-1", "Lamp, large", 10.0, "EUR", url="https://shop.example/l-1")
        assert found["L-2"] == Offer("L-2", 'Rug "Nord"', 40.0, "EUR", available=False)
        assert [(fault.line, fault.why[:20]) for fault in faults] == [(4, "it has another numbe")]


def test_a_packed_feed_is_unpacked_also_in_several_parts_and_with_padding():
    data = YML.encode()
    packed = gzip.compress(data[:500]) + gzip.compress(data[500:]) + b"\0" * 512
    assert read(packed, step=11)[0]["9012"] == LAMP


@pytest.mark.parametrize(
    ("price", "amount"),
    [("1299", 1299.0), ("1 299,00", 1299.0), ("1,299", 1299.0), ("1.299,50", 1299.5), ("1,299.50", 1299.5), ("12,5", 12.5),
     ("1\u00a0299.5", 1299.5), ("0.01", 0.01), ("1'299.00", 1299.0), ("1,234,567", 1234567.0)],
)  # fmt: skip
def test_prices_are_read_as_people_write_them(price, amount):
    assert read(yml([("1", price, True)]))[0]["1"].price == amount


@pytest.mark.parametrize(
    "price", ["-5", "NaN", "inf", "1e5", "", "0", "1 2 3 4 5 6 7 8 9 0 1 2 3 4 5", "5 бананов", "..", "1,,2.."]
)
def test_what_is_no_price_makes_a_bad_offer(price):
    found, faults = read(yml([("1", price, True), ("2", "5", True)]))
    assert list(found) == ["2"]
    assert len(faults) == 1


# -- refused as a whole


@pytest.mark.parametrize("cut", [0.02, 0.3, 0.5, 0.9, 0.999])
def test_a_feed_that_is_cut_off_is_refused_wherever_the_cut_is(cut):
    data = yml([(str(number), "5", True) for number in range(50)]).encode()
    part = data[: int(len(data) * cut)]
    with pytest.raises(FeedRefusedError, match=r"the file ends too early .* it is cut off"):
        read(part)
    with pytest.raises(FeedRefusedError, match="the packed file ends too early: it is cut off"):
        read(gzip.compress(data)[: int(len(gzip.compress(data)) * cut)])


def test_a_table_that_ends_within_a_line_is_refused():
    with pytest.raises(FeedRefusedError, match="line 2: the file ends within it: it is cut off"):
        read("id\ttitle\tprice\nL-1\tLam")


LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(f'<!ENTITY lol{n + 1} "{f"&lol{n or str()};" * 10}">' for n in range(9))
    + "]>"
)


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (LAUGHS, "declares a DTD of its own"),
        ('<!DOCTYPE y [<!ENTITY x SYSTEM "file:///etc/passwd">]>', "declares a DTD of its own"),
        ('<!DOCTYPE y [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x.dtd"> %p;]>', "declares a DTD of its own"),
        ("<!DOCTYPE yml_catalog []>", "declares a DTD of its own"),
    ],
)
def test_entities_of_the_files_own_are_refused_before_anything_of_them_is_read(head, told):
    body = yml([("1", "5", True)]).replace("Лампа 0", "&lol9;&x;").split("?>\n", 1)[1]
    with pytest.raises(FeedRefusedError, match=told):
        read(f'<?xml version="1.0"?>\n{head}\n{body}')


@pytest.mark.parametrize("doctype", ["", '<!DOCTYPE yml_catalog SYSTEM "http://127.0.0.1:1/shops.dtd">'])
def test_an_entity_that_xml_does_not_know_is_refused_with_what_to_write(doctype):
    body = yml([("1", "5", True)]).replace("Лампа 0", "Лампа&nbsp;0").split("?>\n", 1)[1]
    with pytest.raises(FeedRefusedError, match=r"is not known in XML; write the character itself"):
        read(f'<?xml version="1.0"?>\n{doctype}\n{body}')


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("<html><body>502 Bad Gateway</body></html>", "begins with <html>, so it is no feed of offers"),
        ("", "the file is empty"),
        ("just words\n", "no column 'id'; the first line must name the columns"),
        ("<yml_catalog><shop><offers/></shop></yml_catalog>", "there is no offer in it"),
        ("id\ttitle\tprice\n", "there is no offer in it"),
        ("PK\x03\x04" + "x" * 100, "zip archive"),
        ("<yml_catalog>" + "<a>" * 40, "nested more than 32 deep"),
        ("<yml_catalog><offers><offer>" + "<param/>" * 2_001, "more than 2000 elements"),
        ("<yml_catalog><b></yml_catalog>", "line 1: mismatched tag"),
        ("id\ttitle\tprice\n" + "x" * 300_000, "is longer than 256 Ki characters"),
        (gzip.compress(b"<yml_catalog/>" * 9)[:-8] + b"\1" * 8, "the packed file is damaged"),
        (b"id\ttitle\tprice\n1\t\xff\t5\n", "the text is not UTF-8"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 60 else "",
)
def test_what_is_no_feed_is_refused_with_the_reason(data, told):
    with pytest.raises(FeedRefusedError, match=told):
        read(data)


@pytest.mark.parametrize(("data", "form"), [(YML, "google"), (YML, "tsv"), (RSS, "yml"), (TSV, "yml")])
def test_another_format_than_was_asked_for_is_refused(data, form):
    with pytest.raises(FeedRefusedError, match="was asked for"):
        read(data, form=form)


@pytest.mark.parametrize("markup", ["<!-- ", "<offer id='", "<?php "])
def test_markup_without_end_is_refused_before_it_fills_the_memory(markup):
    feed = Feed(NOW)
    list(feed.feed(f"<yml_catalog><shop><offers>{markup}".encode()))
    with pytest.raises(FeedRefusedError, match="a tag or comment is longer than 1 MiB"):
        for _ in range(2 * elements.LONGEST_MARKUP >> 16):
            list(feed.feed(b"x" * (1 << 16)))


def test_a_text_without_end_is_passed_over_and_not_kept():
    feed = Feed(NOW)
    list(feed.feed(b"<yml_catalog><shop><offers><offer id='1'><price>5</price><name>"))
    for _ in range(100):
        list(feed.feed(b"x" * (1 << 16)))
    found = [*feed.feed(b"</name></offer></offers></shop></yml_catalog>"), *feed.end()]
    assert [len(offer.name) for offer in found] == [300]


def test_a_packed_bomb_is_refused_after_some_megabytes(monkeypatch):
    monkeypatch.setattr(unpack, "FREE_BYTES", 1 << 20)
    pack = zlib.compressobj(9, wbits=31)
    bomb = (
        pack.compress(b"<yml_catalog><shop>")
        + b"".join(pack.compress(b" " * (1 << 20)) for _ in range(8))
        + pack.flush()
    )
    feed = Feed(NOW)
    with pytest.raises(FeedRefusedError, match="grows to more than 300 times its size"):
        list(feed.feed(bomb))
    assert feed._unpacker.given < 8 << 20


def test_a_feed_of_more_bytes_or_offers_than_can_be_is_refused(monkeypatch):
    data = yml([(str(number), "5", True) for number in range(50)])
    monkeypatch.setattr(unpack, "MOST_BYTES", 10_000)
    with pytest.raises(FeedRefusedError, match="more than 0 GiB"):
        read(data, step=500)
    monkeypatch.undo()
    monkeypatch.setattr("app.catalogue.feed.MOST_OFFERS", 40)
    with pytest.raises(FeedRefusedError, match="more than 40 offers"):
        read(data)
    monkeypatch.setattr("app.catalogue.yml.MOST_CATEGORIES", 1)
    with pytest.raises(FeedRefusedError, match="more than 1 categories"):
        read(data)


def test_categories_in_a_circle_end():
    data = YML.replace('<category id="1">', '<category id="1" parentId="12">')
    assert read(data)[0]["9012"].category == "Свет > Лампы & люстры"
