"""Two demos that start at the same time use different ports."""

from __future__ import annotations

import socket

import pytest

from demo import free_port


def test_port_is_reserved_until_its_claim_is_closed() -> None:
    first, claim = free_port(None)
    second, other = free_port(None)
    assert first != second
    with pytest.raises(SystemExit, match=f"Port {first} is in use"):
        free_port(first)
    claim.close()
    again, claim = free_port(first)
    assert again == first
    claim.close()
    other.close()


def test_port_in_use_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        with pytest.raises(SystemExit, match=f"Port {port} is in use"):
            free_port(port)
