"""Names are never trusted: what may be an id or a level, what looks like it, and how anything else is shown.

Ids and levels become file names, columns of a model, words in HTML and cells of tables; they are kept to a few plain
characters. Free text (a title, a column of notes, a gene's name) is kept as it is and escaped where it ends; what no
escaping makes safe, a control character or a spreadsheet's formula, is refused where it comes in.
"""

from __future__ import annotations

import re
import unicodedata

PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
EXPECTED = "letters, digits, '_', '.', '-', beginning with a letter or digit, at most 64"
LONGEST = 160  # characters of a text that are shown
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
# Functions, references to other sheets and DDE need one of these behind the sign; `+/+`, `-3` and `-` are no formulas.
_FORMULA = re.compile(r"\s*(?:[=@＝＠]|[+\-＋－].*[(|!])", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LOOK_ALIKES = str.maketrans(
    "авекмнорстхуісѕјһԁԛԝАВЕЗКМНОРСТХУІЅЈαβεικνορτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ‐‑‒–—−",
    "abekmhopctxyicsjhdqwABE3KMHOPCTXYISJaBeiкvoptuxABEZHIKMNOPTYX------".replace("к", "k"),
)


def is_name(text: str) -> bool:
    """Whether a text may be an id or a level."""
    return _NAME.fullmatch(text) is not None


def is_formula(text: str) -> bool:
    """Whether a spreadsheet that opens a table with this text in a cell would run it."""
    return _FORMULA.match(text) is not None


def has_control(text: str) -> bool:
    """Whether a text holds characters that move the cursor, end a line or turn the direction of writing."""
    return _CONTROL.search(text) is not None


def as_name(text: str) -> str:
    """The plain name that a text looks like; empty where there is none.

    Accents are taken off, letters of other scripts that look Latin become Latin, invisible characters go, and whatever
    else may not stand in a name becomes an underscore.
    """
    plain = unicodedata.normalize("NFKD", text.translate(_LOOK_ALIKES))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    plain = "".join(letter for letter in plain if unicodedata.category(letter) != "Cf")
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", plain.strip()).lstrip("_.-").rstrip("_")[:64]
    return plain if is_name(plain) else ""


def odd_characters(text: str) -> str:
    """The characters that keep a text from being a name, those that the eye cannot tell by their Unicode names."""
    odd = dict.fromkeys(letter for letter in text if not re.fullmatch(r"[A-Za-z0-9_.-]", letter))
    told = [
        f"'{visible(letter)}'" if letter.isascii() else f"{unicodedata.name(letter, visible(letter))}" for letter in odd
    ]
    return ", ".join(told[:3]) + (", ..." if len(told) > 3 else "")


def printable(text: str) -> str:
    r"""A text in which whatever cannot be printed stands as `\x1b`."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "backslashreplace").decode()
        for letter in text
    )


def visible(text: str, longest: int = LONGEST) -> str:
    """A text for people, printable, and no more of it than can be read."""
    shown = printable(text[:longest])
    return shown if len(text) <= longest else f"{shown}... ({len(text)} characters)"
