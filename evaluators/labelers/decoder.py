"""Grades from a causal language model, which reads what prompts share only once."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from relevance_eval.errors import LabelerError
from relevance_eval.evaluators.labelers.cross_encoder import CrossEncoder
from relevance_eval.evaluators.labelers.manifest import LabelerFolder
from relevance_eval.evaluators.labelers.session import PAST, TOKEN_BUDGET, Input, Session, batches

__all__ = ["Beginning", "Decoder", "SharedPrompt"]

PRESENT = "present."
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
WORTH = 32
"""Tokens that reading a query by itself must save, as it is one more run of the model."""
Logits = npt.NDArray[np.float32]


class Decoder(CrossEncoder):
    """A decoder in ONNX that classifies pairs; implements the Labeler protocol.

    A graph whose past is an input reads what stands before the query once, and a query with enough
    documents once too: the documents go on from there, in batches. A graph without reads every
    prompt as a whole.

    Args:
        exact: of no effect, since a decoder is always computed in float32.

    Raises LabelerError if the files do not fit together.
    """

    def __init__(self, folder: LabelerFolder, threads: int = 0, exact: bool = False):
        super().__init__(folder, threads, exact=True)
        self.reuses_prompt = any(name.startswith(PAST) for name in self.session.names)
        if self.reuses_prompt:
            self.session = SharedPrompt(self.session, self.frame.before)


@dataclass(frozen=True, slots=True)
class Beginning:
    """Tokens that prompts begin with, as the model keeps them.

    Attributes:
        length: in tokens.
        past: keys and values of each layer by the name of the graph's input, float
            [1, heads, length, width].
    """

    length: int
    past: Mapping[str, npt.NDArray[np.floating[Any]]]


@dataclass(frozen=True, slots=True)
class Group:
    """Prompts that go on from one beginning.

    Attributes:
        shared: tokens that the beginning gets first: the query, with what stands after it.
        rests: what is left of each prompt.
        places: of the prompts, among those given.
    """

    shared: tuple[int, ...]
    rests: Sequence[Input]
    places: Sequence[int]


class SharedPrompt(Session):
    """Runs a graph whose past is an input, of one row that serves all rows of a batch.

    Prompts are cut, not tokenized anew: the model reads the tokens of the whole, at their places.
    Keys and values of a query are dropped with its last batch. Those of a few queries are held at
    a time (threads + 3), and those of what stands before every query as long as the session.

    Args:
        session: with the loaded model, which is taken over.
        before: tokens that every prompt begins with, whatever its query.

    Raises:
        LabelerError: the past that the graph reads is not what it gives.
    """

    def __init__(self, session: Session, before: Sequence[int]):
        self.model, self.workers, self.names = session.model, session.workers, session.names
        self.place, self.output, self.before = session.place, session.output, before
        # Weights that are read once for many rows are worth more here than a processor's cache.
        # Where one row is read at a time, prompts are cut alike however many a query has.
        self.budget, self.worth = (TOKEN_BUDGET, WORTH) if session.budget else (session.budget, 0)
        inputs = [i for i in self.model.get_inputs() if i.name.startswith(PAST)]
        given = {o.name for o in self.model.get_outputs()}
        self.presents = [PRESENT + i.name.removeprefix(PAST) for i in inputs]
        missing = [name for name in self.presents if name not in given]
        if missing:
            raise unfit(f"it reads a past and does not give {missing[0]}", self.place)
        self.empty = Beginning(0, {i.name: nothing(i, self.place) for i in inputs})
        self.start = self.empty

    def outputs(self, inputs: Sequence[Input]) -> Iterator[tuple[list[int], Logits]]:
        """Yields (positions in `inputs`, logits [batch, 4]) batch by batch.

        Later batches are computed while the caller works on an earlier one.
        """
        if not inputs:
            return
        ahead: deque[tuple[list[int], Future[Logits]]] = deque()
        with ThreadPoolExecutor(self.workers) as pool:
            for places, answer in self.submitted(
                pool, groups(inputs, len(self.before), self.worth)
            ):
                ahead.append((places, answer))
                del answer  # it holds a batch, which holds keys and values
                if len(ahead) > self.workers:
                    done, logits = ahead.popleft()
                    yield done, logits.result()
            while ahead:
                done, logits = ahead.popleft()
                yield done, logits.result()

    def submitted(
        self, pool: Executor, asked: Sequence[Group]
    ) -> Iterator[tuple[list[int], Future[Logits]]]:
        """Each beginning is handed to the pool one group ahead: a batch that waits for its
        beginning holds a thread."""
        start = self.started()
        ready = deque([pool.submit(self.extended, start, asked[0].shared)])
        for place, group in enumerate(asked):
            if place + 1 < len(asked):
                ready.append(pool.submit(self.extended, start, asked[place + 1].shared))
            beginning = ready.popleft()
            length = start.length + len(group.shared)
            for batch in fitting(group.rests, length, self.budget):
                rests = [group.rests[i] for i in batch]
                places = [group.places[i] for i in batch]
                yield places, pool.submit(self.continued, beginning, rests)

    def started(self) -> Beginning:
        """What stands before every query, read when it is first needed."""
        if self.start.length < len(self.before):
            self.start = self.extended(self.empty, self.before)
        return self.start

    def extended(self, beginning: Beginning, ids: Sequence[int]) -> Beginning:
        """The beginning with further tokens after it. Raises LabelerError."""
        if not ids:
            return beginning
        found = self.computed(self.presents, beginning, [Input(ids, [0] * len(ids))])
        past = dict(zip(beginning.past, found, strict=True))
        return Beginning(beginning.length + len(ids), past)

    def continued(self, beginning: Future[Beginning], rests: Sequence[Input]) -> Logits:
        return self.logits(beginning.result(), rests)

    def run(self, inputs: Sequence[Input]) -> Logits:
        """Logits [batch, 4] of one batch of whole prompts. Raises LabelerError."""
        return self.logits(self.empty, inputs)

    def logits(self, beginning: Beginning, rests: Sequence[Input]) -> Logits:
        """Logits [batch, 4] of one batch that goes on from the beginning. Raises LabelerError."""
        (found,) = self.computed([self.output], beginning, rests)
        return found.astype(np.float32, copy=False)  # a model in float16 answers so

    def computed(
        self, wanted: Sequence[str], beginning: Beginning, rests: Sequence[Input]
    ) -> list[npt.NDArray[np.floating[Any]]]:
        """Padding stands on the right, where no token before it looks."""
        width = max(len(i.ids) for i in rests)
        ids = np.zeros((len(rests), width), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, item in enumerate(rests):
            ids[row, : len(item.ids)] = item.ids
            mask[row, : len(item.ids)] = 1
        feed = {"input_ids": ids, "attention_mask": mask, **beginning.past}
        try:
            return self.model.run(list(wanted), feed)
        except Exception as error:  # the library's exceptions share no public base
            raise LabelerError(
                f"the model cannot run on {beginning.length + width} tokens: {str(error)[:200]}",
                where=self.place,
                remedy="lower max_tokens in labeler.json, or export the model anew",
            ) from None


def groups(inputs: Sequence[Input], before: int, worth: int = WORTH) -> list[Group]:
    """Prompts by their query; those of queries not worth a reading of their own come together.

    Args:
        inputs: whole prompts; segment 0 ends where the document begins.
        before: tokens that all of them begin with, which no group has.
        worth: tokens that a reading of its own must save.
    """
    by_query: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for place, item in enumerate(inputs):
        by_query[tuple(item.ids[before : item.segments.count(0)])].append(place)
    found: list[Group] = []
    scattered: list[int] = []
    for shared, places in by_query.items():
        if (len(places) - 1) * len(shared) < worth:
            scattered += places
        else:
            found.append(group(inputs, places, before, shared))
    return [*found, *([group(inputs, scattered, before, ())] if scattered else [])]


def group(
    inputs: Sequence[Input], places: Sequence[int], before: int, shared: tuple[int, ...]
) -> Group:
    cut = before + len(shared)
    rests = [Input(inputs[i].ids[cut:], inputs[i].segments[cut:]) for i in places]
    return Group(shared, rests, places)


def fitting(rests: Sequence[Input], beginning: int, budget: int) -> Iterator[list[int]]:
    """Batches within the token budget, in which each row has its beginning too."""
    return batches([Input(range(beginning + len(rest.ids)), ()) for rest in rests], budget)


def nothing(item: Any, place: str) -> npt.NDArray[np.floating[Any]]:
    """Keys or values of no tokens, in the shape that the graph's input has."""
    kind, shape = TYPES.get(item.type), item.shape
    if kind is None or len(shape) != 4 or not all(isinstance(shape[n], int) for n in (0, 1, 3)):
        raise unfit(f"{item.name} is {item.type} {shape}, not float [1, heads, past, width]", place)
    return np.zeros((shape[0], shape[1], 0, shape[3]), kind)


def unfit(why: str, place: str) -> LabelerError:
    return LabelerError(why, where=place, remedy="export the model anew")
