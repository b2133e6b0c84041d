"""A bucket is named by a URL, and the address of its server."""

from __future__ import annotations

import time

import pytest

from app.core.storage.location import Location, check_endpoint, check_url, parse_location, read_keys


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("s3://speech", "speech", ""),
        ("s3://speech/", "speech", ""),
        ("s3://my.speech-1/lab", "my.speech-1", "lab/"),
        ("s3://speech/lab/2026_a/", "speech", "lab/2026_a/"),
    ],
)
def test_url_names_bucket_and_prefix(url: str, bucket: str, prefix: str) -> None:
    check_url(url)
    assert parse_location(url, "") == Location(bucket, prefix, "")


@pytest.mark.parametrize(
    "url",
    ["speech", "s3:/speech", "s3://", "s3://a", "s3://Speech", "s3://speech//x", "s3://speech/../x", "s3://speech/a/../x", "s3://speech/a//b",
     "s3://speech/a?b", "S3://speech", "http://speech/x", " s3://speech", "s3://speech/" + "a" * 5000 + "!"],
)  # fmt: skip
def test_other_urls_are_refused_at_once(url: str) -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match="does not name a bucket"):
        check_url(url)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("endpoint", ["", "http://store:8333", "https://s3.example.org", "http://[::1]:9000/"])
def test_endpoint_is_the_address_of_a_server(endpoint: str) -> None:
    check_endpoint(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        "store:8333",
        "s3://store",
        "http://",
        "http://store:99999",
        "http://user:pw@store",
        "http://store?x=1",
        "http://my_store:8333",
    ],
)
def test_other_endpoints_are_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="is not the address of a server"):
        check_endpoint(endpoint)


def test_location_is_shown_with_its_server() -> None:
    assert str(Location("speech", "lab/", "http://store:8333")) == "s3://speech/lab at http://store:8333"
    assert str(Location("speech", "", "")) == "s3://speech"


def test_keys_are_read_from_the_usual_variables_and_not_shown() -> None:
    keys = read_keys({"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hidden", "AWS_DEFAULT_REGION": "eu-1"})
    assert (keys.access, keys.secret, keys.token, keys.region) == ("id", "hidden", "", "eu-1")
    assert "hidden" not in repr(keys)
