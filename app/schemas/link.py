"""URLs in the OpenAPI document."""

from __future__ import annotations

# The usual form of an address. The server also takes IP addresses and names with other letters.
LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
PORT = "[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
URL = rf"https?://({LABEL}\.)+[A-Za-z]{{2,24}}(:({PORT}))?([/?#][ -\[\]-~]*)?"
LINK = f"^({URL})?$"  # an empty parameter counts as none
