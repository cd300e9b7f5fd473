"""From cells to what is sent: transforms, rules, names."""

from typing import Any

import pytest

from service.delivery.columns import Column
from service.delivery.shaping import Shape
from service.errors import InvalidInput


def shaped(cell: str, **rules: Any) -> Any:
    """What a cell becomes, or what is wrong with it."""
    found = Shape(["x"], {"x": Column(**rules)}, None, []).of([cell])
    return found.problems[0] if found.problems else found.body.get("x", "left out")


@pytest.mark.parametrize(
    ("cell", "rules", "value"),
    [
        ("  Ada ", {}, "Ada"),
        ("  Ada ", {"trim": False}, "  Ada "),
        ("ada", {"case": "upper"}, "ADA"),
        ("ada lovelace", {"case": "title"}, "Ada Lovelace"),
        ("", {}, "left out"),
        ("", {"empty": "null"}, None),
        ("", {"empty": "keep"}, ""),
        ("", {"default": "none", "required": True}, "none"),
        ("007", {"type": "integer"}, 7),
        ("1.234,5", {"type": "number", "decimal": ","}, 1234.5),
        ("Yes", {"type": "boolean"}, True),
        ("31.12.2025", {"type": "date", "date_formats": ["%d/%m/%Y", "%d.%m.%Y"]}, "2025-12-31"),
        ("2025-12-31T10:00+01:00", {"type": "datetime"}, "2025-12-31T10:00:00+01:00"),
        ("Ada@EXAMPLE.com", {"type": "email"}, "Ada@example.com"),
        ("0049 (30) 123-456", {"type": "phone"}, "+4930123456"),
        ("030/123456", {"type": "phone", "country_code": "+49"}, "+4930123456"),
        ("DE", {"choices": ["DE", "AT"]}, "DE"),
    ],
)
def test_a_cell_becomes_what_its_column_says(cell: str, rules: dict[str, Any], value: Any):
    assert shaped(cell, **rules) == value


@pytest.mark.parametrize(
    ("cell", "rules", "said"),
    [
        ("", {"required": True}, "x is required"),
        ("1.5", {"type": "integer"}, "x is no whole number"),
        ("nan", {"type": "number"}, "x is no number"),
        ("perhaps", {"type": "boolean"}, "x is neither true nor false"),
        ("31.02.2025", {"type": "date", "date_formats": ["%d.%m.%Y"]}, "x is no date (%d.%m.%Y)"),
        ("ada.example.com", {"type": "email"}, "x is no e-mail address"),
        ("030 1234", {"type": "phone"}, "x has no country code, and the column no `country_code`"),
        ("+49 abc", {"type": "phone"}, "x is no telephone number"),
        ("DE1", {"pattern": "[A-Z]+"}, "x does not match the pattern [A-Z]+"),
        ("CH", {"choices": ["DE", "AT"]}, "x is none of: DE, AT"),
        ("Ada", {"min_length": 4}, "x is shorter than 4 characters"),
        ("Ada", {"max_length": 2}, "x is longer than 2 characters"),
        ("3", {"type": "number", "minimum": 4}, "x is less than 4"),
        ("3", {"type": "integer", "maximum": 2}, "x is more than 2"),
    ],
)
def test_what_is_wrong_is_said_without_the_cell(cell: str, rules: dict[str, Any], said: str):
    assert shaped(cell, **rules) == said


def test_a_mapping_sends_what_it_names_and_nothing_else():
    mapping = {"name": "Company", "email": "Email", "fax": "Fax"}
    shape = Shape(["Name", "E-Mail", "note"], {"email": Column(aliases=["e mail"])}, mapping, [])
    assert shape.of(["Ada", "a@b.c", "x"]).body == {"Company": "Ada", "Email": "a@b.c"}


def test_without_a_mapping_columns_keep_their_names_and_aliases_become_them():
    shape = Shape(["E-Mail", "Note"], {"email": Column(aliases=["e_mail"])}, None, ["email"])
    found = shape.of(["a@b.c", "x"])
    assert (found.body, found.keys) == ({"email": "a@b.c", "Note": "x"}, ["a@b.c"])


def test_all_that_is_wrong_with_a_row_is_said_at_once():
    columns = {"a": Column(required=True), "b": Column(type="integer")}
    assert Shape(["a", "b"], columns, None, []).of(["", "x"]).problems == [
        "a is required",
        "b is no whole number",
    ]


@pytest.mark.parametrize(
    ("header", "columns", "mapping", "keys", "said"),
    [
        (["mail"], {"email": Column(required=True)}, None, [], "no column 'email' .required.;"),
        (["nme"], {}, {"name": "Name"}, [], "no column 'name' .api_mappings.; did you mean 'nme'"),
        (["a"], {}, None, ["id"], "no column 'id' .report.key_columns.; name it under"),
        (["E-Mail", "e_mail"], {}, None, [], "'E-Mail' and 'e_mail' are the same column"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(header, columns, mapping, keys, said):
    with pytest.raises(InvalidInput, match=said):
        Shape(header, columns, mapping, keys)
