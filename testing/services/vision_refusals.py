"""Azure AI Vision's three error shapes."""

from __future__ import annotations

from uuid import uuid4

from testing.services.server import Reply


class Refused(Exception):
    """Ends a request with an error body."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def refused_32(code: str, message: str, status: int = 400) -> Refused:
    """3.2: the reason in `innererror`, a `requestId` beside it."""
    error = {
        "code": "InvalidRequest",
        "innererror": {"code": code, "message": message},
        "message": message,
        "requestId": str(uuid4()),
    }
    return Refused(Reply(status, {"error": error}))


def refused_40(code: str, message: str, status: int = 400) -> Refused:
    """4.0: likewise, with a general message outside."""
    error = {
        "code": "InvalidRequest",
        "message": "Analyze query is invalid.",
        "innererror": {"code": code, "message": message},
    }
    return Refused(Reply(status, {"error": error}))


def gateway(status: int, message: str) -> Refused:
    """The gateway before both: the status again, as a string."""
    body = {"error": {"code": str(status), "message": message}}
    return Refused(Reply(status, body, {"apim-request-id": str(uuid4())}))
