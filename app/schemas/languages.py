"""Whisper's languages, and how clients write them.

langcodes reads the codes that are not Whisper's: tags of BCP 47, and ISO 639-2 and 639-3 with their bibliographic and
withdrawn codes.
"""

from __future__ import annotations

import difflib
import re
from typing import Any

import langcodes
from marshmallow import ValidationError, fields

from app.core.languages import LANGUAGES as LANGUAGES
from app.core.languages import NAMES as NAMES

# Other English names, and what the languages with the most speakers call themselves.
OTHER_NAMES = dict(
    pair.split(" ", 1)[::-1]
    for pair in (
        "no bokmål, my burmese, es castilian, fa farsi, tl filipino, nl flemish, ht haitian, lb letzeburgesch, zh "
        "mandarin, ro moldavian, ro moldovan, pa panjabi, ps pushto, si sinhalese, ca valencian, ar العربية, bn বাংলা, cs "
        "čeština, da dansk, de deutsch, el ελληνικά, es español, fa فارسی, fi suomi, fr français, he עברית, hi हिन्दी, hu "
        "magyar, id bahasa indonesia, it italiano, ja 日本語, ko 한국어, nl nederlands, no norsk, pl polski, pt português, ro "
        "română, ru русский, sv svenska, th ไทย, tr türkçe, uk українська, vi tiếng việt, zh 中文"
    ).split(", ")
)
_CODES = {name: code for code, name in NAMES.items()} | OTHER_NAMES
# What clients send to have the language detected, without spaces and punctuation. `und` and `mul` are ISO 639-2 for an
# undetermined language and for several ones; ffprobe reports `und` for most recordings.
DETECT = frozenset(
    "auto autodetect automatic automaticdetection detect detectlanguage mul none null und undefined unknown".split()
)
SAME, RELATED = 5, 25  # CLDR's distance between languages: Tagalog and Filipino have 0, German and Swiss German 8
MOST_SUGGESTIONS = 3
PRIVATE = re.compile("aa|q[m-z]|x[a-z]|zz")  # ISO 3166-1 leaves these two-letter codes to users
_TAG = re.compile(r"([a-z]{2,3})([-_][a-z0-9]{1,8})*", re.ASCII)
_REMARK = re.compile(r"\s*\([^()]*\)$")  # "Chinese (Simplified)"
_ENCODING = re.compile(r"[.@][a-z0-9-]*$", re.ASCII)  # "de_DE.UTF-8", a name of a POSIX locale


class Language(fields.String):
    """Whisper's code for a language code, a tag such as ``de-AT``, or a name.

    None asks for detection.
    """

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if is_detection(text):
            return None
        code = find_code(text)
        if code is None:
            raise ValidationError(_explain(text))
        return code


def is_detection(text: str) -> bool:
    """Whether ``text`` asks to detect the language."""
    return re.sub(r"[\W_]", "", text.lower()) in DETECT


def find_code(text: str) -> str | None:
    """Return Whisper's code for a code, tag or name, or None.

    A region or a script makes no difference: Whisper knows only languages.
    """
    text = text.strip().lower()
    name = _REMARK.sub("", text)
    if name in NAMES:
        return name
    if name in _CODES:
        return _CODES[name]
    tag = _ENCODING.sub("", text)
    if not _TAG.fullmatch(tag):
        return None
    return _find_relative(tag, SAME)


def suggest(text: str) -> list[str]:
    """List codes that ``text`` may mean, the likeliest first.

    It may be a related language, the language of a country, or a misspelt name.
    """
    text = text.strip().lower()[:100]
    words = re.findall(r"\w+", text)
    found = [code for word in words if (code := find_code(word))]
    found += [code for word in words[:1] for code in (_find_relative(word, RELATED), _find_spoken(word)) if code]
    names = difflib.get_close_matches(text, _CODES, MOST_SUGGESTIONS, cutoff=0.7)
    return list(dict.fromkeys([*found, *(_CODES[name] for name in names)]))[:MOST_SUGGESTIONS]


def _find_relative(tag: str, distance: int) -> str | None:
    """Return the nearest of Whisper's languages within ``distance``."""
    try:
        language = langcodes.Language.get(tag).language
        if language in NAMES:
            return language
        code, _ = langcodes.closest_match(language or "und", LANGUAGES, max_distance=distance)
    except ValueError:  # langcodes raises it for what is no tag
        return None
    return code if code in NAMES else None


def _find_spoken(country: str) -> str | None:
    """Return the main language of a country, by its two letters."""
    territory = langcodes.Language.make(territory=country.upper())
    # Unknown and private codes would give English, the most likely of all languages.
    if len(country) != 2 or not territory.is_valid() or PRIVATE.fullmatch(country):
        return None
    code = territory.maximize().language
    return code if code in NAMES else None


def _explain(text: str) -> str:
    near = suggest(text)
    known = "Send a code such as en or de-AT, or an English name; leave it out to detect the language."
    if not near:
        return f"Unknown language. {known}"
    return f"Unknown language. Do you mean {', '.join(f'{code} ({NAMES[code]})' for code in near)}? {known}"
