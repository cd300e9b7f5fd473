"""The doctor's round: each part in turn, then what was found, worst first."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from rich.markup import escape

from service.accounts.commands.shown import Screen
from service.doctor.broker import examine_stream
from service.doctor.certificate import examine_certificate
from service.doctor.clashes import examine_settings
from service.doctor.place import examine_place
from service.doctor.remark import Remark
from service.doctor.running import examine_running
from service.doctor.secrets import examine_secrets
from service.doctor.stores import examine_accounts, examine_mail, examine_shared, examine_store
from service.redaction import masked
from service.settings import Settings
from service.telemetry import configure_logs


async def doctor(settings: Settings, monitoring: str, screen: Screen) -> int:
    """Look at everything and show it; 1 if something is wrong."""
    configure_logs(settings.log_format, settings.secrets)
    remarks = [_without_secrets(remark) for remark in await examine(settings, monitoring)]
    screen.show(remarks, _COLUMNS)
    if not screen.as_json:
        _sum_up(screen, remarks)
    return 1 if any(remark.state == "wrong" for remark in remarks) else 0


async def examine(settings: Settings, monitoring: str = "") -> Sequence[Remark]:
    """Every remark on this installation. Changes nothing in it."""
    stream, standing = await examine_stream(settings, monitoring)
    service, asked = await examine_running(settings, standing)
    return [
        *examine_settings(settings),
        *examine_secrets(settings),
        *examine_certificate(settings, datetime.now(UTC)),
        *examine_place(settings),
        *service,
        *stream,
        *await examine_store(settings, asked),
        *await examine_accounts(settings),
        *await examine_shared(settings),
        *await examine_mail(settings),
    ]


_SIGNS = {"right": "✓", "doubtful": "?", "wrong": "✗"}
_COLUMNS: Mapping[str, Callable[[Remark], str]] = {
    "": lambda remark: _SIGNS[remark.state],
    "part": lambda remark: remark.part,
    "what": lambda remark: remark.about,
    "found": lambda remark: remark.said,
}


def _without_secrets(remark: Remark) -> Remark:
    """What a part said of its failure may name a URL with its password."""
    return replace(remark, said=masked(remark.said))


def _sum_up(screen: Screen, remarks: Sequence[Remark]) -> None:
    """What to do, what is wrong first."""
    for state in ("wrong", "doubtful"):
        for remark in remarks:
            if remark.state == state:
                place = f"{remark.part}, {remark.about}"
                advice = escape(f"{_SIGNS[state]} {place}: {remark.advice}")
                screen.console.print(advice, highlight=False)
    counts = {state: sum(remark.state == state for remark in remarks) for state in _SIGNS}
    told = ", ".join(f"{count} {state}" for state, count in counts.items())
    screen.console.print(told, highlight=False)
