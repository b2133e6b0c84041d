"""Put, get, list and remove the objects in a bucket.

Keys are those below the prefix of the location. Each method raises FileNotFoundError for an object that does not exist,
and StorageUnavailableError if the store does not answer or refuses.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from app.core.storage.location import Keys, Location
from app.core.storage.s3_client import USUAL, Patience, make_client, require_boto3
from app.core.storage.storage import StorageUnavailableError
from app.core.storage.store_errors import explain_stranger, read_code, translate_errors

MEBIBYTE = 1024 * 1024
PART_BYTES = 16 * MEBIBYTE  # of an upload; at most 10,000 parts, which are 160 GB
COPIED_BYTES = 256 * MEBIBYTE  # with one request: some stores answer it only when the copy is complete
LINK_SECONDS = 3600
EXISTS = ("PreconditionFailed", "ConditionalRequestConflict")  # the latter: others are putting it now


@dataclass(frozen=True)
class Entry:
    """An object: ``tag`` changes with its content."""

    key: str
    size: int
    modified: datetime
    tag: str


class ObjectStore:
    """The objects of one bucket, for any number of threads. Raises SettingsError if boto3 is not installed."""

    def __init__(self, location: Location, keys: Keys, patience: Patience = USUAL) -> None:
        require_boto3()
        self.location = location
        self._keys = keys
        self._patience = patience
        self._lock = threading.Lock()
        self._made: Any = None

    @property
    def client(self) -> Any:
        """boto3's client. It is made when it is first needed: a connection must not be shared by processes that fork."""
        with self._lock:
            if self._made is None:
                self._made = make_client(self.location, self._keys, self._patience)
            return self._made

    def put(self, path: Path, key: str) -> None:
        """Upload a file. It is there as a whole, or not at all."""
        from boto3.s3.transfer import TransferConfig

        config = TransferConfig(multipart_threshold=2 * PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=2)
        with translate_errors(self.location):
            self.client.upload_file(str(path), self.location.bucket, self._name(key), Config=config)
        self._confirm_size(key, path.stat().st_size)

    def _confirm_size(self, key: str, size: int) -> None:
        """Raise StorageUnavailableError unless an object has this size: any web server may answer an upload with 200."""
        try:
            with translate_errors(self.location):
                answer = self.client.head_object(Bucket=self.location.bucket, Key=self._name(key))
                stored = answer["ContentLength"]
        except FileNotFoundError:
            stored = None
        if stored != size:
            say = f"{self.location} has {stored} of {size} bytes of an object that was just put (storage.endpoint)."
            raise StorageUnavailableError(say)

    def put_bytes(self, content: bytes, key: str) -> None:
        """Upload a small object."""
        with translate_errors(self.location):
            self.client.put_object(Bucket=self.location.bucket, Key=self._name(key), Body=content)

    def put_new(self, content: bytes, key: str) -> None:
        """Upload a small object, unless it is there. A store that does not know this condition replaces the object."""
        from botocore.exceptions import ClientError

        asked = {"Bucket": self.location.bucket, "Key": self._name(key), "Body": content}
        with translate_errors(self.location):
            try:
                self.client.put_object(**asked, IfNoneMatch="*")
            except ClientError as error:
                if read_code(error) == "NotImplemented":
                    self.client.put_object(**asked)
                elif read_code(error) not in EXISTS:
                    raise

    def read_bytes(self, key: str, most: int) -> bytes:
        """Read up to ``most`` bytes of a small object."""
        with translate_errors(self.location):
            answer = self.client.get_object(Bucket=self.location.bucket, Key=self._name(key))
            with answer["Body"] as body:
                content: bytes = body.read(most)
        return content

    def copy(self, key: str, to: str) -> None:
        """Copy an object inside the store."""
        from boto3.s3.transfer import TransferConfig

        self.stat(key)  # the error of a copy does not say whether the object or the bucket is missing
        source = {"Bucket": self.location.bucket, "Key": self._name(key)}
        config = TransferConfig(multipart_threshold=COPIED_BYTES, multipart_chunksize=COPIED_BYTES, max_concurrency=4)
        with translate_errors(self.location):
            self.client.copy(source, self.location.bucket, self._name(to), Config=config)

    def stat(self, key: str) -> Entry:
        """Find one object."""
        # A list, not a HEAD request: the answer to that does not say whether the object or the bucket is missing.
        found = next(self._list(key, most=1), None)
        if found is None or found.key != key:
            raise FileNotFoundError(f"there is no {key} in {self.location}")
        return found

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """List the objects whose keys begin with ``prefix``, in the order of their keys."""
        return self._list(prefix, most=1000)

    def _list(self, prefix: str, most: int) -> Iterator[Entry]:
        more: dict[str, str] = {}
        while True:
            try:
                with translate_errors(self.location):
                    page = self.client.list_objects_v2(
                        Bucket=self.location.bucket, Prefix=self._name(prefix), MaxKeys=most, **more
                    )
            except FileNotFoundError as error:  # a store has a list, also of a prefix without objects
                raise explain_stranger(self.location) from error
            if "IsTruncated" not in page:  # a page of HTML, for example
                raise explain_stranger(self.location)
            for found in page.get("Contents", ()):
                key = found["Key"][len(self.location.prefix) :]
                yield Entry(key, found["Size"], found["LastModified"], found["ETag"].strip('"'))
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def open(self, entry: Entry, start: int, end: int) -> Any:
        """Open the bytes ``start`` to ``end`` of an object, without the last; it must not have changed."""
        with translate_errors(self.location):
            answer = self.client.get_object(
                Bucket=self.location.bucket,
                Key=self._name(entry.key),
                Range=f"bytes={start}-{end - 1}",
                IfMatch=f'"{entry.tag}"',
            )
        return answer["Body"]

    def remove(self, key: str) -> None:
        """Remove an object, if it is there."""
        with translate_errors(self.location):
            self.client.delete_object(Bucket=self.location.bucket, Key=self._name(key))

    def remove_all(self, prefix: str, but: Callable[[str], bool] = lambda key: False) -> int:
        """Remove the objects whose keys begin with ``prefix``, except those for which ``but`` holds. Return their number.

        If the store refuses one, the others are removed all the same.
        """
        removed = [entry.key for entry in self.list(prefix) if not but(entry.key)]
        refused: StorageUnavailableError | None = None
        for key in removed:
            try:
                self.remove(key)
            except StorageUnavailableError as error:
                if not error.is_permanent:
                    raise
                refused = error
        if refused is not None:
            raise refused
        return len(removed)

    def abort_uploads(self, before: datetime, is_ours: Callable[[str], bool]) -> int:
        """Remove what is there of uploads that began before that time and were never completed. Return their number.

        ``is_ours``: only those to keys for which it holds.
        """
        with translate_errors(self.location):
            bucket = self.location.bucket
            page = self.client.list_multipart_uploads(Bucket=bucket, Prefix=self.location.prefix)
            old = [upload for upload in page.get("Uploads", ()) if upload["Initiated"] < before]
            old = [upload for upload in old if is_ours(upload["Key"][len(self.location.prefix) :])]
        for upload in old:
            with contextlib.suppress(FileNotFoundError), translate_errors(self.location):  # another sweep was first
                self.client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        return len(old)

    def sign_url(self, key: str, media_type: str, disposition: str) -> str:
        """Return a URL with which a client can read the object directly, for an hour."""
        with translate_errors(self.location):
            asked = {"Bucket": self.location.bucket, "Key": self._name(key)}
            asked |= {"ResponseContentType": media_type, "ResponseContentDisposition": disposition}
            return str(self.client.generate_presigned_url("get_object", Params=asked, ExpiresIn=LINK_SECONDS))

    def read_clock(self) -> datetime:
        """Return the store's time, which it sends with each answer. It is exact to a second."""
        from email.utils import parsedate_to_datetime

        with translate_errors(self.location):
            page = self.client.list_objects_v2(Bucket=self.location.bucket, Prefix=self.location.prefix, MaxKeys=1)
        return parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"])

    def _name(self, key: str) -> str:
        return self.location.prefix + key
