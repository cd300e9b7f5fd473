"""One thing that was looked at."""

from dataclasses import dataclass
from typing import Literal

State = Literal["right", "doubtful", "wrong"]


@dataclass(frozen=True, slots=True)
class Remark:
    """What was found of one thing, and what to do if it is not right."""

    part: str
    about: str
    state: State
    said: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Makes remarks on one part."""

    name: str

    def right(self, about: str, said: str) -> Remark:
        return Remark(self.name, about, "right", said)

    def doubtful(self, about: str, said: str, advice: str) -> Remark:
        """It works, and may be meant; or it could not be found out."""
        return Remark(self.name, about, "doubtful", said, advice)

    def wrong(self, about: str, said: str, advice: str) -> Remark:
        """It does not work, is not safe, or soon will not be."""
        return Remark(self.name, about, "wrong", said, advice)
