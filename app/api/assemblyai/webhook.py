"""Who is informed of the end of a transcript."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from app.core.webhooks import ASSEMBLYAI, Receiver, check_receiver
from app.current import get_settings

URL, HEADER, VALUE = "webhook_url", "webhook_auth_header_name", "webhook_auth_header_value"
NAMES = (URL, HEADER, VALUE)
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")  # RFC 9110, section 5.6.2
VISIBLE = re.compile(r"[\x20-\x7e]{1,4000}")
# Headers that the message itself has, or that say where it ends.
TAKEN = ("host", "content-", "transfer-", "connection", "keep-alive", "te", "trailer", "upgrade", "expect", "webhook-")


def read_receiver(
    given: Mapping[str, Any], warnings: list[str], refuse: Callable[[str, str], NoReturn]
) -> Receiver | None:
    """Read the URL and the header of a webhook; None without a URL."""
    for name in NAMES:
        if not isinstance(given.get(name, ""), str):
            refuse(name, "Must be a text.")
    url, header, value = (given.get(name, "").strip() for name in NAMES)
    if not url:
        warnings += [f"{name} has no effect: there is no webhook_url." for name in (HEADER, VALUE) if given.get(name)]
        return None
    if not get_settings().webhooks.enabled:
        refuse(URL, "Webhooks are disabled on this server.")
    try:
        check_receiver(url)
    except ValueError as error:
        refuse(URL, str(error))
    if bool(header) != bool(value):
        refuse(HEADER if value else VALUE, f"{HEADER} and {VALUE} are needed together.")
    if header and (not TOKEN.fullmatch(header) or header.lower().startswith(TAKEN)):
        refuse(HEADER, "Cannot be used as the name of a header.")
    if value and not VISIBLE.fullmatch(value):
        refuse(VALUE, "Must be visible ASCII characters, at most 4000.")
    return Receiver(url, ASSEMBLYAI, header or None, value or None)
