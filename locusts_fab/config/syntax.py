"""Words for text that is no TOML: what was probably meant, and what to write instead. Pure."""

from __future__ import annotations

import re
import unicodedata

_QUOTED = 'text goes in quotes: "…"'
#: What the reader of TOML complains of, and what to write instead, where nothing better can be said.
_ADVICE = {
    "illegal character '\\n'": 'the quote is not closed on its line; text of several lines goes in """…"""',
    "invalid hex value": r"a \ in \"…\" begins an escape; write \\, or put the text in '…'".replace('\\"', '"'),
    "unescaped '\\' in a string": r"a \ in \"…\" begins an escape; write \\, or put the text in '…'".replace(
        '\\"', '"'
    ),
    "cannot overwrite a value": "this key stands twice in its table; keep one of them",
    "unclosed array": "a comma is missing between two values, or the ] at the end",
    "unclosed inline table": "a comma is missing between two keys, or the } at the end",
    "unterminated string": "the quotes at its end are missing",
    "expected ']' at the end of a table declaration": "the ] after the name is missing",
    "expected '=' after a key in a key/value pair": "write key = value, with quotes around text",
    "invalid initial character for a key part": "write [TABLE] or key = value here, in plain letters",
    "invalid statement": "expected [TABLE], key = value, or a comment that begins with #",
    "invalid value": _QUOTED,
    "expected newline or end of document after a statement": f"{_QUOTED}, and each key stands on a line of its own",
}
_TWICE = re.compile(r"cannot declare \((.*)\) twice")
#: What other languages call a value, and what TOML does.
_WORDS = {"true": "true", "false": "false", "yes": "true", "no": "false", "on": "true", "off": "false"}
_NOTHING = {"none", "null", "nil", "na"}
_TYPOGRAPHIC = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u2032\u2033\u00ab\u00bb"


def advise(what: str, line: str, column: int) -> str:
    """Return what to write where the reader of TOML stumbled; empty if nothing can be said.

    :param what: its complaint, beginning with a small letter.
    :param line: the line of the file.
    :param column: the place in it, from 1 on.
    """
    before, rest = line[: column - 1].rstrip(), line[column - 1 :]
    twice = _TWICE.match(what)
    if twice:
        name = ".".join(part.strip().strip("'\"") for part in twice[1].split(",") if part.strip())
        advice = f"[{name}] stands twice; put its keys under one heading, or choose another name"
    elif odd := _find_odd(line[: column + 1]):
        advice = odd
    elif what == "invalid value":
        advice = _advise_value(rest)
    elif what == "invalid statement" and line.lstrip().startswith("{"):
        advice = 'this is how JSON looks; write [swarms.NAME], then lines such as command = "…"'
    elif "'='" in what and rest.lstrip().startswith(":"):
        advice = "write = in place of the colon"
    elif what.startswith("expected newline") and before.endswith(("'", '"')):
        advice = _advise_after_quote(before, rest)
    else:
        advice = next((text for begin, text in _ADVICE.items() if what.startswith(begin)), "")
    return advice


def _find_odd(text: str) -> str:
    """Return what to write in place of a character that looks like another one, or like none; empty without such."""
    for letter in text:
        if letter == "\r":
            return "a line ends as on an old Macintosh; save the file with the line ends of Unix"
        if letter in _TYPOGRAPHIC:
            return f'{letter} is a typographic quote; write a plain " in its place'
        if letter not in "\t " and unicodedata.category(letter) in {"Cf", "Zs", "Cc"}:
            return (
                f"there is an invisible character (U+{ord(letter):04X}); write a plain blank, or nothing, in its place"
            )
    return ""


def _advise_value(rest: str) -> str:
    """Return what to write in place of a value that is none."""
    found = re.match(r"[^\s,\]}#]+", rest)
    if found is None:
        return "the value is missing after the ="
    word = found[0].lower()
    if word in _WORDS:
        return f"write {_WORDS[word]}"
    if word in _NOTHING:
        return "TOML has no such value; leave the key out"
    return f'text goes in quotes: "{found[0]}"'


def _advise_after_quote(before: str, rest: str) -> str:
    """Return what to write where more follows after the end of a text in quotes."""
    if re.match(r"[A-Za-z0-9_.-]+\s*=", rest):
        return "each key stands on a line of its own"
    if before.endswith("'"):
        return 'the text ended at the \' before this; put it in "…"'
    return "the text ended at the \" before this; put it in '…', or write \\\" for a quote in it"


def why_no_text(data: bytes) -> str:
    """Return what a file is that is no UTF-8 text; empty if that cannot be said."""
    if data[:4] in {b"\xff\xfe\0\0", b"\0\0\xfe\xff"}:
        return "it is UTF-32"
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"} or (len(data) > 1 and (data[1] == 0) != (data[0] == 0)):
        return "it is UTF-16"
    is_packed = data[:2] in {b"\x1f\x8b", b"\x89P", b"\x7fE", b"PK"}
    return "it is no text at all" if is_packed or b"\0" in data else ""
