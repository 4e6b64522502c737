"""One loop of a benchmark: how often a second an operation goes."""

from collections.abc import Callable
from time import perf_counter

BATCH = 200


def rate(operation: Callable[[], object], seconds: float) -> float:
    for _ in range(BATCH):  # warm up
        operation()
    count, began = 0, perf_counter()
    while (passed := perf_counter() - began) < seconds:
        for _ in range(BATCH):
            operation()
        count += BATCH
    return count / passed
