"""Texts of an event are cut before they are kept."""

from app.model.event import Line, Properties
from tables.bounds import ADDRESS, TEXT, trim


def test_every_text_is_cut_and_an_address_that_is_too_long_is_left_out():
    long = "x" * 10_000
    line = Line("p1", long, category=long, brand=long, url="https://s.example/" + "x" * ADDRESS)
    told = Properties(product_id="p1", brand=long, query=long, products=[line])
    trim(told)
    assert [len(text) for text in (told.brand, told.query, line.name, line.category, line.brand)] == [TEXT] * 5
    assert line.url == ""


def test_short_texts_stay():
    told = Properties(product_id="p1", name="Lamp", brand="Lux", url="https://s.example/lamp")
    trim(told)
    assert (told.name, told.brand, told.url) == ("Lamp", "Lux", "https://s.example/lamp")
