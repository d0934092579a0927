"""The rates at which storage and instances become the limit, calculated rather than simulated.
Rates of storage are Azure's scalability targets."""

from __future__ import annotations

from bench.scale.scenarios import MODEL_SECONDS, STORAGE_SECONDS, VISION_SECONDS, Quotas, bicep

REQUESTS_OF_AN_IMAGE = 60
"""Requests to table, queue and blob storage; 50 of them for the record and its index rows."""
REQUESTS_OF_A_DEFERRAL = 20
"""Requests of a run that ends in a deferral."""
WRITES_IN_ONE_PARTITION = 2
"""Writes of an image to the busiest partition of the index, `status~processing`: its row is added
and removed."""
MESSAGES_OF_AN_IMAGE = 1
ACCOUNT_PER_SECOND, PARTITION_PER_SECOND, QUEUE_PER_SECOND = 20_000, 2_000, 2_000
FILLED = 0.62
"""The mean share of an instance's capacity that is used: the host fetches a batch when half of it
is free. From the simulation."""


def requests(images: int, deferrals: int) -> float:
    """Storage requests for these images and deferrals."""
    return images * REQUESTS_OF_AN_IMAGE + deferrals * REQUESTS_OF_A_DEFERRAL


def ceilings(requests_of_an_image: int = REQUESTS_OF_AN_IMAGE) -> dict[str, float]:
    """The images a second that each limit allows, by its name."""
    seconds = VISION_SECONDS + MODEL_SECONDS + STORAGE_SECONDS
    places = bicep("mostInstances") * bicep("mostAtATime") * FILLED
    return {
        **{f"quotas x{times}": Quotas.times(times).rate for times in (1, 10, 100, 1000)},
        "storage account": ACCOUNT_PER_SECOND / requests_of_an_image,
        "instances": places / seconds,
        "partition of a status in the index": PARTITION_PER_SECOND / WRITES_IN_ONE_PARTITION,
        "the host's queue": QUEUE_PER_SECOND / MESSAGES_OF_AN_IMAGE,
    }


def table() -> str:
    """A table in markdown, the lowest limit first."""
    now, fewer = ceilings(), ceilings(REQUESTS_OF_AN_IMAGE // 2)
    lines = ["| limit | images a second | with half the storage requests |", "|---|---|---|"]
    lines += [
        f"| {name} | {rate:,.2f} | {fewer[name]:,.2f} |"
        for name, rate in sorted(now.items(), key=lambda found: found[1])
    ]
    return "\n".join(lines) + "\n"
