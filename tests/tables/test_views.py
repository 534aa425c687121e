"""The ring of views as columns of bytes does what a plain list of views would do."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tables.views import VIEWS, Product, View, ViewRing

PRODUCTS = st.sampled_from([f"p{number}" for number in range(30)] + ["plumless", "buckeroo"])
"""The last two have the same checksum."""
CATEGORIES = st.sampled_from(["", "shoes", "codding", "gnu"])
"""The last two too."""
TIMES = st.integers(0, 60).map(float)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("put"), PRODUCTS, TIMES, CATEGORIES, st.booleans()),
        st.tuples(st.just("take"), PRODUCTS),
        st.tuples(st.just("take_until"), TIMES),
        st.tuples(st.just("pack")),
    ),
    max_size=80,
)


class Plain:
    """The obvious version."""

    def __init__(self):
        self.views = []

    def put(self, product, at, *, taken):
        old = next((item for item in self.views if item.product.product_id == product.product_id), None)
        if old is not None and old.at >= at:
            return False
        if old is not None:
            self.views.remove(old)
        self.views = sorted([*self.views, View(product, at, taken)], key=lambda item: item.at)[-VIEWS:]
        return True

    def take(self, product_id):
        self.views = [view._replace(taken=view.taken or view.product.product_id == product_id) for view in self.views]

    def take_until(self, at):
        self.views = [view._replace(taken=view.taken or view.at <= at) for view in self.views]


@given(CHANGES, CATEGORIES, TIMES, TIMES)
def test_the_columns_agree_with_a_plain_list(changes, category, since, until):
    ring, plain = ViewRing(), Plain()
    for what, *words in changes:
        if what == "put":
            product_id, at, kind, taken = words
            product = Product(product_id, kind, at * 1.5, f"name of {product_id}", "https://shop.example/p")
            assert ring.put(product, at, taken=taken) == plain.put(product, at, taken=taken)
        elif what == "pack":
            ring = msgspec.msgpack.decode(msgspec.msgpack.encode(ring), type=ViewRing)
        else:
            getattr(ring, what)(*words)
            getattr(plain, what)(*words)
    assert [*ring] == plain.views
    assert len(ring) == len(plain.views)
    count = sum(view.product.category == category and since <= view.at <= until for view in plain.views)
    assert ring.has(count, category, since, until)
    assert not ring.has(count + 1, category, since, until)
    assert ring.left_behind(since) == [view for view in plain.views if not view.taken and view.at >= since]
    assert ViewRing.of(plain.views) == ring


def test_a_view_with_texts_beyond_all_bounds_is_not_kept():
    ring = ViewRing()
    ring.put(Product("p" * 70_000), 1.0, taken=False)
    assert ring.put(Product("p1"), 2.0, taken=False)
    assert [view.product.product_id for view in ring] == ["p1"]


def test_the_checksums_of_the_test_collide():
    ring = ViewRing()
    ring.put(Product("plumless", "codding"), 1.0, taken=False)
    ring.put(Product("buckeroo", "gnu"), 1.0, taken=False)
    assert ring.products[:4] == ring.products[4:]
    assert ring.categories[:4] == ring.categories[4:]
    assert len(ring) == 2
