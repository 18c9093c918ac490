"""BM25 over the text of documents: the ranker for those who configured none."""

from __future__ import annotations

import json
from collections.abc import Mapping

from relevance_eval.plugin.rankers import Target, TemplateRanker
from relevance_eval.plugin.templates import QueryTemplate

__all__ = ["bm25_ranker"]

TITLE_BOOST = 2
"""A word of the title says more of a document than one of its body."""


def bm25_ranker(target: Target, fields: Mapping[str, str]) -> TemplateRanker:
    """A ranker named `bm25` that adds up the scores of a query's words in all roles' fields.

    Args:
        fields: role to index field; fields that an index lacks add nothing.
    """
    boosted = [
        f"{name}^{TITLE_BOOST}" if role == "title" else name for role, name in fields.items()
    ]
    match = {
        "query": "{{query}}",
        "fields": list(dict.fromkeys(boosted)),
        "type": "most_fields",
        "lenient": True,  # a field of numbers or dates is passed over where a word does not fit
    }
    text = json.dumps({"query": {"multi_match": match}})
    return TemplateRanker("bm25", target, QueryTemplate(text, "bm25", frozenset({"query"})))
