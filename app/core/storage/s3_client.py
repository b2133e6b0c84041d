"""Make boto3's client for a store."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from app.core.errors import SettingsError
from app.core.storage.location import Keys, Location

CONNECTIONS = 32
_making = threading.Lock()


@dataclass(frozen=True)
class Patience:
    """How long to wait for the store: seconds to connect and for an answer, and how often a request is sent."""

    connect: float
    answer: float
    attempts: int


USUAL = Patience(3.0, 20.0, 3)
BRIEF = Patience(3.0, 4.5, 2)  # while a client waits: 10 s in all
SHORT = Patience(2.0, 3.0, 1)


def require_boto3() -> None:
    """Raise SettingsError if boto3 is not installed."""
    try:
        import boto3  # noqa: F401
    except ImportError as error:
        say = "storage.url needs boto3, which is not installed; install requirements-cluster.lock"
        raise SettingsError(say) from error


def make_client(location: Location, keys: Keys, patience: Patience) -> Any:
    """Return a client, which any number of threads can use."""
    from botocore.config import Config

    config = Config(
        connect_timeout=patience.connect,
        read_timeout=patience.answer,
        retries={"mode": "standard", "total_max_attempts": patience.attempts},
        max_pool_connections=CONNECTIONS,
        signature_version="s3v4",  # by default, signed URLs have an older one
        s3={"addressing_style": "path" if location.endpoint else "auto"},
        # S3 stores other than AWS's refuse the checksums that newer versions of boto3 send.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    with _making:  # a session is not for several threads
        return _open_session().client(
            "s3",
            endpoint_url=location.endpoint or None,
            aws_access_key_id=keys.access or None,
            aws_secret_access_key=keys.secret or None,
            aws_session_token=keys.token or None,
            region_name=keys.region or ("us-east-1" if location.endpoint else None),
            config=config,
        )


@lru_cache(maxsize=1)  # it keeps the description of the service, which takes half a second to read
def _open_session() -> Any:
    import boto3.session

    return boto3.session.Session()
