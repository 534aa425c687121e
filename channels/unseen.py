"""Texts for channels without markup: what could change their meaning on the way, or how they read, is taken out. Pure."""

import re

_BREAKS = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_HIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)
"""Control characters, those that turn the direction of what follows, and those of no width. The joiners of emoji and scripts stay."""
_BLANKS = re.compile("[\t \u00a0\u202f]+")
_LINES = re.compile("\n{3,}")


def seen(text: str) -> str:
    """The text without what is not seen, or turns what follows it; line breaks stay."""
    return text if text.isascii() and text.isprintable() else _HIDDEN.sub("", text)


def plain(text: str) -> str:
    """The text with its line breaks as LF, at most one empty line in a row, and nothing that is not seen."""
    if text.isascii() and text.isprintable():
        return _BLANKS.sub(" ", text).strip()
    seen = _HIDDEN.sub("", _BREAKS.sub("\n", text))
    lines = (_BLANKS.sub(" ", line).strip() for line in seen.split("\n"))
    return _LINES.sub("\n\n", "\n".join(lines)).strip()


def one_line(text: str) -> str:
    """The same on one line."""
    return " ".join(plain(text).split())
