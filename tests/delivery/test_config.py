"""`api_config.json`: what is read from it, and what is said of what is wrong."""

import json

import pytest
from jsonschema import Draft202012Validator

from service.delivery.config import ApiKey, Basic, BearerToken, OAuth2, schema
from service.delivery.config_file import lines_of, read_config
from service.errors import InvalidInput

SEED = """{
  "mock_api": {
    "base_url": "https://jsonplaceholder.typicode.com",
    "endpoints": {
      "customers": "/users",
      "health": "/posts/1"
    },
    "authentication": {
      "type": "bearer_token",
      "api_key": "your-api-key-here"
    },
    "settings": {
      "timeout": 30,
      "batch_size": 10,
      "retry_attempts": 3
    }
  }
}"""


def read(text: str, **environ: str):
    return read_config(text, environ, "api_config.json")


def said_of(text: str, **environ: str) -> str:
    with pytest.raises(InvalidInput) as raised:
        read(text, **environ)
    return str(raised.value)


def test_the_configuration_of_the_integration_guide_works_as_it_stands():
    name, api = read(SEED).api()
    assert (name, api.rows_url) == ("mock_api", "https://jsonplaceholder.typicode.com/users")
    assert api.url_of("health") == "https://jsonplaceholder.typicode.com/posts/1"
    assert (api.settings.timeout, api.settings.retry_attempts) == (30, 3)


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"type": "bearer_token", "bearer_token": "jwt"}, BearerToken),
        ({"type": "api_key", "api_key": "k", "header_name": "X-Key"}, ApiKey),
        ({"type": "basic", "username": "u", "password": "p"}, Basic),
        (
            {"type": "oauth2", "client_id": "c", "client_secret": "s", "token_url": "http://t"},
            OAuth2,
        ),
    ],
)
def test_each_way_to_sign_in_can_be_told(told, kind):
    document = {"base_url": "http://x", "endpoints": {"customers": "/"}, "authentication": told}
    name, api = read(json.dumps(document)).api()
    assert (name, type(api.authentication)) == ("default", kind)


def test_variables_come_from_the_environment():
    text = SEED.replace("your-api-key-here", "${CRM_KEY}")
    assert read(text, CRM_KEY="s3cret").api()[1].secrets == ["s3cret"]
    assert said_of(text).startswith("api_config.json, line 10, mock_api.authentication.api_key: ")


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ('"timeout": "x"', '"timeout": 30', "line 13, mock_api.settings.timeout: Expected `float`"),
        (
            '"timout": 3',
            '"timeout": 30',
            "line 13, mock_api.settings.timout: there is no such sett",
        ),
        (
            '"basik"',
            '"bearer_token"',
            "line 9, mock_api.authentication.type: Invalid value 'basik'",
        ),
        ('"base": ', '"base_url": ', "line 3, mock_api.base: there is no such setting; did you"),
        ('"/users";', '"/users",', "line 5, column"),
        ('"batch_size": 0', '"batch_size": 10', "line 14, mock_api.settings.batch_size: Expected"),
        ('"rows"', '"customers"', "mock_api: endpoints lacks `customers`"),
    ],
)
def test_an_error_points_at_its_line(wrong: str, right: str, said: str):
    assert said in said_of(SEED.replace(right, wrong))


def test_a_word_twice_in_one_object_is_an_error():
    assert "'timeout' stands twice" in said_of(SEED.replace('"batch_size": 10', '"timeout": 10'))


def test_an_api_or_a_mapping_that_is_not_there_is_said_with_those_that_are():
    config = read(SEED)
    with pytest.raises(InvalidInput, match="no API 'crm'; the configuration has: mock_api"):
        config.api("crm")
    with pytest.raises(InvalidInput, match="no mapping 'hubspot'; api_mappings has: none"):
        config.mapping("hubspot")


def test_lines_are_found_through_lists_and_empty_objects():
    text = '{"a": {},\n"b": [1,\n {"c": []}],\n"d": 4}'
    assert lines_of(text) == {
        (): 1,
        ("a",): 1,
        ("b",): 2,
        ("b", 0): 2,
        ("b", 1): 3,
        ("b", 1, "c"): 3,
        ("d",): 4,
    }


def test_the_schema_accepts_what_is_read_and_refuses_what_is_not():
    valid = Draft202012Validator(schema())
    assert list(valid.iter_errors(json.loads(SEED))) == []
    assert list(valid.iter_errors(json.loads(SEED)["mock_api"])) == []
    assert list(valid.iter_errors(json.loads(SEED.replace("timeout", "timout")))) != []
    assert list(valid.iter_errors({"x": {"base_url": "http://x"}})) != []
