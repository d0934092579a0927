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
    """An error of 3.2: the reason in `innererror`, and a `requestId`."""
    error = {
        "code": "InvalidRequest",
        "innererror": {"code": code, "message": message},
        "message": message,
        "requestId": str(uuid4()),
    }
    return Refused(Reply(status, {"error": error}))


def refused_40(code: str, message: str, status: int = 400) -> Refused:
    """An error of 4.0: the reason in `innererror`, and a general message outside of it."""
    error = {
        "code": "InvalidRequest",
        "message": "Analyze query is invalid.",
        "innererror": {"code": code, "message": message},
    }
    return Refused(Reply(status, {"error": error}))


def gateway(status: int, message: str) -> Refused:
    """An error of the gateway in front of both, with the status as a string."""
    body = {"error": {"code": str(status), "message": message}}
    return Refused(Reply(status, body, {"apim-request-id": str(uuid4())}))
