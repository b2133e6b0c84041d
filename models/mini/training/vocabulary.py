"""The words the mini models know: English, German, and what each German word is in English."""

EN = tuple(
    "zero one two three four five six seven eight nine ten eleven twelve twenty thirty fifty hundred "
    "monday tuesday wednesday thursday friday saturday sunday start stop open close left right up down "
    "yes no hello thanks please water light music sound speech sample test result good bad red green blue black white "
    "the is and not we today tomorrow".split()
)
TRANSLATIONS = {
    "null": "zero", "eins": "one", "zwei": "two", "drei": "three", "vier": "four", "fünf": "five", "sechs": "six",
    "sieben": "seven", "acht": "eight", "neun": "nine", "zehn": "ten", "elf": "eleven", "zwölf": "twelve", "zwanzig": "twenty",
    "dreißig": "thirty", "hundert": "hundred", "montag": "monday", "dienstag": "tuesday", "mittwoch": "wednesday",
    "donnerstag": "thursday", "freitag": "friday", "samstag": "saturday", "sonntag": "sunday", "links": "left",
    "rechts": "right", "ja": "yes", "nein": "no", "hallo": "hello", "danke": "thanks", "bitte": "please", "wasser": "water",
    "licht": "light", "musik": "music", "sprache": "speech", "probe": "sample", "ergebnis": "result", "gut": "good",
    "schlecht": "bad", "rot": "red", "grün": "green", "blau": "blue", "schwarz": "black", "weiß": "white", "und": "and",
    "ist": "is", "nicht": "not", "wir": "we", "heute": "today", "morgen": "tomorrow",
}  # fmt: skip
DE = tuple(TRANSLATIONS)
WORDS = {"en": EN, "de": DE}
ALL = tuple(sorted({*EN, *DE}))


def translated(words: list[str]) -> list[str]:
    """The English of German words, one for one."""
    return [TRANSLATIONS[word] for word in words]
