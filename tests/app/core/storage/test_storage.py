"""What every storage keeps its promises about: a folder and a bucket pass the same tests."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from app.core.settings import Settings
from app.core.storage.paths import COPY_NAME, SOURCE, waveform_name
from app.core.storage.storage import Storage
from app.submission.kept_uploads import TOKEN_BYTES
from tests.app.core.storage.conftest import Part, new, soon

STEMS = {"instrumental.wav": bytes(range(256)) * 40, "vocals.wav": b"RIFF" + bytes(range(255, -1, -1)) * 30}


def read(storage: Storage, identifier: str, name: str = SOURCE) -> bytes:
    with storage.find(identifier, name).open() as file:
        return file.read()


def has(storage: Storage, identifier: str, name: str = SOURCE) -> bool:
    try:
        storage.find(identifier, name)
    except FileNotFoundError:
        return False
    return True


def kept(storage: Storage, part: Part, content: bytes = b"sound") -> str:
    identifier = new()
    storage.keep(part(content), identifier)
    return identifier


def write_stems(storage: Storage, identifier: str, claim_no: int, content: dict[str, bytes] = STEMS) -> None:
    with storage.write_stems(identifier, claim_no) as folder:
        folder.mkdir()
        for name, data in content.items():
            (folder / name).write_bytes(data)
            assert not has(storage, identifier, f"stems-{claim_no}/other")


def read_stems(storage: Storage, identifier: str, claim_no: int) -> dict[str, bytes]:
    files = storage.list_stems(identifier, claim_no)
    return {name: read(storage, identifier, f"stems-{claim_no}/{name}") for name in files}


class TestStorage:
    @pytest.mark.parametrize("size", [1, 1_000_000, 9 * 1024 * 1024 + 1])
    def test_kept_recording_is_found_whole(self, storage: Storage, part: Part, size: int) -> None:
        content = os.urandom(4096) * (size // 4096 + 1)
        received, identifier = part(content[:size]), new()
        storage.keep(received, identifier)
        assert not received.exists()
        assert storage.find(identifier, SOURCE).read_size() == size
        assert read(storage, identifier) == content[:size]

    def test_missing_files_are_not_found(self, storage: Storage, part: Part) -> None:
        identifier = kept(storage, part)
        assert not has(storage, new()) and not has(storage, identifier, COPY_NAME)
        assert not has(storage, identifier, "sourc") and not has(storage, identifier[:-1])
        assert storage.list_stems(identifier, 1) == {}

    def test_file_is_read_from_any_position(self, storage: Storage, part: Part) -> None:
        content = os.urandom(3_000_000)
        identifier = kept(storage, part, content)
        with storage.find(identifier, SOURCE).open() as file:
            for start, length in [(2_999_990, 100), (0, 10), (1_000_000, 1_500_000), (5, 0), (3_000_000, 10)]:
                file.seek(start)
                assert file.read(length) == content[start : start + length]

    def test_copied_recording_outlives_the_first(self, storage: Storage, part: Part) -> None:
        first, second = kept(storage, part), new()
        storage.copy_recording(first, second)
        assert storage.remove(first)
        assert read(storage, second) == b"sound"

    def test_removed_recording_or_upload_cannot_be_copied(self, storage: Storage) -> None:
        for copy in (storage.copy_recording, storage.copy_upload):
            identifier = new()
            with pytest.raises(FileNotFoundError):
                copy(new(), identifier)
            assert not has(storage, identifier)

    def test_upload_is_kept_until_it_is_removed(self, storage: Storage, part: Part) -> None:
        received, identifier, token = part(b"sound"), new(), secrets.token_urlsafe(TOKEN_BYTES)
        storage.keep_upload(received, token)
        assert not received.exists() and storage.list_uploads(0) == []
        assert storage.list_uploads(soon()) == [token]
        storage.copy_upload(token, identifier)
        storage.remove_upload(token)
        storage.remove_upload(token)
        assert storage.list_uploads(soon()) == [] and read(storage, identifier) == b"sound"

    def test_download_becomes_the_recording(self, storage: Storage) -> None:
        identifier = new()
        folder = storage.locate_download(identifier)
        folder.mkdir()
        (folder / SOURCE).write_bytes(b"sound")
        storage.keep_download(identifier)
        assert read(storage, identifier) == b"sound"

    def test_recording_is_borrowed_at_a_local_path(self, storage: Storage, part: Part) -> None:
        content = os.urandom(9 * 1024 * 1024)
        identifier = kept(storage, part, content)
        with storage.borrow(storage.locate(identifier), identifier, 1, lambda: None) as path:
            assert Path(path).read_bytes() == content
        assert read(storage, identifier) == content

    def test_stems_appear_when_all_are_written(self, storage: Storage, part: Part) -> None:
        identifier = kept(storage, part)
        write_stems(storage, identifier, 2)
        assert read_stems(storage, identifier, 2) == STEMS
        assert {name: file.name for name, file in storage.list_stems(identifier, 2).items()} == {n: n for n in STEMS}
        assert [storage.list_stems(identifier, number) for number in (1, 20)] == [{}, {}]

    def test_stems_can_be_read_locally_until_the_run_ends(self, storage: Storage, part: Part) -> None:
        identifier = kept(storage, part)
        with storage.borrow(storage.locate(identifier), identifier, 1, lambda: None):
            write_stems(storage, identifier, 1)
            folder = storage.locate_stems(identifier, 1)
            assert {path.name: path.read_bytes() for path in folder.iterdir()} == STEMS

    def test_file_is_replaced_as_a_whole(self, storage: Storage, part: Part) -> None:
        identifier, name = kept(storage, part), waveform_name()
        for text in ("first", "second"):
            with storage.write_file(identifier, 1, name) as path:
                path.write_text(text)
                assert not has(storage, identifier, name) or read(storage, identifier, name) == b"first"
            assert read(storage, identifier, name) == text.encode()
        with pytest.raises(ValueError, match="broken"), storage.write_file(identifier, 1, name) as path:
            path.write_text("half")
            raise ValueError("broken")
        assert read(storage, identifier, name) == b"second"

    def test_removal_takes_all_files_of_one_task(self, storage: Storage, part: Part) -> None:
        mine, other = kept(storage, part), kept(storage, part)
        write_stems(storage, mine, 1)
        with storage.write_file(mine, 1, COPY_NAME) as path:
            path.write_bytes(b"ID3")
        assert storage.remove(mine) and not storage.remove(mine)
        assert not has(storage, mine) and not has(storage, mine, COPY_NAME) and storage.list_stems(mine, 1) == {}
        assert read(storage, other) == b"sound"
        storage.discard(mine)

    def test_partial_removal_keeps_the_recording(self, storage: Storage, part: Part) -> None:
        identifier = kept(storage, part)
        write_stems(storage, identifier, 1)
        with storage.write_file(identifier, 1, COPY_NAME) as path:
            path.write_bytes(b"ID3")
        storage.remove_partial(identifier)
        assert has(storage, identifier) and not has(storage, identifier, COPY_NAME)
        assert storage.list_stems(identifier, 1) == {}

    def test_removal_of_a_claim_keeps_the_stems_of_others(self, storage: Storage, part: Part) -> None:
        identifier = kept(storage, part)
        for claim_no in (1, 2, 10, 11):
            write_stems(storage, identifier, claim_no)
        storage.remove_claim(identifier, 1)
        assert [bool(storage.list_stems(identifier, number)) for number in (1, 2, 10, 11)] == [False, True, True, True]
        storage.remove_earlier_stems(identifier, 11)
        assert [bool(storage.list_stems(identifier, number)) for number in (2, 10, 11)] == [False, False, True]
        assert has(storage, identifier)

    def test_only_old_files_are_abandoned(self, storage: Storage, part: Part, mini_settings: Settings) -> None:
        identifier = kept(storage, part)
        received = part(b"half")
        assert storage.list_abandoned(0) == [] and storage.sweep(0) == 0 and received.exists()
        assert storage.list_abandoned(soon()) == [identifier]
        assert storage.sweep(soon()) == 1 and not received.exists()
        assert has(storage, identifier)

    def test_sweep_is_due_at_the_start(self, storage: Storage) -> None:
        assert storage.is_sweep_due()

    def test_storage_that_answers_has_no_outage(self, storage: Storage) -> None:
        assert storage.find_outage() is None
