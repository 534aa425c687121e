"""The products that a customer has looked at: a ring in order of time, kept as columns of bytes. Pure.

Every customer has one, and nearly every event unpacks and packs the customer's row. As bytes a ring of twenty views is six
values instead of a hundred and sixty; only what is shown in a message, or joined with another ring, is unpacked. Products and
categories are found by a checksum of their names first, and by the name itself where that agrees.
"""

from collections.abc import Iterable, Iterator
from struct import Struct
from zlib import crc32

import msgspec

VIEWS = 20
"""Views kept of one customer."""
_LONGEST = 0xFFFF
"""Bytes of one view's texts. One that has more (a product id of many thousand characters) is not kept."""

_TIME, _SIZE = Struct(">d"), Struct(">H")
_NOT_TAKEN, _TAKEN = b"\0", b"\1"


class View(msgspec.Struct, array_like=True, gc=False):
    """A product view; `at` is epoch seconds. `taken`: put into the cart or bought since."""

    product_id: str
    at: float
    category: str = ""
    price: float = 0.0
    name: str = ""
    url: str = ""
    image_url: str = ""
    taken: bool = False


class _Texts(msgspec.Struct, array_like=True, gc=False):
    """What the columns do not say of a view."""

    product_id: str
    category: str
    price: float
    name: str
    url: str
    image_url: str


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Texts).decode


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
            ring._append(view)
        return ring

    def __len__(self) -> int:
        """Views kept."""
        return len(self.taken)

    def __iter__(self) -> Iterator[View]:
        """The views, oldest first. They are copies: changing one changes nothing here."""
        start = 0
        for index, (at,) in enumerate(_TIME.iter_unpack(self.times)):
            end = start + self._size(index)
            texts = _unpack(self.texts[start:end])
            yield View(
                texts.product_id,
                at,
                texts.category,
                texts.price,
                texts.name,
                texts.url,
                texts.image_url,
                self.taken[index] == 1,
            )
            start = end

    def put(self, view: View) -> bool:
        """Note a view; it takes the place of an older one of the same product. False: a newer one stands there already."""
        index = self._find(view.product_id)
        if index is not None:
            if self._at(index) >= view.at:
                return False
            self._drop(index)
        if not self.taken or self._at(-1) <= view.at:
            self._append(view)
        else:
            self._insert(view)
        if len(self.taken) > VIEWS:
            self._drop(0)
        return True

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

    def count(self, category: str, since: float, until: float) -> int:
        """How many views of a category lie between two moments, both included."""
        return sum(
            1
            for index in _places(self.categories, _mark(category))
            if since <= self._at(index) <= until and self._texts(index).category == category
        )

    def left_behind(self, since: float) -> list[View]:
        """What was viewed at `since` or later and not taken, oldest first."""
        if _NOT_TAKEN not in self.taken:
            return []
        return [view for view in self if not view.taken and view.at >= since]

    def _append(self, view: View) -> None:
        texts = _pack(_Texts(view.product_id, view.category, view.price, view.name, view.url, view.image_url))
        size = len(texts)
        if size > _LONGEST:
            return
        self.times += _TIME.pack(view.at)
        self.products += _mark(view.product_id)
        self.categories += _mark(view.category)
        self.taken += _TAKEN if view.taken else _NOT_TAKEN
        self.sizes += _SIZE.pack(size)
        self.texts += texts

    def _insert(self, view: View) -> None:
        """A late event finds its place: behind the last one that is not newer."""
        views = list(self)
        position = len(views)
        while position and views[position - 1].at > view.at:
            position -= 1
        views.insert(position, view)
        new = ViewRing.of(views)
        self.times, self.products, self.categories = new.times, new.products, new.categories
        self.taken, self.sizes, self.texts = new.taken, new.sizes, new.texts

    def _drop(self, index: int) -> None:
        start = self._start(index)
        self.texts = self.texts[:start] + self.texts[start + self._size(index) :]
        self.times = self.times[: 8 * index] + self.times[8 * index + 8 :]
        self.products = self.products[: 4 * index] + self.products[4 * index + 4 :]
        self.categories = self.categories[: 4 * index] + self.categories[4 * index + 4 :]
        self.taken = self.taken[:index] + self.taken[index + 1 :]
        self.sizes = self.sizes[: 2 * index] + self.sizes[2 * index + 2 :]

    def _find(self, product_id: str) -> int | None:
        for index in _places(self.products, _mark(product_id)):
            if self._texts(index).product_id == product_id:
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

    def _texts(self, index: int) -> _Texts:
        start = self._start(index)
        return _unpack(self.texts[start : start + self._size(index)])


def _mark(text: str) -> bytes:
    return crc32(text.encode()).to_bytes(4, "big")


def _places(column: bytes, mark: bytes) -> Iterator[int]:
    """Where in a column of marks a mark stands."""
    place = column.find(mark)
    while place >= 0:
        if place % 4 == 0:
            yield place // 4
        place = column.find(mark, place + 1)
