"""The pieces that queries are composed of: every one is used, and none is missing."""

import re

import pytest

from service.query.language.metrics import COUNTS, SUMS
from service.query.language.words import operators
from service.resources import directory
from service.storage.protocol import Statement
from service.storage.statements import bound, pieces
from tests.house.tables import ROOT

FILES = sorted(path.name for path in (directory("queries") / "pieces").iterdir())
FAMILIES = sorted({name.split(".")[0] for name in FILES})
SOURCES = "\n".join(
    path.read_text("utf-8")
    for folder in ("language", "journeys")
    for path in (ROOT / "service" / "query" / folder).glob("*.py")
)
BY_NAME = {"filters": {*operators()}, "metrics": {*COUNTS, *SUMS, "percentile"}}
"""Pieces that are called as the word of the caller's that chooses them."""


@pytest.mark.parametrize("family", FAMILIES)
def test_every_piece_is_used(family):
    columns = set(re.findall(r'"(\w+)"', SOURCES)) if family == "fields" else set()
    named = set(re.findall(rf"{family}\.(\w+)", SOURCES)) | BY_NAME.get(family, set()) | columns
    one_of = set(re.findall(r'_one_of\(\s*"(\w+)", "(\w+)"', SOURCES))
    assert set(pieces(family, "clickhouse")) <= named | {name for pair in one_of for name in pair}


@pytest.mark.parametrize("family", FAMILIES)
def test_duckdbs_own_pieces_stand_in_for_others(family):
    assert set(pieces(family, "duckdb")) == set(pieces(family, "clickhouse"))


@pytest.mark.parametrize("name", FILES)
def test_a_file_says_in_its_first_line_what_it_has(name):
    text = (directory("queries") / "pieces" / name).read_text("utf-8")
    assert re.match(r"-- \S.{10,}\n", text)


@pytest.mark.parametrize("dialect", ["duckdb", "clickhouse"])
@pytest.mark.parametrize("name", ["key1; --", "", "a b", "`a`", "key1\n"])
def test_nothing_but_a_name_becomes_a_column(name, dialect):
    part = Statement("frames.name", {"name": name})
    with pytest.raises(ValueError):
        bound(Statement("filters.not", {}, {"filter": [part]}), dialect)


def test_each_part_has_values_of_its_own_and_those_around_it():
    leaf = Statement("filters.same", {"value": "a"}, {"key": [Statement("fields.source")]})
    other = Statement("filters.same", {"value": "b"}, {"key": [Statement("fields.source")]})
    whole = Statement("filters.all", {}, {"filters": [leaf, other]})
    text, values = bound(whole, "clickhouse")
    assert sorted(values.values()) == ["a", "b"]
    names = re.findall(r"\{(\w+):String\}", text)
    assert [values[name] for name in names] == ["a", "b"]
