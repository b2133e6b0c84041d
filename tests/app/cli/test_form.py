"""The multipart form of an upload: complete, in small pieces, with progress."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from werkzeug.formparser import parse_form_data

from app.cli.form import UploadForm
from app.cli.server import ServerError


def read_all(form: UploadForm, size: int) -> bytes:
    pieces = []
    while piece := form.read(size):
        pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("size", [1, 7, 4096, -1])
@pytest.mark.parametrize("content", [b"", b"\r\n--x" * 50])
def test_form_is_read_in_pieces_and_parsed_as_a_whole(tmp_path: Path, size: int, content: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    progress: list[float] = []
    form = UploadForm(path, {"initial_prompt": "Öztürk\r\n", "empty": ""}, progress.append)
    body = read_all(form, size)
    form.close()
    assert len(form) == len(body)
    assert progress[0] == 0.0 and progress == sorted(progress) and progress[-1] == 1.0
    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": form.content_type,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    _, fields, files = parse_form_data(environ)
    assert fields.to_dict() == {"initial_prompt": "Öztürk\r\n", "empty": ""}
    assert files["file"].read() == content and files["file"].filename == "a.wav"


def test_large_file_is_not_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with path.open("wb") as file:
        file.truncate(3 * 2**30)
    form = UploadForm(path, {}, lambda _: None)
    assert len(form) > 3 * 2**30
    assert max(len(form.read(2**16)) for _ in range(5)) == 2**16
    form.close()


def test_file_that_becomes_shorter_ends_the_upload(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"x" * 2**20)
    form = UploadForm(path, {}, lambda _: None)
    form.read()
    path.write_bytes(b"")
    with pytest.raises(ServerError, match="shorter"):
        read_all(form, 2**16)
    form.close()
