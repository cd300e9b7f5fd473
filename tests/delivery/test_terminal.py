"""Ctrl-C, once and twice, and what the bar shows, on a terminal."""

from collections import Counter
from pathlib import Path

from tests.delivery.api import Api, serving
from tests.delivery.building import a_config, a_csv, delivered, in_time, the_report
from tests.delivery.terminal import delivering

SLOWLY = {"batch_size": 2, "delay_between_batches": 0.05, "max_concurrent_requests": 2}


async def test_ctrl_c_ends_it_and_the_same_command_doubles_no_row(tmp_path: Path):
    file = a_csv(tmp_path, 400)
    with serving(Api(honours_keys=False)) as api:
        config = a_config(tmp_path, api, SLOWLY)
        with delivering(file, config) as terminal:
            terminal.wait_for(r"\d+ created")
            terminal.press_ctrl_c()
            assert terminal.ended() == 130
        assert "Run the same command again: it goes on there" in terminal.shown
        assert 0 < (before := len(api.created)) < 400
        assert the_report(file)["outcomes"]["created"] == before
        code, _ = await in_time(delivered(file, a_config(tmp_path, api)))
    assert (code, api.created) == (0, Counter({str(n): 1 for n in range(400)}))


def test_the_bar_shows_rows_rate_outcomes_delay_and_time_left(tmp_path: Path):
    file = a_csv(tmp_path, 40)
    with serving(Api()) as api, delivering(file, a_config(tmp_path, api, SLOWLY)) as terminal:
        told = r"customers.csv .* \d+ % \d+ rows, \d+ rows/s, \d+ created, delay 0.05 s 0:00:\d\d"
        terminal.wait_for(told)
        assert terminal.ended() == 0
    assert "100 % 40 rows" in terminal.shown


def test_a_second_ctrl_c_waits_for_nothing(tmp_path: Path):
    file = a_csv(tmp_path, 400)
    with serving(Api(holds_at=10)) as api:
        config = a_config(tmp_path, api, {**SLOWLY, "timeout": 600})
        with delivering(file, config) as terminal:
            terminal.wait_for(r"10 created")
            terminal.press_ctrl_c()
            terminal.wait_for("ending; Ctrl-C again: at once")
            terminal.press_ctrl_c()
            assert terminal.ended() == 130
    assert the_report(file)["outcomes"]["created"] == 10


def test_ctrl_c_before_anything_was_sent_says_so(tmp_path: Path):
    file = a_csv(tmp_path, 3)
    endpoints = {"customers": "/users", "health": "/health"}
    with serving(Api(holds_at=0)) as api:
        config = a_config(tmp_path, api, {"timeout": 600}, of_endpoints=endpoints)
        with delivering(file, config) as terminal:
            api.another.wait(60)
            terminal.press_ctrl_c()
            assert terminal.ended() == 130
    assert "interrupted: nothing was sent" in terminal.shown
