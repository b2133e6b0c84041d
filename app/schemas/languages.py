"""Whisper's languages, by code and English name.

Codes (ISO 639) and names are those of its multilingual tokenizer.
"""

from __future__ import annotations

from typing import Any

from marshmallow import fields

NAMES = dict(
    pair.split(" ", 1)
    for pair in (
        "af afrikaans, am amharic, ar arabic, as assamese, az azerbaijani, ba bashkir, be belarusian, bg bulgarian, bn "
        "bengali, bo tibetan, br breton, bs bosnian, ca catalan, cs czech, cy welsh, da danish, de german, el greek, en "
        "english, es spanish, et estonian, eu basque, fa persian, fi finnish, fo faroese, fr french, gl galician, gu "
        "gujarati, ha hausa, haw hawaiian, he hebrew, hi hindi, hr croatian, ht haitian creole, hu hungarian, hy "
        "armenian, id indonesian, is icelandic, it italian, ja japanese, jw javanese, ka georgian, kk kazakh, km khmer, "
        "kn kannada, ko korean, la latin, lb luxembourgish, ln lingala, lo lao, lt lithuanian, lv latvian, mg malagasy, "
        "mi maori, mk macedonian, ml malayalam, mn mongolian, mr marathi, ms malay, mt maltese, my myanmar, ne nepali, "
        "nl dutch, nn nynorsk, no norwegian, oc occitan, pa punjabi, pl polish, ps pashto, pt portuguese, ro romanian, "
        "ru russian, sa sanskrit, sd sindhi, si sinhala, sk slovak, sl slovenian, sn shona, so somali, sq albanian, sr "
        "serbian, su sundanese, sv swedish, sw swahili, ta tamil, te telugu, tg tajik, th thai, tk turkmen, tl tagalog, "
        "tr turkish, tt tatar, uk ukrainian, ur urdu, uz uzbek, vi vietnamese, yi yiddish, yo yoruba, yue cantonese, zh "
        "chinese"
    ).split(", ")
)
LANGUAGES = tuple(NAMES)
# What a client may send instead of a code. Whisper-WebUI sends the last one to have the language detected.
_CODES: dict[str, str | None] = {**{name: code for code, name in NAMES.items()}, "automatic detection": None}


class Language(fields.String):
    """A language code, or its English name.

    Whisper-WebUI's clients send names.
    """

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return super().deserialize(
            _CODES.get(value.lower(), value) if isinstance(value, str) else value, *args, **kwargs
        )
