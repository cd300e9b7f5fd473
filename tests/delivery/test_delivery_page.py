"""Every block of docs/delivery.md runs as it stands, against an API on the port that it names."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.delivery.api import Api, serving

PAGE = (Path(__file__).parents[2] / "docs" / "delivery.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.S)


def run(script: str, folder: Path) -> str:
    """What the lines print; `headrace` is this tree's."""
    call = f'headrace() {{ "{sys.executable}" -m service.cli "$@"; }}\n'
    environ = {
        **os.environ,
        "PATH": sysconfig.get_path("scripts") + os.pathsep + os.environ["PATH"],
    }
    done = subprocess.run(
        ["bash", "-c", call + script], cwd=folder, env=environ, capture_output=True, timeout=100
    )
    assert b"Traceback" not in done.stderr, done.stderr
    return done.stdout.decode() + done.stderr.decode()


def test_the_page_can_be_followed(tmp_path: Path):
    health, create = ("GET", "/v1/health"), "/v1/customers"
    with serving(Api(unique="externalId", answers={health: (200, {}, b"{}")})) as api:
        (tmp_path / "customers.csv").write_text(blocks("csv")[0])
        config = blocks("json")[0].replace("http://127.0.0.1:9000", api.url)
        (tmp_path / "api_config.json").write_text(config)
        first, *others = blocks("sh")
        assert "1 × email is no e-mail address; since is no date" in run(first, tmp_path)
        said = "".join(run(f"export CRM_TOKEN=x\n{other}", tmp_path) for other in others)
    assert '3,4,"C-3","rejected",,"not sent: email is no e-mail address' in said
    assert {request.path for request in api.asked} == {"/v1/health", create}
    assert sorted(api.created) == ["C-1", "C-2"]
    phones = [r["phone"] for q in api.asked if q.path == create for r in q.rows]
    assert sorted(phones) == ["+41441234567", "+49301234567"]
