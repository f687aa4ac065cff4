"""What HTTP allows where (RFC 9110, section 5.6.2)."""

from __future__ import annotations

import re

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
