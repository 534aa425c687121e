"""The products that a customer has looked at: a ring in order of time, kept as columns of bytes. Pure.

Every customer has one, and nearly every event unpacks and packs the customer's row. As bytes a ring of twenty views is six
values instead of a hundred and sixty; only what is shown in a message, or joined with another ring, is unpacked. Products and
categories are found by a checksum of their names first, and by the name itself where that agrees.
"""

from collections.abc import Collection, Iterable, Iterator
from struct import Struct
from typing import NamedTuple
from zlib import crc32

import msgspec

from app.model.event import Line, Properties

VIEWS = 20
"""Views kept of one customer."""
_LONGEST = 0xFFFF
"""Bytes of one view's texts. One that has more (a product id of many thousand characters) is not kept."""

_TIME, _SIZE = Struct(">d"), Struct(">H")
_NOT_TAKEN, _TAKEN = b"\0", b"\1"


class Product(msgspec.Struct, array_like=True, gc=False):
    """What was shown of a product when it was viewed."""

    product_id: str
    category: str = ""
    price: float = 0.0
    name: str = ""
    url: str = ""
    image_url: str = ""


def product_of(told: Properties | Line) -> Product:
    """The product that an event, or a line of it, tells of."""
    return Product(told.product_id, told.category, told.price, told.name, told.url, told.image_url)


class View(NamedTuple):
    """A product view; `at` is epoch seconds. `taken`: put into the cart or bought since."""

    product: Product
    at: float
    taken: bool = False


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Product).decode


class ViewRing(msgspec.Struct, array_like=True, gc=False):
    """The last views, oldest first; each product stands once. A view costs 19 bytes beside its texts."""

    times: bytes = b""
    products: bytes = b""
    categories: bytes = b""
    taken: bytes = b""
    sizes: bytes = b""
    texts: bytes = b""

    @classmethod
    def of(cls, views: Iterable[View]) -> "ViewRing":
        """The ring of some views; they are in order of time, and each product stands once."""
        ring = cls()
        for view in views:
            ring._append(view.product, view.at, view.taken)
        return ring

    def __len__(self) -> int:
        """Views kept."""
        return len(self.taken)

    def __iter__(self) -> Iterator[View]:
        """The views, oldest first. They are copies: changing one changes nothing here."""
        start = 0
        for index, (at,) in enumerate(_TIME.iter_unpack(self.times)):
            end = start + self._size(index)
            yield View(_unpack(self.texts[start:end]), at, self.taken[index] == 1)
            start = end

    def put(self, product: Product, at: float, *, taken: bool) -> bool:
        """Note a view; it takes the place of an older one of the same product. False: a newer one stands there already."""
        index = self._find(product.product_id)
        if index is not None:
            if self._at(index) >= at:
                return False
            self._drop(index)
        if not self.taken or self._at(-1) <= at:
            self._append(product, at, taken)
        else:
            self._insert(product, at, taken)
        if len(self.taken) > VIEWS:
            self._drop(0)
        return True

    def just_before(self, product_id: str, since: float, at: float, most: int) -> list[Product] | None:
        """What was viewed last from `since` to `at`, newest first; None where the product itself is among what was viewed then."""
        index = self._find(product_id)
        if index is not None and since <= self._at(index) <= at:
            return None
        found: list[Product] = []
        end = len(self.texts)  # from the newest on, so that texts are found by their ends
        for index in range(len(self.taken) - 1, -1, -1):
            seen = self._at(index)
            if len(found) == most or seen < since:
                break
            start = end - self._size(index)
            if seen <= at:
                found.append(_unpack(self.texts[start:end]))
            end = start
        return found

    def may_have(self, marks: Collection[bytes]) -> bool:
        """Whether a product with one of the marks (see `mark_of`) may be among those viewed; unpacks none."""
        column = self.products
        return any(column[place : place + 4] in marks for place in range(0, len(column), 4))

    def take(self, product_id: str) -> None:
        """The product was put into the cart."""
        index = self._find(product_id)
        if index is not None:
            self.taken = self.taken[:index] + _TAKEN + self.taken[index + 1 :]

    def take_until(self, at: float) -> None:
        """An order at `at` took all that was viewed no later."""
        count = len(self.taken)
        while count and self._at(count - 1) > at:
            count -= 1
        self.taken = _TAKEN * count + self.taken[count:]

    def has(self, least: int, category: str, since: float, until: float) -> bool:
        """Whether at least so many views of a category lie between two moments, both included."""
        mark = _mark(category)
        if self.categories.count(mark) < least:
            return False
        found = 0
        for index in _places(self.categories, mark):
            found += since <= self._at(index) <= until and self._product(index).category == category
        return found >= least

    def most_alike(self) -> int:
        """How many views of one category are kept, at the most: by the marks, of which two categories may share one."""
        column = self.categories
        marks = [column[place : place + 4] for place in range(0, len(column), 4)]
        return max(map(marks.count, set(marks)), default=0)

    def left_behind(self, since: float) -> list[View]:
        """What was viewed at `since` or later and not taken, oldest first."""
        if _NOT_TAKEN not in self.taken:
            return []
        return [view for view in self if not view.taken and view.at >= since]

    def _append(self, product: Product, at: float, taken: bool) -> None:
        texts = _pack(product)
        size = len(texts)
        if size > _LONGEST:
            return
        self.times += _TIME.pack(at)
        self.products += _mark(product.product_id)
        self.categories += _mark(product.category)
        self.taken += _TAKEN if taken else _NOT_TAKEN
        self.sizes += _SIZE.pack(size)
        self.texts += texts

    def _insert(self, product: Product, at: float, taken: bool) -> None:
        """A late event finds its place: behind the last one that is not newer."""
        newer = [view for view in self if view.at > at]
        while self.taken and self._at(-1) > at:
            self._drop(len(self.taken) - 1)
        self._append(product, at, taken)
        for view in newer:
            self._append(view.product, view.at, view.taken)

    def _drop(self, index: int) -> None:
        start = self._start(index)
        self.texts = self.texts[:start] + self.texts[start + self._size(index) :]
        self.times = self.times[: 8 * index] + self.times[8 * index + 8 :]
        self.products = self.products[: 4 * index] + self.products[4 * index + 4 :]
        self.categories = self.categories[: 4 * index] + self.categories[4 * index + 4 :]
        self.taken = self.taken[:index] + self.taken[index + 1 :]
        self.sizes = self.sizes[: 2 * index] + self.sizes[2 * index + 2 :]

    def _find(self, product_id: str) -> int | None:
        mark = _mark(product_id)
        if mark in self.products:
            for index in _places(self.products, mark):
                if self._product(index).product_id == product_id:
                    return index
        return None

    def _at(self, index: int) -> float:
        """When view `index` was; -1 is the newest."""
        at: float = _TIME.unpack_from(self.times, 8 * index)[0]
        return at

    def _size(self, index: int) -> int:
        size: int = _SIZE.unpack_from(self.sizes, 2 * index)[0]
        return size

    def _start(self, index: int) -> int:
        """Where the texts of view `index` begin."""
        return sum(size for (size,) in _SIZE.iter_unpack(self.sizes[: 2 * index]))

    def _product(self, index: int) -> Product:
        start = self._start(index)
        return _unpack(self.texts[start : start + self._size(index)])


def mark_of(product_id: str) -> bytes:
    """The mark of a product in a ring; two may share one."""
    return _mark(product_id)


def _mark(text: str) -> bytes:
    return crc32(text.encode()).to_bytes(4, "big")


def _places(column: bytes, mark: bytes) -> Iterator[int]:
    """Where in a column of marks a mark stands."""
    place = column.find(mark)
    while place >= 0:
        if place % 4 == 0:
            yield place // 4
        place = column.find(mark, place + 1)
