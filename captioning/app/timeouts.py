"""The longest that a run can take: the timeouts of all its calls, added up."""

from __future__ import annotations

from captioning.config import settings
from captioning.storage.sessions import CONNECT_SECONDS as STORAGE_CONNECT_SECONDS
from captioning.storage.sessions import OPERATION_SECONDS
from captioning.storage.sessions import READ_SECONDS as STORAGE_READ_SECONDS
from captioning.vision.client import READ_POLL_SECONDS, READ_SECONDS

CONNECT_SECONDS = float(settings.CONNECT_SECONDS)
WAIT_SECONDS = 75.0
"""The wait budget of a run: waiting for services, and calls that failed and are made again. A
quota of tokens is whole again after a minute. A run that waits for that keeps the queue in order;
an image that is deferred instead comes back later than it could."""
STORAGE_OPERATIONS = 44
"""Record read, blob described and read; claim: note, rows, words, record, note; content: created,
read, taken, learned twice, done; renewals before four calls; day's and month's spending; a note of
the services' health, read and written; ledger; message; note, rows (200 words, 64 at a time), words
(64 at a time), record, old rows, note; burst: row, its group, 3 look-alikes read twice, row gone.
"""
SIDE_BY_SIDE = 6
"""Rows and words that are first sent in one attempt, each after others that may take as long."""

_VISION_CALL = CONNECT_SECONDS + settings.MAX_VISION_SECONDS
_MODEL_CALL = CONNECT_SECONDS + settings.MAX_CAPTION_SECONDS
RUN_SECONDS = (
    STORAGE_OPERATIONS * OPERATION_SECONDS
    + SIDE_BY_SIDE * 2 * (STORAGE_CONNECT_SECONDS + STORAGE_READ_SECONDS)
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
