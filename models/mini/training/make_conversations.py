"""Make the conversations for the tests: python make_conversations.py SAMPLES_FOLDER (a minute on one core).

Each of `CASTS` becomes NAME.ogg (16 kHz mono), NAME.json (text, words and turns as the generator knows them, in seconds)
and NAME.rttm (the turns, for other tools).
"""

import json
import sys
from pathlib import Path

import scenes
import soundfile
from voices import RATE

CASTS = {
    "voices2": ("rms", "en-us+f5"),
    "voices3": ("en-us+m7", "en-us+f2", "en-gb-scotland"),
}
SECONDS = 40


def main(folder: Path) -> None:
    for number, (name, cast) in enumerate(CASTS.items()):
        made = scenes.conversation(scenes.HELD_OUT_SEED + 700 + number, "en", cast, SECONDS)
        soundfile.write(folder / f"{name}.ogg", made.samples, RATE, format="OGG", subtype="VORBIS")
        (folder / f"{name}.json").write_text(json.dumps(described(made), indent=1) + "\n")
        (folder / f"{name}.rttm").write_text(scenes.rttm(made, name))


def described(made: scenes.Recording) -> dict[str, object]:
    words = [
        {"word": w.text, "start": round(w.start, 3), "end": round(w.end, 3), "speaker": w.voice} for w in made.words
    ]
    turns = [{"start": round(start, 3), "end": round(end, 3), "speaker": voice} for start, end, voice in made.turns()]
    return {
        "language": "en",
        "duration": round(len(made.samples) / RATE, 3),
        "text": made.text,
        "words": words,
        "turns": turns,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
