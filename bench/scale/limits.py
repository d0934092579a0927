"""The rates at which storage and instances become the limit, calculated rather than simulated.
Rates of storage are Azure's scalability targets."""

from __future__ import annotations

from bench.scale.scenarios import MODEL_SECONDS, STORAGE_SECONDS, VISION_SECONDS, Quotas, bicep
from captioning.records.layout import PARTITIONS

REQUESTS_OF_AN_IMAGE = 12
"""Requests of a run to table and blob storage; 3 of them are transactions of the catalogue."""
REQUESTS_OF_A_DEFERRAL = 14
"""Requests of a run that finds the budget spent, with its message."""
WRITES_IN_ITS_PARTITION = 46
"""Entities that the two saves of a run write or delete in the image's partition of the catalogue,
for the image that `bench.speed.write_cost` records."""
MESSAGES_OF_AN_IMAGE = 1
ACCOUNT_PER_SECOND, PARTITION_PER_SECOND, QUEUE_PER_SECOND = 20_000, 2_000, 2_000


def requests(images: int, deferrals: int) -> float:
    """Storage requests for these images and deferrals."""
    return images * REQUESTS_OF_AN_IMAGE + deferrals * REQUESTS_OF_A_DEFERRAL


def ceilings() -> dict[str, float]:
    """The images a second that each limit allows, by its name."""
    seconds = VISION_SECONDS + MODEL_SECONDS + STORAGE_SECONDS
    at_work = bicep("mostInstances") * bicep("blobsAtWork")
    return {
        **{f"quotas x{times}": Quotas.times(times).rate for times in (1, 10, 100, 1000)},
        "storage account": ACCOUNT_PER_SECOND / REQUESTS_OF_AN_IMAGE,
        "instances": at_work / seconds,
        "partitions of the catalogue": PARTITIONS * PARTITION_PER_SECOND / WRITES_IN_ITS_PARTITION,
        "the host's queue": QUEUE_PER_SECOND / MESSAGES_OF_AN_IMAGE,
    }


def table() -> str:
    """A table in markdown, the lowest limit first."""
    lines = ["| limit | images a second |", "|---|---|"]
    lines += [
        f"| {name} | {rate:,.2f} |"
        for name, rate in sorted(ceilings().items(), key=lambda found: found[1])
    ]
    return "\n".join(lines) + "\n"
