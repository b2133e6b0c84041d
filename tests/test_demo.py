"""Two demos begun at once take two ports, although neither listens yet."""

from __future__ import annotations

import socket

import pytest

from demo import free_port


def test_a_port_is_had_once_until_it_is_given_back() -> None:
    first, claim = free_port(None)
    second, other = free_port(None)
    assert first != second
    with pytest.raises(SystemExit, match=f"Port {first} is taken"):
        free_port(first)
    claim.close()
    again, claim = free_port(first)
    assert again == first
    claim.close()
    other.close()


def test_a_port_that_something_listens_on_is_left_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        with pytest.raises(SystemExit, match=f"Port {port} is taken"):
            free_port(port)
