"""What a feed changes, and whether it is believed: any feed after any other, and the cases that customers would notice."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from app.catalogue.diff import KEEP_GONE, Tally, delta, offered, paired
from app.catalogue.plausible import Doubt, Limits, doubts
from app.catalogue.spool import Spool
from app.codec import decode_product, encode_json
from app.model.catalogue import ChangeKind, Offer, Product
from tests.app.catalogue.samples import NOW

IDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=3)
OFFERS = st.builds(
    Offer, id=IDS, name=st.sampled_from(["Lamp", "Rug"]), price=st.sampled_from([1.0, 5.0, 10.0]),
    currency=st.sampled_from(["EUR", "RUB"]), available=st.booleans(),
)  # fmt: skip
FEEDS = st.lists(OFFERS, max_size=12, unique_by=lambda offer: offer.id).map(lambda some: {one.id: one for one in some})


def step(rows, feed, at, unreadable=()):
    """Rows after an import, and its changes."""
    told = {**dict.fromkeys(unreadable), **feed}
    rows, changes, tally = dict(rows), [], Tally()
    for pair in paired(sorted(rows.items()), sorted(told.items())):
        found = delta(pair, at)
        tally.count(pair, found)
        if found is not None:
            changes += found.changes
            if found.row is None:
                del rows[found.id]
            else:
                rows[found.id] = found.row
    return rows, changes, tally


def live(rows):
    return {key: row.offer for key, row in rows.items() if not row.gone_at}


@settings(deadline=None)
@given(st.lists(FEEDS, min_size=2, max_size=5))
def test_a_feed_after_another_makes_the_catalogue_what_the_later_one_says(feeds):
    rows = {}
    for number, feed in enumerate(feeds):
        before = live(rows)
        rows, changes, tally = step(rows, feed, NOW + number)
        assert live(rows) == feed
        assert len({change.id for change in changes}) == len(changes)
        assert {c.product_id for c in changes if c.kind == ChangeKind.GONE} == before.keys() - feed.keys()
        assert (tally.known, tally.offers) == (len(before), len(feed))
        again, nothing, _ = step(rows, feed, NOW + number + 0.5)
        assert (again, nothing) == (rows, [])


@settings(deadline=None)
@given(FEEDS, FEEDS)
def test_an_import_that_is_repeated_finds_the_same_changes_under_the_same_ids(first, second):
    rows, _, _ = step({}, first, NOW)
    one, two = step(rows, second, NOW + 1)[1], step(rows, second, NOW + 99)[1]
    assert [(change.id, change.kind) for change in one] == [(change.id, change.kind) for change in two]


@settings(deadline=None)
@given(FEEDS, FEEDS)
def test_the_spool_pairs_both_sides_as_sorting_in_memory_does(tmp_path_factory, former, feed):
    with Spool(tmp_path_factory.getbasetemp()) as spool:
        for offer in reversed(feed.values()):
            assert spool.offer(offer)
            assert not spool.offer(offer)
        spool.unreadable("~bad")
        for id_, offer in former.items():
            spool.former(id_, encode_json(Product(offer, NOW)))
        rows = {id_: Product(offer, NOW) for id_, offer in former.items()}
        assert list(spool.pairs()) == list(paired(sorted(rows.items()), sorted({**feed, "~bad": None}.items())))
        for id_ in former:
            spool.former(id_, None)
        assert all(pair.former is None for pair in spool.pairs())


def of(*kinds):
    return [ChangeKind(kind) for kind in kinds]


def test_price_and_stock_change_as_customers_see_it():
    lamp = Offer("l", "Lamp", 10.0, "EUR")
    rows, changes, _ = step({}, {"l": lamp}, NOW)
    assert [change.kind for change in changes] == of("new")
    rows, (drop,), _ = step(rows, {"l": Offer("l", "Lamp", 8.0, "EUR")}, NOW + 1)
    assert (drop.kind, drop.old_price, drop.price, drop.at, drop.available) == ("price_drop", 10.0, 8.0, NOW + 1, True)
    rows, (out, rise), _ = step(rows, {"l": Offer("l", "Lamp", 9.0, "EUR", available=False)}, NOW + 2)
    assert (rise.kind, out.kind, out.available) == ("price_rise", "out_of_stock", False)
    rows, changes, _ = step(rows, {}, NOW + 3)
    assert [change.kind for change in changes] == of("gone")
    rows, changes, _ = step(rows, {"l": lamp}, NOW + 4)
    assert [change.kind for change in changes] == of("back_in_stock", "price_rise")
    rows, changes, _ = step(rows, {"l": Offer("l", "Lamp", 1000.0, "RUB")}, NOW + 5)
    assert changes == []  # another currency is no other price
    assert rows["l"].revision == 5


def test_the_same_drop_in_another_month_is_another_change():
    high, low = {"l": Offer("l", "Lamp", 10.0)}, {"l": Offer("l", "Lamp", 8.0)}
    rows, ids = step({}, high, NOW)[0], []
    for turn, feed in enumerate((low, high, low)):
        rows, (change,), _ = step(rows, feed, NOW + turn)
        ids.append(change.id)
    assert len(set(ids)) == 3


def test_what_cannot_be_read_is_neither_gone_nor_changed():
    rows, _, _ = step({}, {"l": Offer("l", "Lamp", 10.0)}, NOW)
    after, changes, tally = step(rows, {}, NOW + 1, unreadable=["l", "new"])
    assert (after, changes, tally.lost) == (rows, [], 0)


def test_a_product_that_stays_away_is_forgotten_after_half_a_year():
    rows, _, _ = step({}, {"l": Offer("l", "Lamp", 10.0)}, NOW)
    rows, _, _ = step(rows, {}, NOW)
    assert step(rows, {}, NOW + KEEP_GONE)[0] == rows
    assert step(rows, {}, NOW + KEEP_GONE + 1)[0] == {}


def shop(count, price=10.0, *, available=True):
    return {f"p{number}": Offer(f"p{number}", "Lamp", price, available=available) for number in range(count)}


def test_a_feed_in_which_too_much_is_gone_bad_or_of_another_price_is_doubted():
    rows, _, _ = step({}, shop(100), NOW)

    def doubted(feed, bad=0):
        return set(doubts(step(rows, feed, NOW + 1)[2], bad, Limits()))

    assert doubted(shop(100)) == doubted(shop(70)) == doubted(shop(300)) == set()
    assert doubted(shop(69)) == {Doubt.LOST}
    assert doubted(shop(100, available=False)) == {Doubt.LOST}
    assert doubted(shop(100, 1000.0)) == {Doubt.PRICES}
    assert doubted({**shop(100), **shop(20, 1.0)}) == set()
    assert doubted({**shop(100), **shop(21, 1.0)}) == {Doubt.PRICES}
    assert doubted(shop(189), bad=11) == {Doubt.BAD_OFFERS}
    assert doubted(shop(191), bad=10) == set()


def test_a_small_shop_may_change_all_it_has():
    rows, _, _ = step({}, shop(10), NOW)
    assert doubts(step(rows, {"x": Offer("x", "Rug", 1.0)}, NOW)[2], 3, Limits()) == {}


def test_rows_are_read_as_they_were_written():
    row = Product(Offer("l", "Lamp", 10.0, "EUR", 12.0, False, "u", "p", "c", "b", "g"), NOW, 7, NOW + 1)
    assert decode_product(encode_json(row)) == row


def known(rows, feed, at, told, *, anew=False):
    """What the engine knows after an import: product -> price (0: it cannot be had) and what it cost before."""
    told = {} if anew else dict(told)
    for pair in paired(sorted(rows.items()), sorted(feed.items())):
        one = offered(pair, delta(pair, at), anew=anew)
        if one is not None:
            told.pop(one[0], None)
            if one[1] == 0.0 or one[2] > one[1]:
                told[one[0]] = one[1:]
    return told


@settings(deadline=None)
@given(st.lists(FEEDS, min_size=1, max_size=5), st.integers(0, 4))
def test_the_engine_knows_what_cannot_be_had_and_what_the_feed_reduces_whenever_it_was_first_told(feeds, first):
    rows, told = {}, {}
    for number, feed in enumerate(feeds):
        feed = {id_: msgspec.structs.replace(one, old_price=one.price * (number % 3)) for id_, one in feed.items()}
        if number >= first or number == len(feeds) - 1:
            told = known(rows, feed, NOW + number, told, anew=number == first or len(feeds) - 1 <= first)
        rows, _, _ = step(rows, feed, NOW + number)
    out = {id_ for id_, row in rows.items() if row.gone_at or not row.offer.available}
    assert {id_ for id_, (price, _) in told.items() if not price} == out
    crossed = {id_: (o.price, o.old_price) for id_, o in live(rows).items() if o.available and o.old_price > o.price}
    assert crossed.items() <= told.items()


def test_a_price_that_has_just_fallen_is_a_reduction_until_it_is_told_otherwise():
    lamp = Offer("lamp", "Lamp", 100.0, "EUR")
    rows, _, _ = step({}, {"lamp": lamp}, NOW)
    cheaper = {"lamp": msgspec.structs.replace(lamp, price=80.0)}
    told = known(rows, cheaper, NOW + 1, {})
    assert told == {"lamp": (80.0, 100.0)}
    rows, _, _ = step(rows, cheaper, NOW + 1)
    assert known(rows, cheaper, NOW + 2, told) == told
    assert known(rows, {"lamp": lamp}, NOW + 2, told) == {}
