"""The whole service, every part real, in a thread of its own: called over HTTP, or by its parts."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from service.app import create_app
from service.bootstrap import Service, open_service
from service.server import Server, listening, url_of
from service.settings import Settings
from service.worker import work, work_and_carry
from tests.signing import Accounts, opened_accounts

T = TypeVar("T")
_Change = Callable[[Service], Service]
_Work = Callable[[Service, asyncio.Event], Coroutine[Any, Any, None]]


@dataclass
class Whole:
    """A running service: where it is reached, its parts, and the loop that they live on."""

    url: str
    parts: Service
    accounts: Accounts
    """Those of the same database, as another process has them open."""
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        """Do something with the parts where they live, and wait for it."""
        return asyncio.run_coroutine_threadsafe(doing, self.loop).result(30)


@contextmanager
def the_whole_service(
    data_dir: Path,
    change: _Change = lambda parts: parts,
    carries: bool = False,
    **settings: Any,
) -> Iterator[Whole]:
    """As `headrace up` opens and serves it, on a free port; `change` replaces parts of it, and
    `carries` says whether pipelines run.
    """
    settings = {"secret_key": "a secret of the tests", **settings}
    ready: Future[Whole] = Future()
    working = work_and_carry if carries else work
    given = (Settings(data_dir=data_dir, **settings), change, working, ready)
    serving = threading.Thread(target=_serve, args=given)
    serving.start()
    whole = ready.result(60)
    try:
        yield whole
    finally:
        whole.loop.call_soon_threadsafe(whole.stop.set)
        serving.join()


def _serve(settings: Settings, change: _Change, working: _Work, ready: "Future[Whole]") -> None:
    try:
        asyncio.run(_serving(settings, change, working, ready))
    except BaseException as error:
        if ready.done():
            raise
        ready.set_exception(error)


async def _serving(
    settings: Settings, change: _Change, working: _Work, ready: "Future[Whole]"
) -> None:
    with listening("127.0.0.1", 0, "API_PORT") as listener:
        secrets = (settings.secret_key.encode(),)
        async with (
            open_service(settings) as opened,
            opened_accounts(settings, secrets=secrets) as accounts,
        ):
            parts = change(opened)
            server, stop_writing = Server(create_app(parts)), asyncio.Event()
            tasks = [server.serve([listener]), working(parts, stop_writing)]
            served, wrote = (asyncio.create_task(task) for task in tasks)
            whole = Whole(url_of(*listener.getsockname()[:2]), parts, accounts)
            ready.set_result(whole)
            await whole.stop.wait()
            server.should_exit = True
            await served
            stop_writing.set()
            await wrote
