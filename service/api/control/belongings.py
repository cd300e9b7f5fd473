"""What the OpenAPI document says of things that belong to teams: of each kind the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from litestar.openapi.spec import Parameter, RequestBody

from service.api.control.pages import PAGE_PARAMETERS, PageDocument
from service.api.control.said import (
    BODY_REFUSED,
    CONFLICT,
    ENVIRONMENT_HEADER,
    NO_ENVIRONMENT,
    NOT_THERE,
    SIGNED_IN_ALWAYS,
    WRONG,
    Told,
)
from service.api.guards import IS_KNOWN, WORKS_IN_TEAM
from service.api.openapi import Said, document, text_parameter

DONE = document(204, None, "Done.")
BEGUN = document(202, str, "The state that it is in now.", "BUILDING")
PAUSED = document(202, str, "The state that it is in now.", "PAUSED")
OF_TEAM = text_parameter("team_id", "Only those of this team.")

_OF_ALL = [NO_ENVIRONMENT, *SIGNED_IN_ALWAYS, NOT_THERE]
_OF_ONE = [*SIGNED_IN_ALWAYS, NOT_THERE]


@dataclass(frozen=True, slots=True)
class Belongings:
    """A kind of things that belong to teams, as `pipeline`."""

    kind: str

    @property
    def tag(self) -> str:
        """Under which the routes stand."""
        return f"{self.kind}s"

    @property
    def id(self) -> Parameter:
        """What names one in a path."""
        return text_parameter(f"{self.kind}_id", f"The {self.kind}'s `id`.", where="path")

    def page(self, kind: Any, *only: Parameter) -> Said:
        """Of a list of the environment's, a page at a time; `only` chooses some of them."""
        answer = document(200, PageDocument[kind], "A page of them.")
        parameters = [*PAGE_PARAMETERS, *only, ENVIRONMENT_HEADER]
        return Said(self.tag, IS_KNOWN, [answer, *_OF_ALL, WRONG], parameters)

    def named(self, one: Told) -> Said:
        """Of the one that has a name."""
        parameters = [text_parameter("name", "The name."), ENVIRONMENT_HEADER]
        return Said(self.tag, IS_KNOWN, [one, *_OF_ALL, WRONG], parameters)

    def of_all(self, answer: Told) -> Said:
        """Of something that all of the environment's give together."""
        return Said(self.tag, IS_KNOWN, [answer, *_OF_ALL], [ENVIRONMENT_HEADER])

    def make(self, answer: Told, body: RequestBody) -> Said:
        """Of a new one."""
        answers = [answer, *_OF_ONE, CONFLICT, *BODY_REFUSED, WRONG]
        return Said(self.tag, WORKS_IN_TEAM, answers, body=body)

    def find(
        self,
        answer: Told,
        *more: Told,
        parameters: Sequence[Parameter] = (),
        body: RequestBody | None = None,
        socket: bool = False,
    ) -> Said:
        """Of one, or of something of it, whatever state it is in."""
        refused = [*BODY_REFUSED, WRONG] if body else []
        answers = [answer, *_OF_ONE, *more, *refused]
        return Said(self.tag, WORKS_IN_TEAM, answers, [self.id, *parameters], body, socket=socket)

    def change(self, answer: Told, body: RequestBody | None = None) -> Said:
        """Of a change that may not be as things are."""
        return self.find(answer, CONFLICT, body=body)
