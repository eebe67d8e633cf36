"""Keeps secrets out of everything a person may read.

Secret are the token, `SessionId`, session hrefs, cookies, the Basic header and the password; the token may be just
an encoding of the id. Source: page "HTTP Authentication"; what is seen of the token's form is in the same place.
"""

import base64
import re
from urllib.parse import quote

_HIDDEN = "***"
_SHAPES = (
    re.compile(r"(?i)(logonSessions/)[^\s\"'<>?&,;]+"),
    re.compile(r"(?i)(X-RestSvcSessionId[\"'\s]*[:=][\"'\s]*)[^\s\"'<>;,]+"),
    re.compile(r"(?i)(<SessionId[^>]*>)[^<]*"),
    re.compile(r"(?i)(\"SessionId\"\s*:\s*\")[^\"]*"),
    re.compile(r"(?i)(<Password[^>]*>)[^<]*"),
    re.compile(r"(?i)(\bBasic\s+)[A-Za-z0-9+/=_-]{4,}"),
    re.compile(r"(?i)(Set-Cookie\s*:\s*)[^\r\n]+"),
)
_SHORTEST = 4


class Mask:
    """Remembers the secrets of one client, and blots them and whatever has the shape of a secret out of texts."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()

    def learn(self, *secrets: str) -> None:
        """Blot these from now on, in every spelling in which they may come back."""
        for secret in secrets:
            encoded = secret.encode()
            spellings = {secret, quote(secret, safe=""), base64.b64encode(encoded).decode(), _decoded(secret)}
            self._secrets |= {each for each in spellings if len(each) >= _SHORTEST}

    def __call__(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, _HIDDEN)
        for shape in _SHAPES:
            text = shape.sub(rf"\g<1>{_HIDDEN}", text)
        return text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._secrets)} secrets)"


def _decoded(secret: str) -> str:
    try:
        return base64.b64decode(secret, validate=True).decode("ascii")
    except ValueError:
        return ""
