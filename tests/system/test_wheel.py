"""The wheel alone, in an environment that has nothing else and away from the checkout."""

import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import httpx2
import pytest

from tests.house.tables import ROOT
from tests.running import RunningService

pytestmark = pytest.mark.timeout(600)
UV = shutil.which("uv", path=sysconfig.get_path("scripts"))
WITHIN = 240.0


def uv(*words: str | Path) -> None:
    done = subprocess.run([UV, *words], capture_output=True, text=True, check=False)
    if done.returncode and "error sending request" in done.stderr:
        pytest.skip(f"no package index is reached from here: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """Scripts of an environment with the wheel of this tree, and what it asks for."""
    assert UV, "the command `uv` is not installed beside this Python"
    folder = tmp_path_factory.mktemp("wheel")
    uv("build", "--quiet", "--wheel", "--out-dir", folder, ROOT)
    [wheel] = folder.glob("headrace-*.whl")
    uv("venv", "--quiet", "--python", sys.executable, folder / "environment")
    scripts = folder / "environment" / "bin"
    constraints = ("--constraint", ROOT / "constraints.txt")
    uv("pip", "install", "--quiet", "--python", scripts / "python", *constraints, wheel)
    return scripts


def counted(service: RunningService) -> int:
    try:
        answer = httpx2.get(f"{service.base_url}/api/v1/analytics/metrics?timeRange=7d")
    except httpx2.HTTPError:
        return 0
    return answer.json()["data"]["totalEvents"] if answer.is_success else 0


def test_the_demo_of_the_wheel_counts_flights_outside_the_checkout(
    environment, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    service = RunningService(tmp_path / "data", PYTHONPATH="")
    service.command = (str(environment / "headrace"), "demo")
    try:
        service.launch()
        deadline = time.monotonic() + WITHIN
        while not counted(service):
            assert service.exit_code() is None, service.last_words()
            assert time.monotonic() < deadline, service.last_words()
            time.sleep(0.2)
        assert httpx2.get(service.base_url).is_success
        assert service.stop() == 0
    finally:
        service.clean_up()
