"""Parts of the console's pages that report about a period. Pure."""

from collections.abc import Iterable, Sequence

from app.web.console.html import Html, el


def periods(address: str, offered: Sequence[int], days: int) -> Html:
    """Links to the page at `address` for each period that it offers; `days` is the present one."""
    chips = [
        el("a", f"{one} day{'' if one == 1 else 's'}", href=f"{address}?days={one}", aria_current="true" if one == days else None)
        for one in offered
    ]  # fmt: skip
    return el("nav", *chips, class_="chips", aria_label="Period")


def tiles(figures: Iterable[tuple[str, str, str]]) -> Html:
    """Figures with a name and a note each: (name, figure, note)."""
    return el(
        "dl",
        *(el("div", el("dt", name), el("dd", value), el("dd", note, class_="note")) for name, value, note in figures),
        class_="tiles",
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Html:
    """A table of texts."""
    return el("table", el("thead", _row("th", head)), el("tbody", *(_row("td", row) for row in rows)))


def _row(tag: str, cells: Sequence[str]) -> Html:
    return el("tr", *(el(tag, cell) for cell in cells))
