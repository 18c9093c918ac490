"""The figures of the labeler and of what it is compared with, on queries it never saw."""

# PyTorch, ONNX and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false, reportUnknownLambdaType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from transformers.models.bert.modeling_bert import BertModel

from relevance_eval.evaluators.labelers.ordinal import OrdinalHead
from relevance_eval.exporters.builtin.calibrate import expected_grades, fit_head
from relevance_eval.exporters.builtin.corpora import Qrels
from relevance_eval.exporters.builtin.encoder import encode
from relevance_eval.exporters.builtin.metrics import (
    Figure,
    QuerySums,
    bootstrap,
    difference,
    order_sums,
    rounded,
    sums,
)
from relevance_eval.exporters.builtin.pairs import (
    Pairs,
    Triple,
    candidate_pairs,
    features_of,
    lexical_scores,
)
from relevance_eval.exporters.builtin.training import Library

__all__ = ["HeldOut", "Row", "encoded_pairs", "graded_rows", "held_out", "joined", "order_rows"]


@dataclass(frozen=True)
class HeldOut:
    """Judged pairs of one collection and the fold of each of its queries, int [Q]."""

    triples: Sequence[Triple]
    pairs: Pairs
    fold: NDArray[np.int64]

    def of_pair(self) -> NDArray[np.int64]:
        """The fold of each pair, int [n]."""
        return self.fold[self.pairs.queries]


@dataclass(frozen=True)
class Row:
    """One labeler's figures; `against` is the paired difference to the calibrated cosine."""

    name: str
    figures: Mapping[str, Figure]
    against: Mapping[str, Figure]


def encoded_pairs(
    library: Library, model: BertModel, collection: str, triples: Sequence[Triple]
) -> Pairs:
    """Encode the texts of the pairs and compute all their features."""
    queries = list(dict.fromkeys(query for query, _, _ in triples))
    documents = list(dict.fromkeys(document for _, document, _ in triples))
    lower = library.lower(
        [(collection, "q", q) for q in queries] + [(collection, "d", d) for d in documents]
    )
    encodings = encode(model, list(lower.values()))
    by_query = dict(zip(queries, encodings[: len(queries)], strict=True))
    by_document = dict(zip(documents, encodings[len(queries) :], strict=True))
    return features_of(triples, by_query, by_document)


def held_out(
    library: Library, models: Mapping[int, BertModel], collection: str, fold: NDArray[np.int64]
) -> HeldOut:
    """Features of every judged pair by the model that never saw its query's fold."""
    corpus = library.corpus(collection)
    of_query = dict(zip(corpus.qrels, fold.tolist(), strict=True))
    triples: list[Triple] = []
    grades: list[NDArray[np.int64]] = []
    features: list[NDArray[np.float64]] = []
    for number, model in models.items():
        own = [t for t in corpus.pairs() if of_query[t[0]] == number]
        pairs = encoded_pairs(library, model, collection, own)
        triples += own
        grades.append(pairs.grades)
        features.append(pairs.features)
    numbers = {query: place for place, query in enumerate(corpus.qrels)}
    queries = np.array([numbers[query] for query, _, _ in triples], dtype=np.int64)
    joined_pairs = Pairs(queries, np.concatenate(grades), np.concatenate(features))
    return HeldOut(triples, joined_pairs, fold)


def joined(parts: Sequence[Pairs]) -> Pairs:
    """Several collections' pairs as one, their queries kept apart."""
    offsets = np.cumsum([0, *(int(part.queries.max()) + 1 for part in parts)])
    return Pairs(
        np.concatenate([p.queries + o for p, o in zip(parts, offsets, strict=False)]),
        np.concatenate([part.grades for part in parts]),
        np.concatenate([part.features for part in parts]),
    )


def cross_fitted(sets: Sequence[HeldOut], names: Sequence[str]) -> list[NDArray[np.float64]]:
    """Probabilities for each set's pairs by a head fitted on the other folds of all sets."""
    out = [np.zeros((len(part.pairs.grades), 4)) for part in sets]
    for number in np.unique(sets[0].fold):
        train = joined([part.pairs.take(part.of_pair() != number) for part in sets])
        head: OrdinalHead = fit_head(train, names)
        for place, part in enumerate(sets):
            test = part.of_pair() == number
            out[place][test] = head.probabilities(part.pairs.columns(names)[test])
    return out


def probability_sums(pairs: Pairs, probabilities: NDArray[np.float64]) -> QuerySums:
    """The sums of a labeler that gives probabilities [n, 4]."""
    expected = expected_grades(probabilities)
    return sums(
        pairs.queries, pairs.grades, rounded(expected), expected, probabilities[:, 2:].sum(axis=1)
    )


def graded_rows(
    frozen: Sequence[HeldOut], tuned: Sequence[HeldOut], place: int, names: Sequence[str]
) -> list[Row]:
    """The compared labelers on set `place`; the first row is the calibrated frozen cosine.

    names: the features of the shipped head.
    """
    labelers = {
        "calibrated cosine, frozen encoder": (frozen, ["cosine"]),
        "head, frozen encoder": (frozen, names),
        "calibrated cosine, fine-tuned encoder": (tuned, ["cosine"]),
        "head, fine-tuned encoder (shipped)": (tuned, names),
    }
    all_sums = {
        name: probability_sums(sets[place].pairs, cross_fitted(sets, chosen)[place])
        for name, (sets, chosen) in labelers.items()
    }
    return rows_of(all_sums)


def rows_of(all_sums: Mapping[str, QuerySums]) -> list[Row]:
    """Intervals of each labeler, and of its difference to the first."""
    first = next(iter(all_sums.values()))
    return [Row(name, bootstrap(own), difference(own, first)) for name, own in all_sums.items()]


def teacher_row(part: HeldOut, teacher: Qrels) -> Row:
    """A language model's grades beside them; a certain grade has probability 1."""
    given = np.array([teacher[query][document] for query, document, _ in part.triples])
    own = sums(
        part.pairs.queries,
        part.pairs.grades,
        given,
        given.astype(float),
        (given >= 2).astype(float),
    )
    return Row("GPT-4o, UMBRELA prompt", bootstrap(own), {})


def lexical_row(library: Library, collection: str, part: HeldOut) -> Row:
    """BM25 as an order: only the figures of orders mean something."""
    score = lexical_scores(library.corpus(collection), part.triples)
    return _order_row("BM25", part.pairs, score)


def _order_row(name: str, pairs: Pairs, score: NDArray[np.float64]) -> Row:
    empty = QuerySums(
        np.zeros((int(pairs.queries.max()) + 1, 4, 4)) + 1e-9,
        np.zeros((int(pairs.queries.max()) + 1, 10, 3)) + 1e-9,
        *order_sums(pairs.queries, pairs.grades, score),
    )
    figures = bootstrap(empty)
    kept = ("pairwise accuracy", "nDCG@10", "average precision")
    return Row(name, {key: figures[key] for key in kept}, {})


def order_rows(
    library: Library,
    base: BertModel,
    final: BertModel,
    head: OrdinalHead,
    collection: str,
    depth: int,
) -> list[Row]:
    """BM25, frozen cosine and the shipped labeler as orders of a collection that nothing was
    trained on: judged documents and the `depth` best of BM25 and of the frozen cosine."""
    corpus = library.corpus(collection)
    keys = [(collection, "q", query) for query in corpus.qrels]
    keys += [(collection, "d", document) for document in corpus.documents]
    lower = library.lower(keys)
    encodings = dict(zip(lower, encode(base, list(lower.values())), strict=True))
    queries = {key[2]: value for key, value in encodings.items() if key[1] == "q"}
    documents = {key[2]: value for key, value in encodings.items() if key[1] == "d"}
    triples = candidate_pairs(corpus, queries, documents, depth)
    frozen = features_of(triples, queries, documents)
    tuned = encoded_pairs(library, final, collection, triples)
    return [
        _order_row("BM25", frozen, lexical_scores(corpus, triples)),
        _order_row("cosine, frozen encoder", frozen, frozen.columns(["cosine"])[:, 0]),
        _order_row("shipped", tuned, head.scores(tuned.columns(head.features))),
    ]
