"""The longest that a run can take: the timeouts of all its calls, added up."""

from __future__ import annotations

from captioning.config import settings
from captioning.storage.sessions import OPERATION_SECONDS
from captioning.vision.client import READ_POLL_SECONDS, READ_SECONDS

CONNECT_SECONDS = float(settings.CONNECT_SECONDS)
WAIT_SECONDS = 75.0
"""The wait budget of a run: waiting for services, and calls that failed and are made again. A
quota of tokens is whole again after a minute. A run that waits for that keeps the queue in order;
an image that is deferred instead comes back later than it could."""
STORAGE_OPERATIONS = 44
"""Record read, blob described and read; claim: words, transaction; content: created, read, taken,
learned twice, done; renewals before four calls; day's and month's spending; a note of the services'
health, read and written; ledger; message; final save: words in up to 3 transactions, record and
rows in up to 4; burst: row, its group, 3 look-alikes read twice, row gone. After each transaction
of a record a read may have to find out whether it was made."""

_VISION_CALL = CONNECT_SECONDS + settings.MAX_VISION_SECONDS
_MODEL_CALL = CONNECT_SECONDS + settings.MAX_CAPTION_SECONDS
_DECODING = settings.TIMES_TO_DECODE * settings.MAX_DECODE_SECONDS
RUN_SECONDS = (
    STORAGE_OPERATIONS * OPERATION_SECONDS
    + 2 * _DECODING  # for the model, and for a service that does not take the file
    + 2 * _VISION_CALL  # 4.0 and 3.2, or 3.2 and its text
    + READ_SECONDS
    + READ_POLL_SECONDS
    + _VISION_CALL  # the last look at the text
    + 2 * _MODEL_CALL  # the answer, and one after a repair
    + 2 * _MODEL_CALL  # a server that refuses both parts of a request that it may leave out
    + WAIT_SECONDS
    + _MODEL_CALL  # a failed call ends the wait budget, but not before it has failed
)
"""Less than `functionTimeout` in host.json: the host kills a worker whose function takes longer."""
