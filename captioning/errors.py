"""What can go wrong, and what to do about it: the class decides.

CaptioningError
├── SettingsError             the environment is wrong: nothing is processed until it is fixed
├── BadRequest                a client's request cannot be understood: 400 with a `code`
├── RecaptionLimitReached     too many new captions were requested this hour: 429
├── BadName                   a file cannot become a blob under this path
├── RecordChanged             another process saved the record first: read it again
├── RecordUnreadable          a record that this version cannot read must not be changed
├── RowMissing                a transaction deletes a row that is not there
├── BlobGone                  the blob was deleted meanwhile: nothing is left to do
├── BlobChanged               the blob was overwritten meanwhile: look at it again
├── BlobInUse                 in_use: a lease, say, keeps the blob from being replaced or deleted
├── ImageRejected             because of the image: recorded `rejected`, never retried
│   ├── ImageTooLarge         too_large
│   ├── ImageTooSmall         too_small
│   ├── UnsupportedFormat     unsupported_format
│   ├── CorruptImage          corrupt
│   └── ContentFiltered       content_filtered
├── ServiceDeferred           because of the moment: recorded `deferred`, tried again later
│   ├── ServiceThrottled      throttled
│   ├── ServiceUnavailable    unavailable
│   │   └── StorageUnavailable  storage itself: the record cannot say so
│   │       └── LayoutRefused   the tables are of another version of the app
│   ├── ServiceTimeout        timeout
│   ├── BudgetSpent           budget
│   ├── ContentInProgress     in_progress: another run is paying for the same bytes or burst
│   ├── BlobRefused           storage refuses this one blob until somebody changes it
│   │   ├── BlobArchived      archived
│   │   └── BlobUnreadable    unreadable
│   └── DeploymentBroken      an operator has to fix something; images wait meanwhile
│       ├── AuthRefused       auth
│       ├── ModelGone         model_gone
│       └── EndpointRefused   refused: by the webhook's receiver; no image meets it
├── CrashedTooOften           poisoned: recorded `failed`
├── GaveUp                    gave_up: recorded `failed`, after a day of being deferred
└── BadResponse               bad_response: recorded `failed`; the same call would fail the same way

Messages are written here and by the adapters for a person to act on. They never carry a service's
own text, which may quote the image, the prompt or a key.
"""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar


class CaptioningError(Exception):
    """Root of everything this project raises on purpose."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SettingsError(CaptioningError):
    """One or more settings are missing or wrong; `problems` maps each name to what is wrong."""

    code = "settings"

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {problem}" for name, problem in problems.items()))
        self.problems = problems


class BadRequest(CaptioningError):
    """An HTTP request is wrong; `reason` is its stable code."""

    code = "bad_request"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class RecaptionLimitReached(CaptioningError):
    """The hour has no room for another request; `retry_after` are the seconds until the next."""

    code = "too_many_requests"

    def __init__(self, most: int, retry_after: int) -> None:
        super().__init__(
            f"{most:,} images an hour may be captioned again by request (RECAPTIONS_PER_HOUR)."
            " Wait for the next hour, raise the setting, or run `python -m captioning reprocess`."
        )
        self.retry_after = retry_after


class BadName(CaptioningError):
    """No blob can have this path."""

    code = "bad_name"


class RecordChanged(CaptioningError):
    """A conditional write found another version than the one that it was made from."""

    code = "changed"


class RecordUnreadable(CaptioningError):
    """This version cannot read the record, so it changes nothing in it."""

    code = "unreadable"


class RowMissing(CaptioningError):
    """A transaction was to delete a row that is not there; `row` is its key."""

    code = "row_missing"

    def __init__(self, row: str) -> None:
        super().__init__("A row that the record lists is not in the table.")
        self.row = row


class BlobGone(CaptioningError):
    """There is no such blob (any more)."""

    code = "gone"


class BlobChanged(CaptioningError):
    """The blob is not the one that was described."""

    code = "changed"


class ImageRejected(CaptioningError):
    """The image can never be captioned as it is."""


class ImageTooLarge(ImageRejected):
    """More bytes or pixels than the app takes."""

    code = "too_large"


class ImageTooSmall(ImageRejected):
    """Fewer pixels than the vision service takes."""

    code = "too_small"


class UnsupportedFormat(ImageRejected):
    """Not one of the image formats the app reads."""

    code = "unsupported_format"


class CorruptImage(ImageRejected):
    """The bytes look like an image and cannot be decoded."""

    code = "corrupt"


class ContentFiltered(ImageRejected):
    """A service's content policy refuses the image or its caption."""

    code = "content_filtered"


class ServiceDeferred(CaptioningError):
    """The same call may succeed later; `retry_after` are the seconds that the service asks for."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ServiceThrottled(ServiceDeferred):
    """The service said 429."""

    code = "throttled"


class ServiceUnavailable(ServiceDeferred):
    """The service said 5xx, could not be reached, or broke off its answer."""

    code = "unavailable"


class StorageUnavailable(ServiceUnavailable):
    """The storage account did not answer, or not as it should."""


class LayoutRefused(StorageUnavailable):
    """The tables are of another version of the app: an operator has to migrate them."""


class ServiceTimeout(ServiceDeferred):
    """The service did not answer in time."""

    code = "timeout"


class BudgetSpent(ServiceDeferred):
    """The day's or the month's budget is spent; `retry_after` is the time until the next one."""

    code = "budget"


class ContentInProgress(ServiceDeferred):
    """Another run has the claim on the same content, or on a near-identical frame."""

    code = "in_progress"


class BlobRefused(ServiceDeferred):
    """Storage refuses this one blob, and will do so until somebody changes the blob."""

    code = "unreadable"


class BlobArchived(BlobRefused):
    """The blob is in the archive tier."""

    code = "archived"

    def __init__(self) -> None:
        super().__init__(
            "The image is in the archive tier: rehydrate it (set its tier to Hot, Cool or Cold),"
            " and it is captioned some hours later, or at once if you ask for that."
        )


class BlobUnreadable(BlobRefused):
    """The service does not give the blob's bytes to the app; `reason` is its status and code."""

    code = "unreadable"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"Storage refuses to let the app read this image ({reason}). If it is encrypted with a"
            " key of your own, upload it without one: the app has no such key."
        )


class BlobInUse(CaptioningError):
    """A lease, a snapshot or a policy protects the blob from changes; `reason` likewise."""

    code = "in_use"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"Storage protects this image from changes ({reason}): end the lease on it, or lift the"
            " legal hold or immutability policy, and try again."
        )


class DeploymentBroken(ServiceDeferred):
    """Every image fails in this way until an operator fixes the deployment."""


class AuthRefused(DeploymentBroken):
    """The key or identity is not accepted."""

    code = "auth"


class ModelGone(DeploymentBroken):
    """The endpoint or model deployment does not exist."""

    code = "model_gone"


class EndpointRefused(DeploymentBroken):
    """The webhook's receiver is not where it should be, or does not know the key."""

    code = "refused"


class CrashedTooOften(CaptioningError):
    """Runs of this image end without a trace."""

    code = "poisoned"

    def __init__(self, crashes: int) -> None:
        super().__init__(
            f"{crashes} runs ended without a trace: the app may lack memory for this image. Give it"
            " more, or upload a smaller version, and ask for the caption again."
        )


class GaveUp(CaptioningError):
    """An image was deferred for too long."""

    code = "gave_up"

    def __init__(self, last: ServiceDeferred, waited: timedelta) -> None:
        hours = waited.total_seconds() / 3600
        super().__init__(f"Given up after {hours:.0f} hours. {last.message}")


class BadResponse(CaptioningError):
    """The service answered in a way the app cannot use."""

    code = "bad_response"
