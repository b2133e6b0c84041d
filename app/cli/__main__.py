"""``python -m app.cli`` in a checkout is the same as the installed command."""

from __future__ import annotations

import sys

from .main import main

if __name__ == "__main__":
    sys.exit(main())
