"""The cost curve is measured and drawn, and what is written by hand is the same question."""

import time

import pytest

from loadtests import curve, figures

COUNT = 20_000


@pytest.mark.parametrize("engine", curve.ENGINES)
async def test_a_small_curve_is_measured_and_drawn(engine, tmp_path):
    found = await curve._measured(curve.ENGINES[engine], COUNT)
    assert [f.name for f in found] == [
        f"{engine}.{COUNT}.{what}" for what in (*curve.ASKED, "disk")
    ]
    assert all(f.value > 0 for f in found)
    results = figures.results("a test", "curve", 1.0, found)
    curve.plot(results, tmp_path / "curve.svg")
    assert f"{engine} disk" in (tmp_path / "curve.svg").read_text()
    assert "metrics of 7d" in curve.page(results)


async def test_by_hand_rows_and_views_give_the_same_answers(tmp_path):
    engine = curve.ENGINES["clickhouse"]
    await engine.fill(tmp_path, COUNT)
    end = time.time_ns() // 1_000_000 // curve.QUARTER * curve.QUARTER
    values = {"tenant": curve._TENANT, "start": end - 86_400_000, "end": end, "slot": 900_000}
    async with engine.by_hand(tmp_path) as ask:
        ways = [
            [await ask(text, values) for text in curve._texts(way, "clickhouse")]
            for way in curve.WAYS
        ]
    rows, views = ([sorted(map(tuple, map(dict.values, t.to_pylist()))) for t in w] for w in ways)
    assert (rows[0], rows[2], rows[3]) == (views[0], views[2], views[3])
    assert sorted(row[1] for row in rows[1]) == sorted(row[1] for row in views[1])
