"""Say what the store's errors mean, and which setting to look at."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from app.core.storage.location import Location
from app.core.storage.storage import StorageUnavailableError

log = logging.getLogger(__name__)

KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
MISSING = ("NoSuchKey", "NoSuchUpload", "404", "NotFound")
REPLACED = ("PreconditionFailed", "412")
OF_CREDENTIALS = ("ExpiredToken", "InvalidToken", "TokenRefreshRequired")
OF_REGION = ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301")


@contextlib.contextmanager
def translate_errors(location: Location) -> Iterator[None]:
    """Turn boto3's errors into StorageUnavailableError, which is logged, or FileNotFoundError for a missing object."""
    import boto3.exceptions
    import botocore.exceptions
    import botocore.parsers
    import urllib3.exceptions

    try:
        yield
    except (
        boto3.exceptions.Boto3Error,
        botocore.exceptions.BotoCoreError,
        botocore.exceptions.ClientError,
        botocore.parsers.ResponseParserError,
        urllib3.exceptions.HTTPError,
    ) as error:
        cause = _find_cause(error)
        code = read_code(cause)
        if code in MISSING:
            raise FileNotFoundError(f"there is no such object in {location}") from error
        if code in REPLACED:
            raise FileNotFoundError(f"an object in {location} was replaced") from error
        problem = explain_error(cause, location)
        log.warning("storage: %s", problem.reason)
        raise problem from error


def read_code(error: Any) -> str:
    """Return the code of an answer of the store; empty if it did not answer."""
    answer = getattr(error, "response", None)
    return str(answer.get("Error", {}).get("Code", "")) if isinstance(answer, dict) else ""


def explain_error(error: Exception, location: Location) -> StorageUnavailableError:
    """Describe an error in one sentence for the operator."""
    import botocore.exceptions
    import botocore.parsers

    code = read_code(error)
    match code:
        case "NoSuchBucket":
            return _refused(f"There is no bucket {location.bucket}; create it, or correct storage.url.")
        case "InvalidAccessKeyId":
            return _refused(f"The store of {location} does not know the access key; correct AWS_ACCESS_KEY_ID.")
        case "SignatureDoesNotMatch":
            return _refused(f"The store of {location} refuses the secret key; correct AWS_SECRET_ACCESS_KEY.")
        case "AccessDenied" | "403" | "AllAccessDisabled":
            return _refused(f"The keys may not use {location}; check {KEYS}, their rights, and storage.url.")
        case "RequestTimeTooSkewed":
            return _refused(f"The clock of this machine is off, and the store of {location} refuses it; set the clock.")
    if code in OF_CREDENTIALS:
        return _refused(f"The keys for {location} have expired; renew {KEYS}, and AWS_SESSION_TOKEN.")
    if code in OF_REGION:
        return _refused(f"The bucket {location.bucket} is in another region; set AWS_REGION.")
    if isinstance(error, botocore.parsers.ResponseParserError):
        return explain_stranger(location)
    if isinstance(error, botocore.exceptions.NoCredentialsError | botocore.exceptions.PartialCredentialsError):
        return _refused(f"There are no keys for {location}; set {KEYS}.")
    if code:
        return StorageUnavailableError(f"The store of {location} answers {code}: {' '.join(str(error).split()):.200}")
    setting = "storage.endpoint" if location.endpoint else "storage.url"
    return StorageUnavailableError(f"The store of {location} does not answer ({setting}): {type(error).__name__}.")


def explain_stranger(location: Location) -> StorageUnavailableError:
    """Return the error for a server that does not answer as an S3 store does."""
    place = location.endpoint or "the address of the store"
    return _refused(f"What answers at {place} is not an S3 store; correct storage.endpoint.")


def _refused(reason: str) -> StorageUnavailableError:
    return StorageUnavailableError(reason, is_permanent=True)


def _find_cause(error: Exception) -> Exception:
    """Return the answer of the store that boto3 has put into an exception of its own."""
    hidden = error.__cause__ or error.__context__
    return hidden if not read_code(error) and isinstance(hidden, Exception) and read_code(hidden) else error
