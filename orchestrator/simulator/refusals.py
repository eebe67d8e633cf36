"""What Enterprise Manager answers when it refuses (`http_response_codes.md`)."""

from collections.abc import Mapping


class Refusal(Exception):
    """A call is refused: an `<Error>` body with this message goes out under this status."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


class HttpSysRefusal(Refusal):
    """Refused by the HTTP layer below Enterprise Manager: an HTML body, no `<Error>`."""
