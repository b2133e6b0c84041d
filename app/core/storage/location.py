"""Where a bucket is, as the settings name it, and the keys for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

URL = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9_-][A-Za-z0-9._/-]*)?)?")

LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")  # of a host name, for boto3
PLAIN = "and in host names only letters, digits and hyphens"


@dataclass(frozen=True)
class Keys:
    """What requests to the store are signed with. Empty values are left to boto3, which looks for them in other places."""

    access: str = ""
    secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    region: str = ""


@dataclass(frozen=True)
class Location:
    """A bucket, and the beginning of all keys in it: empty, or with a slash at its end. ``endpoint``: empty for AWS."""

    bucket: str
    prefix: str
    endpoint: str

    def __str__(self) -> str:
        place = f"s3://{self.bucket}/{self.prefix}".rstrip("/")
        return f"{place} at {self.endpoint}" if self.endpoint else place


def parse_location(url: str, endpoint: str) -> Location:
    """Read the settings storage.url and storage.endpoint, which were checked before."""
    found = URL.fullmatch(url)
    assert found is not None
    prefix = (found[2] or "").strip("/")
    return Location(found[1], f"{prefix}/" if prefix else "", endpoint)


def check_url(url: str) -> None:
    """Raise ValueError unless ``url`` is empty or names a bucket."""
    found = URL.fullmatch(url)
    parts = (found[2] or "").rstrip("/").split("/") if found else []
    if url and (found is None or (parts != [""] and not {"", ".", ".."}.isdisjoint(parts))):
        raise ValueError(f"{url!r:.60} does not name a bucket; write s3://bucket or s3://bucket/prefix")


def check_endpoint(endpoint: str) -> None:
    """Raise ValueError unless ``endpoint`` is empty or the address of a server."""
    try:
        parts = urlsplit(endpoint)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
        fine = fine and parts.username is None and parts.port != 0 and _is_host(parts.hostname or "")
    except ValueError:  # a port that is no number
        fine = False
    if endpoint and not fine:
        raise ValueError(
            f"{endpoint!r:.60} is not the address of a server; write http://host:port or https://host, {PLAIN}"
        )


def _is_host(name: str) -> bool:
    return ":" in name or all(LABEL.fullmatch(label) for label in name.removesuffix(".").split("."))


def read_keys(env: Mapping[str, str]) -> Keys:
    """Read the variables that AWS's own programs use."""
    return Keys(
        env.get("AWS_ACCESS_KEY_ID", ""),
        env.get("AWS_SECRET_ACCESS_KEY", ""),
        env.get("AWS_SESSION_TOKEN", ""),
        env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION", ""),
    )
