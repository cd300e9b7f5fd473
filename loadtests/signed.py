"""Signed batches beside those of the events face: what signatures and stricter records cost."""

from functools import partial
from pathlib import Path

from loadtests.figures import Figure
from loadtests.ingestion import BATCH, BATCH_CONNECTIONS, EVENTS, KEY
from loadtests.processes import Subject, command
from loadtests.rounds import beside, in_turn
from loadtests.scale import Scale
from loadtests.signed_bodies import ACCOUNT, TOKEN, WORKSPACE

GAMING = f"/apigw/ingest/events/gaming-activity/{ACCOUNT}/{WORKSPACE}"
LEAST_SHARE = 0.7
"""Of the events face's throughput: the target."""


async def signed(scale: Scale, service: Subject, data_dir: Path) -> list[Figure]:
    """Signed batches a second beside unsigned ones, both of as many events."""
    headers = {TOKEN: _new_token(data_dir)}
    load = {"connections": BATCH_CONNECTIONS, "seconds": scale.round}
    measured = await in_turn(
        scale,
        {
            "signed": partial(
                service.carry, paths=[GAMING], what="signed", headers=headers, status=200, **load
            ),
            "batches": partial(service.carry, paths=[BATCH], what="batch", headers=KEY, **load),
        },
    )
    figure = Figure(
        name="signed.rate",
        about=f"Signed batches of {EVENTS} gaming events",
        limit_about=f"batches of {EVENTS} of the events face",
        target_ratio=LEAST_SHARE,
    )
    return beside(figure, measured["signed"], measured["batches"])


def _new_token(data_dir: Path) -> str:
    """A signing token of the running service."""
    made = command(data_dir, "signing", "create", "--account", ACCOUNT, "--workspace", WORKSPACE)
    return made.strip()
