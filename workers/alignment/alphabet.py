"""The characters that an alignment model knows, and those of a text that it can place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

WITHOUT_SPACES = ("ja", "zh")  # languages whose words are not separated; whisperx's list
BLANKS = ("[pad]", "<pad>")
WORD_SEPARATOR = "|"  # what the models have in place of a space
WILDCARD = -1  # the label of a character that the model does not know


class Alphabet(NamedTuple):
    """The labels of an alignment model, each a column of its emissions.

    ``labels`` are by lower-case character, ``blank`` is the label of no character, and ``spaced`` tells whether the
    language separates words by spaces.
    """

    language: str
    labels: Mapping[str, int]
    blank: int
    spaced: bool


class Characters(NamedTuple):
    """The characters of a text that are aligned: their positions in it, and the labels to find in the emissions.

    There are more labels than positions if the lower case of a character is longer, as that of the Turkish İ is.
    """

    positions: list[int]
    labels: list[int]


def read_alphabet(metadata: dict[str, Any]) -> Alphabet:
    """Return the alphabet of the model that ``whisperx.load_align_model`` returned with ``metadata``."""
    labels, language = metadata["dictionary"], metadata["language"]
    blanks = [label for character, label in labels.items() if character in BLANKS]
    return Alphabet(language, labels, blanks[-1] if blanks else 0, language not in WITHOUT_SPACES)


def find_characters(text: str, alphabet: Alphabet) -> Characters:
    """Find the characters of ``text`` to align.

    White space around the text is left out, and so are spaces that have no label. Other characters without a label, such
    as digits and foreign letters, get the label WILDCARD.
    """
    first, end = len(text) - len(text.lstrip()), len(text.rstrip())
    positions: list[int] = []
    found: list[str] = []
    for position in range(first, end):
        character = text[position].lower()
        if alphabet.spaced and character == " ":
            character = WORD_SEPARATOR
        if character in alphabet.labels or character not in (" ", WORD_SEPARATOR):
            positions.append(position)
            found.append(character)
    return Characters(positions, [alphabet.labels.get(character, WILDCARD) for character in "".join(found)])
