"""What is done to messages before their columns are drawn."""

import hashlib
import hmac

import pytest

from service.errors import InvalidInput
from service.pipelines.transforms import Transforms


def changed(message, *steps):
    """What becomes of one message; None when it is left out."""
    values = Transforms(steps).apply([message]).values
    return values[0] if values else None


@pytest.mark.parametrize(
    ("op", "value", "stays"),
    [
        ("eq", 5, True),
        ("ne", 5, False),
        ("gt", 4, True),
        ("ge", 6, False),
        ("lt", 6, True),
        ("le", 4, False),
        ("in", [4, 5], True),
        ("exists", None, True),
        ("gt", "a text", False),
    ],
)
def test_a_filter_keeps_what_stands_so_to_its_value(op, value, stays):
    step = {"type": "filter", "path": "$.a.b", "op": op, "value": value}
    assert (changed({"a": {"b": 5}}, step) is not None) is stays


def test_what_a_filter_left_out_leaves_the_others_their_places():
    step = {"type": "filter", "path": "$.n", "op": "ge", "value": 2}
    left = Transforms([step]).apply([{"n": 1}, {"n": 2}, {}, {"n": 3}])
    assert (list(left.values), list(left.origins)) == ([{"n": 2}, {"n": 3}], [1, 3])


def test_objects_inside_become_members():
    flat = changed({"a": {"b": 1, "c": {"d": [2]}}, "e": {}}, {"type": "flatten"})
    assert flat == {"a_b": 1, "a_c_d": [2], "e": {}}


def test_members_get_other_names_and_two_of_one_name_are_refused():
    step = {"type": "rename", "names": {"a": "b"}}
    assert changed({"a": 1, "c": 2}, step) == {"b": 1, "c": 2}
    [(place, reason)] = Transforms([step]).apply([{"a": 1, "b": 2}]).failed
    assert (place, "one name" in reason) == (0, True)


def test_values_become_their_hash_and_the_message_that_was_given_stays_as_it_is():
    given = {"user": {"mail": "a@b.c"}, "n": 1}
    step = {"type": "hash", "paths": ["$.user.mail", "$.none"], "salt": "s"}
    digest = hmac.new(b"s", b"a@b.c", hashlib.sha256).hexdigest()
    assert changed(given, step) == {"user": {"mail": digest}, "n": 1}
    assert given["user"]["mail"] == "a@b.c"


@pytest.mark.parametrize(("keep", "shown"), [(0, "******"), (4, "**3456"), (9, "123456")])
def test_of_a_masked_text_the_last_characters_stay(keep, shown):
    step = {"type": "mask", "paths": ["$.card"], "keep": keep}
    assert changed({"card": "123456"}, step) == {"card": shown}


def test_they_run_in_their_order():
    steps = [{"type": "flatten"}, {"type": "rename", "names": {"a_b": "c"}}]
    assert changed({"a": {"b": 1}}, *steps) == {"c": 1}


@pytest.mark.parametrize(
    ("step", "field"),
    [
        ({"type": "explode"}, "transforms.0"),
        ({"type": "mask", "paths": ["$.a[*]"]}, "transforms.0.paths.0"),
        ({"type": "filter", "path": "$.a", "op": "in", "value": 3}, "transforms.0.value"),
        ({"type": "mask", "paths": ["$.a"], "keeps": 1}, "transforms.0"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(step, field):
    with pytest.raises(InvalidInput) as caught:
        Transforms([step])
    assert caught.value.field == field
