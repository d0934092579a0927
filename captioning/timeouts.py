"""How long a run waits at most: the services' timeouts, and the sum of all that a run has."""

from __future__ import annotations

from captioning.exact_path import OPERATION_SECONDS
from captioning.vision import READ_POLL_SECONDS, READ_POLLS

CONNECT_SECONDS = 5.0
VISION_READ_SECONDS = 30.0
MODEL_READ_SECONDS = 60.0

_VISION_CALL = CONNECT_SECONDS + VISION_READ_SECONDS
_MODEL_CALL = CONNECT_SECONDS + MODEL_READ_SECONDS
RUN_SECONDS = (
    2 * OPERATION_SECONDS  # blob: describe, read
    + 5 * OPERATION_SECONDS  # tables: record, month, new row, record, old row
    + 2 * _VISION_CALL  # 4.0 and 3.2, or 3.2 and its text
    + READ_POLLS * (READ_POLL_SECONDS + _VISION_CALL)
    + 2 * _MODEL_CALL  # the answer, and one that is mended
)
"""Less than `functionTimeout` in host.json: the host kills a worker whose function takes longer."""
