"""`headrace audit`: the audit log, listed or followed."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from service.accounts.audit_log import Asked, AuditLog, Entry
from service.accounts.commands.opened import opened_accounts
from service.accounts.commands.shown import Screen, iso
from service.accounts.governing import id_called
from service.settings import Settings

_PAUSE = 1.0
"""Seconds between two looks for new entries."""


async def list_entries(settings: Settings, asked: Asked, screen: Screen) -> None:
    """Show the newest entries that are wanted, the newest last; raises NotFound."""
    async with opened_accounts(settings) as database:
        asked = replace(asked, environment_id=await id_called(database, asked.environment_id))
        page = await AuditLog(database, settings.audit_days).page(asked)
    screen.show(list(reversed(page.entries)), _COLUMNS)


async def follow(settings: Settings, asked: Asked, screen: Screen) -> None:
    """Show the newest entries, then each new one a line, until interrupted; raises NotFound."""
    async with opened_accounts(settings) as database:
        asked = replace(asked, environment_id=await id_called(database, asked.environment_id))
        log = AuditLog(database, settings.audit_days)
        entries = list(reversed((await log.page(asked)).entries))
        number = entries[-1].number if entries else 0
        while True:
            for entry in entries:
                number = entry.number
                _say(entry, screen)
            await asyncio.sleep(_PAUSE if len(entries) < asked.limit else 0)
            entries = list(await log.newer(number, asked))


def _say(entry: Entry, screen: Screen) -> None:
    if screen.as_json:
        screen.show([entry], _COLUMNS)
    else:
        cells = (cell(entry) for cell in _COLUMNS.values())
        screen.console.out("  ".join(filter(None, cells)), highlight=False)


def _who(entry: Entry) -> str:
    return f"{entry.by.kind} {entry.by.name or entry.by.id}".strip()


def _details(entry: Entry) -> str:
    told = {name: value for name, value in entry.details.items() if value is not None}
    return json.dumps(told, ensure_ascii=False) if told else ""


_COLUMNS: Mapping[str, Callable[[Entry], str]] = {
    "when": lambda entry: iso(entry.at),
    "who": _who,
    "from": lambda entry: entry.by.address,
    "what": lambda entry: entry.action,
    "to": lambda entry: entry.subject,
    "environment": lambda entry: entry.environment_id or "",
    "details": _details,
}
