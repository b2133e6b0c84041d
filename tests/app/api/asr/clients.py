"""Requests of whisper-asr-webservice's clients, as they send them."""

from __future__ import annotations

from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

SOUND = b"\x01\x02" * 500 + b"\x03"  # of no known format

BAZARR_ASR = b"""POST /asr?task=transcribe&language=en&output=srt&encode=false&video_file=%2Fmovies%2FA+Film.mkv HTTP/1.1
Host: 127.0.0.1:8000
User-Agent: Subliminal/2.2
Accept-Encoding: gzip, deflate, br
Accept: */*
Connection: keep-alive
Content-Type: multipart/form-data; boundary=4d0cbb8b2a1f6d8a3f3d0b8e7d3e2c11

--4d0cbb8b2a1f6d8a3f3d0b8e7d3e2c11
Content-Disposition: form-data; name="audio_file"; filename="audio_file"

<sound>
--4d0cbb8b2a1f6d8a3f3d0b8e7d3e2c11--
"""
BAZARR_DETECTION = BAZARR_ASR.replace(
    b"/asr?task=transcribe&language=en&output=srt&encode=false&video_file=%2Fmovies%2FA+Film.mkv",
    b"/detect-language?encode=false&video_file=%2Fmovies%2FA+Film.mkv",
)
SPEAKR = b"""POST /asr?encode=true&task=transcribe&output=json&diarize=true&enable_diarization=true&min_speakers=1&\
max_speakers=2&language=de&hotwords=Gr%C3%BCnwald&return_speaker_embeddings=true HTTP/1.1
Host: speech
Accept: */*
Accept-Encoding: gzip, deflate
Connection: keep-alive
User-Agent: python-httpx/0.28.1
Content-Type: multipart/form-data; boundary=8b1c3f0de6f2a9d9e6b7c8a1f0e2d3c4

--8b1c3f0de6f2a9d9e6b7c8a1f0e2d3c4
Content-Disposition: form-data; name="audio_file"; filename="Gespr%C3%A4ch.webm"
Content-Type: audio/webm

<sound>
--8b1c3f0de6f2a9d9e6b7c8a1f0e2d3c4--
"""
OBSIDIAN = b"""POST /asr?output=json&word_timestamps=true&task=transcribe&encode=true&vad_filter=true&initial_prompt=Names:%20\
B&C,%20100%%20sure HTTP/1.1
Host: localhost:8000
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) obsidian/1.9.10 Chrome/138.0 Safari/537.36
Accept: */*
Content-Type: multipart/form-data; boundary=----BoundaryWebxk29sjq81a

------BoundaryWebxk29sjq81a
Content-Disposition: form-data; name="audio_file"; filename="blob"
Content-Type: "application/octet-stream"

<sound>
------BoundaryWebxk29sjq81a--
"""
SUBARR = b"""POST /asr?task=transcribe&language=ger&output=vtt&encode=true HTTP/1.1
Host: speech:8000
User-Agent: okhttp/4.12.0
Accept-Encoding: gzip
Content-Type: multipart/form-data; boundary=f2e6

--f2e6
Content-Disposition: form-data; name="audio_file"; filename="a.mka"
Content-Type: audio/x-matroska

<sound>
--f2e6--
"""
SUBGEN_DETECTION = b"""POST /detect-language?encode=false&detect_lang_length=90&detect_lang_offset=60 HTTP/1.1
Host: speech:8000
User-Agent: python-requests/2.32.5
Accept: */*
Content-Type: multipart/form-data; boundary=aa

--aa
Content-Disposition: form-data; name="audio_file"; filename="audio_file"

<sound>
--aa--
"""
HOME_ASSISTANT = b"""POST /asr HTTP/1.1
Host: speech:8000
User-Agent: python-requests/2.32.5
Accept: */*
Authorization: Bearer x
Content-Type: multipart/form-data; boundary=aa

--aa
Content-Disposition: form-data; name="model"

whisper-1
--aa
Content-Disposition: form-data; name="language"

de
--aa
Content-Disposition: form-data; name="temperature"

0
--aa
Content-Disposition: form-data; name="prompt"


--aa
Content-Disposition: form-data; name="response_format"

json
--aa
Content-Disposition: form-data; name="file"; filename="audio.wav"
Content-Type: audio/wav

<sound>
--aa--
"""


def replay(web: Flask, recorded: bytes, sound: bytes = SOUND, **headers: str) -> TestResponse:
    """Send a recorded request, with ``sound`` as the recording and further ``headers``."""
    head, body = recorded.replace(b"\n", b"\r\n").split(b"\r\n\r\n", 1)
    line, *lines = head.decode().split("\r\n")
    method, target, _ = line.split(" ")
    path, _, query = target.partition("?")
    sent: dict[str, Any] = dict(each.split(": ", 1) for each in lines)
    sent.pop("Host")
    return web.test_client().open(
        path,
        method=method,
        query_string=query,
        data=body.replace(b"<sound>", sound),
        headers=sent | {name.replace("_", "-"): value for name, value in headers.items()},
    )
