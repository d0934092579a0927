"""Text for XML and HTML files. The serializer escapes it; here it loses the characters that cannot
be escaped."""

from __future__ import annotations

import re

_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def in_xml(text: str) -> str:
    """The text without characters that XML 1.0 does not allow: control characters, halves of
    surrogate pairs, U+FFFE and U+FFFF."""
    return _NOT_IN_XML.sub("", text)
