"""Held-out grades of the built-in labeler are written for whoever measures further."""

from __future__ import annotations

import json

import numpy as np
import pytest

from relevance_eval.exporters.builtin.evaluation import Given
from relevance_eval.exporters.builtin.held_out import write_held_out
from relevance_eval.exporters.builtin.pairs import Collection, Pairs


def test_each_pair_is_a_line_with_what_was_said_of_it(tmp_path):
    triples = [("q1", "d1", 3), ("q1", "d2", 0), ("q2", "d1", 1)]
    pairs = Pairs(np.array([0, 0, 1]), np.array([3, 0, 1]), np.zeros((3, 0)))
    collection = Collection(triples, pairs, np.zeros(3), np.array([0, 1]))
    shares = np.array([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1], [1 / 3, 1 / 3, 1 / 3, 0]])
    path = tmp_path / "a labeler" / "dl20.jsonl"

    write_held_out(path, collection, Given(shares, np.array([3, 0, 1])))

    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [(r["query"], r["document"], r["grade"]) for r in rows] == [
        ("q1", "d1", 3),
        ("q1", "d2", 0),
        ("q2", "d1", 1),
    ]
    for row, own in zip(rows, shares.tolist(), strict=True):
        assert row["probabilities"] == pytest.approx(own, abs=1e-6)
