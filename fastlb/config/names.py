"""Names of proxies and servers."""

from __future__ import annotations

import re

from fastlb.config.errors import ConfigError, quote
from fastlb.config.lexer import Word

_BAD = re.compile(r"[^A-Za-z0-9_.:-]")
MAX_NAME_CHARS = 255


def check_name(word: Word, what: str) -> str:
    """The text of ``word``, which must be a proper name. Raises ConfigError."""
    bad = _BAD.search(word.text)
    if bad is not None:
        message = f"the character {quote(bad[0])} is not allowed in the name of a {what}: {quote(word.text)}"
        raise ConfigError(word.location, message, "use letters, digits and - _ . :")
    if len(word.text) > MAX_NAME_CHARS:
        raise ConfigError(word.location, f"the name of this {what} has more than {MAX_NAME_CHARS} characters")
    return word.text
