"""Tables of the configuration file that belong to the plugin."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = ["MineSettings", "Settings", "Window"]


class Settings(BaseModel):
    """A table of the file: a key that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Window(Settings):
    """Ranks `first` to `last` of a ranker, from 1, and how many documents are taken of them."""

    first: Annotated[int, Field(ge=1, le=10_000)]
    last: Annotated[int, Field(ge=1, le=10_000)]
    take: Annotated[int, Field(ge=1)]

    @field_validator("last")
    @classmethod
    def after_first(cls, last: int, info: object) -> int:
        first = getattr(info, "data", {}).get("first", 1)
        if last < first:
            raise ValueError(f"a window ends at {last} before it begins at {first}")
        return last

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


DEFAULT_WINDOWS = (
    Window(first=1, last=10, take=4),
    Window(first=11, last=50, take=3),
    Window(first=51, last=200, take=2),
)


class MineSettings(Settings):
    """How documents that may be hard negatives are found.

    Attributes:
        rankers: configured names; none for BM25 over the text roles of [documents].
        windows: of ranks, and the number of documents drawn of each, for each ranker.
        random: documents drawn from the whole index, for each query.
        margin: a document whose score is above (1 - margin) times the seed's is left out; 0 to 1,
            0 for no rule. Scores of one ranker and query are compared, never those of two.
            Where a query has several positives, the best score among them counts; where a ranker
            finds none of them, there is no rule, and the report says for how many queries.
        near_duplicate: shingle similarity (Jaccard) from which a document counts as a copy of a
            positive, or of another negative of the query, 0 to 1.
        guard: labeler (`builtin`, a folder, owner/name) that takes out likely false negatives;
            none for no guard. What a teacher grades anyway needs no guard.
        guard_grade: expected grade, 0 to 3, from which the guard takes a document out. Low, since
            a calibrated labeler that is unsure expects little: of what BM25's ranks 1 to 10 hold,
            the built-in one expects 1.5 or more of hardly any.
    """

    rankers: tuple[str, ...] = ()
    windows: tuple[Window, ...] = DEFAULT_WINDOWS
    random: Annotated[int, Field(ge=0)] = 2
    margin: Annotated[float, Field(ge=0, le=1)] = 0.0
    near_duplicate: Annotated[float, Field(gt=0, le=1)] = 0.8
    guard: str | None = None
    guard_grade: Annotated[float, Field(gt=0, le=3)] = 0.8

    @model_validator(mode="after")
    def asks_for_something(self) -> MineSettings:
        if not self.windows and not self.random:
            raise ValueError("nothing is asked for: no windows, and random = 0")
        return self
