"""The text part of a mail out of its HTML part, for templates that have none of their own. Pure.

Made for our own markup (tables, headings, lists, links), not for pages of the web: what is hidden is left out, blocks stand on lines of
their own, cells of a row beside each other, and a link is followed by its address.
"""

from html.parser import HTMLParser

MOST_TEXT = 64 * 1024
_LEFT_OUT = frozenset(("head", "script", "style", "template", "title"))
_BLOCKS = frozenset((
    "address", "article", "blockquote", "body", "div", "dl", "dt", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header",
    "hr", "main", "ol", "p", "section", "table", "tbody", "thead", "tr", "ul",
))  # fmt: skip
_APART = frozenset(("p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "blockquote", "hr"))
"""Blocks with an empty line around them."""
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
_MOST_DEPTH = 500


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = [""]
        self._open: list[str] = []
        self._hidden = 0
        self._link, self._linked = "", ""
        self._size = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "br":
            self._break(apart=False)
        if tag in _VOID:
            return
        if len(self._open) < _MOST_DEPTH:
            self._open.append(tag)
        style = (values.get("style") or "").replace(" ", "").lower()
        if self._hidden or tag in _LEFT_OUT or "display:none" in style:
            self._hidden += 1
            return
        if tag in _BLOCKS:
            self._break(apart=tag in _APART)
        elif tag == "li":
            self._break(apart=False)
            self.lines[-1] = "- "
        elif tag in ("td", "th"):
            self._space()
        elif tag == "a":
            self._link, self._linked = (values.get("href") or "").strip(), ""

    def handle_endtag(self, tag: str) -> None:
        if tag not in self._open:
            return
        while self._open and self._open.pop() != tag:
            self._hidden = max(self._hidden - 1, 0)
        if self._hidden:
            self._hidden -= 1
            return
        if tag == "a" and self._link:
            if self._linked.strip() and self._link not in self._linked and self._link.startswith(("http", "mailto:")):
                self._add(f": {self._link}")
            self._link = ""
        elif tag in _BLOCKS:
            self._break(apart=tag in _APART)

    def handle_data(self, data: str) -> None:
        if self._hidden or self._size > MOST_TEXT:
            return
        words = " ".join(data.split())
        if data[:1].isspace():
            self._space()
        self._linked += words
        self._add(words)
        if words and data[-1:].isspace():
            self._space()

    def _add(self, text: str) -> None:
        self._size += len(text)
        self.lines[-1] += text

    def _space(self) -> None:
        if self.lines[-1] and not self.lines[-1].endswith(" "):
            self.lines[-1] += " "

    def _break(self, *, apart: bool) -> None:
        if self.lines[-1].strip():
            self.lines.append("")
        if apart and len(self.lines) > 1 and self.lines[-2] and not self.lines[-1]:
            self.lines.append("")


def text_of(html: str) -> str:
    """The text of a mail's HTML, at most 64 K characters, with a line break at its end."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return "\n".join(line.strip() for line in reader.lines).strip()[:MOST_TEXT] + "\n"
