"""The elements of a feed in XML, one after the other, from pieces as they come. Nothing else in the file is kept.

The only user of expat. Refused: entities of the file's own, an internal DTD, anything that would have to be fetched, markup that does
not end, elements nested without end. A line `<!DOCTYPE yml_catalog SYSTEM "shops.dtd">` is passed over: feeds have had it for decades, and
nothing is read because of it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple
from xml.parsers import expat

from app.catalogue.refusal import FeedRefusedError

LONGEST_MARKUP = 1 << 20
"""Bytes of one tag, comment or instruction, which the parser has to hold as a whole."""
DEEPEST = 32
MOST_CHILDREN = 2_000
"""Elements directly below one offer."""
LONGEST_FIELD = 4_096
"""Characters of a field that are kept; what an offer may have is judged later."""
MOST_NAMES = 1_000
"""Names of elements that are remembered with what they mean."""
GOOGLE = "http://base.google.com/ns/1.0"
WATCHED = frozenset({("offers", "offer"), ("categories", "category"), ("channel", "item"), ("feed", "entry")})
"""Parent and tag of the elements that are given out."""
ROOTS: Mapping[str, str] = {"yml_catalog": "yml", "rss": "google", "feed": "google"}
"""Root element -> format."""


class Element(NamedTuple):
    """An offer, item, entry or category. `fields`: tag of a direct child -> its text, the first that has one.

    Children of Google's namespace are named `g:price`. `text` is the element's own.
    """

    tag: str
    attributes: Mapping[str, str]
    fields: Mapping[str, str]
    text: str
    line: int


class _Open:
    """An element that has begun and not ended."""

    __slots__ = ("attributes", "children", "depth", "fields", "line", "tag", "text")

    def __init__(self, tag: str, attributes: dict[str, str], depth: int, line: int) -> None:
        self.tag, self.attributes, self.depth, self.line = tag, attributes, depth, line
        self.fields: dict[str, str] = {}
        self.text: list[str] = []
        self.children = 0


class ElementStream:
    """Takes the bytes of a file, gives its elements. `wanted`: the children whose texts are kept; `encoding`: in place of the declared one."""

    def __init__(self, wanted: frozenset[str], encoding: str = "") -> None:
        self.root = ""
        self._wanted = wanted
        self._names: dict[str, tuple[str, str]] = {}
        self._tags: list[str] = []
        self._item: _Open | None = None
        self._field, self._text, self._room = "", list[str](), 0
        self._found: list[Element] = []
        self._fed = 0
        self._parser = parser = expat.ParserCreate(encoding or None, namespace_separator=" ")
        parser.buffer_text = True
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._entity
        parser.ExternalEntityRefHandler = self._external
        parser.SkippedEntityHandler = self._skipped

    def feed(self, data: bytes) -> list[Element]:
        """The elements that have ended in this piece. Raises FeedRefusedError."""
        self._parse(data, final=False)
        self._fed += len(data)
        if self._fed - self._parser.CurrentByteIndex > LONGEST_MARKUP:
            raise self._refused(f"a tag or comment is longer than {LONGEST_MARKUP >> 20} MiB")
        found, self._found = self._found, []
        return found

    def end(self) -> list[Element]:
        """The file is over. Raises FeedRefusedError when its elements are not."""
        self._parse(b"", final=True)
        found, self._found = self._found, []
        return found

    def _parse(self, data: bytes, *, final: bool) -> None:
        try:
            self._parser.Parse(data, final)
        except expat.ExpatError as error:
            raise FeedRefusedError(_told(error, final=final)) from None
        except (LookupError, ValueError) as error:
            raise FeedRefusedError(f"the encoding of the file cannot be read: {error}"[:200]) from None

    def _refused(self, why: str) -> FeedRefusedError:
        return FeedRefusedError(f"line {self._parser.CurrentLineNumber}: {why}")

    # -- expat's calls

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        tag, field = self._names.get(name) or self._named(name)
        tags, item = self._tags, self._item
        depth = len(tags)
        if depth >= DEEPEST:
            raise self._refused(f"elements are nested more than {DEEPEST} deep")
        if item is None:
            if not depth:
                self._begin(tag)
            elif (tags[-1], tag) in WATCHED:
                self._item = item = _Open(tag, attributes, depth + 1, self._parser.CurrentLineNumber)
                if tag == "category":
                    self._listen(item.text)
        elif depth == item.depth:
            item.children += 1
            if item.children > MOST_CHILDREN:
                raise self._refused(f"an offer has more than {MOST_CHILDREN} elements")
            if field:
                self._field = field
                self._listen([])
            if tag == "link" and "href" in attributes and attributes.get("rel", "alternate") == "alternate":
                item.fields["link"] = item.fields.get("link") or attributes["href"][:LONGEST_FIELD]
        else:
            self._room = 0
        tags.append(tag)

    def _named(self, name: str) -> tuple[str, str]:
        """The tag of an element, and the field that it is ("": none that is wanted)."""
        space, _, tag = name.rpartition(" ")
        field = "g:" + tag if space == GOOGLE else tag
        found = tag, field if field in self._wanted else ""
        if len(self._names) < MOST_NAMES:
            self._names[name] = found
        return found

    def _listen(self, texts: list[str]) -> None:
        """Keep what comes now; the parser calls for texts only then."""
        self._text, self._room = texts, LONGEST_FIELD
        self._parser.CharacterDataHandler = self._characters

    def _begin(self, tag: str) -> None:
        self.root = tag
        if tag not in ROOTS:
            raise self._refused(
                f"the file begins with <{tag[:40]}>, so it is no feed of offers: <yml_catalog>, <rss> or <feed> is expected"
            )

    def _end(self, _name: str) -> None:
        tags, item = self._tags, self._item
        tags.pop()
        if item is None:
            return
        depth = len(tags)
        if depth == item.depth:
            if self._field:
                item.fields[self._field] = item.fields.get(self._field) or "".join(self._text).strip()
                self._field = ""
                self._parser.CharacterDataHandler = None
        elif depth < item.depth:
            self._found.append(Element(item.tag, item.attributes, item.fields, "".join(item.text).strip(), item.line))
            self._item = None
            self._parser.CharacterDataHandler = None

    def _characters(self, data: str) -> None:
        room = self._room
        if room:
            self._text.append(data[:room])
            self._room = max(0, room - len(data))

    def _doctype(self, _name: str, _system: str | None, _public: str | None, internal: int) -> None:
        if internal:
            raise self._refused("the file declares a DTD of its own ([...] in its DOCTYPE), which is not read")

    def _entity(self, name: str, *_rest: Any) -> None:
        raise self._refused(f"the file declares an entity ({name[:40]}), which is not read")

    def _external(self, *_rest: Any) -> int:
        raise self._refused("the file refers to another file, which is not read")

    def _skipped(self, name: str, *_rest: Any) -> None:
        raise self._refused(f"&{name[:40]}; is not known in XML; write the character itself, or its number like &#160;")


def _told(error: expat.ExpatError, *, final: bool) -> str:
    """The parser's words with what to do."""
    where = f"line {error.lineno}"
    words = expat.ErrorString(error.code)
    codes = expat.errors.codes
    if final and error.code != codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]:
        return f"{where}: the file ends too early ({words}): it is cut off; fetch or write it again"
    if error.code == codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]:
        return (
            f"{where}: an entity like &nbsp; is not known in XML; write the character itself, or its number like &#160;"
        )
    if error.code == codes[expat.errors.XML_ERROR_INVALID_TOKEN]:
        return (
            f"{where}: {words}: a bare & or <, or text in another encoding than the file says; "
            "--encoding windows-1251 names another one"
        )
    if error.code == codes[expat.errors.XML_ERROR_UNKNOWN_ENCODING]:
        return f"{where}: the encoding that the file names is not known; save it as UTF-8, or name it by --encoding"
    return f"{where}: {words}"
