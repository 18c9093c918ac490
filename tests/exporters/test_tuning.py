"""Tuning the built-in labeler's encoder, on a BERT small enough to learn within seconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from relevance_eval.exporters.builtin.groups import Group

torch = pytest.importorskip("torch", reason="needs relevance-eval[train]")

from relevance_eval.evaluators.labelers.features import pair_features  # noqa: E402
from relevance_eval.exporters.builtin.encoder import encode  # noqa: E402
from relevance_eval.exporters.builtin.rendering import Renderer  # noqa: E402
from relevance_eval.exporters.builtin.tuning import (  # noqa: E402
    Recipe,
    features,
    half_way,
    plant,
    states,
    tune,
)

SPECIAL = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}
WORDS = [f"word{n}" for n in range(20)]
NAMES = ("cosine", "late_square", "query_length")
QUICK = Recipe(steps=30, rate=3e-3, planted=0.0)


@pytest.fixture
def renderer() -> Renderer:
    from tokenizers import Tokenizer, models, pre_tokenizers

    ids = SPECIAL | {word: 104 + n for n, word in enumerate([*WORDS, "title:"])}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return Renderer(tokenizer)


@pytest.fixture
def encoder() -> Any:
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=104 + len(WORDS) + 1,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        initializer_range=0.2,
    )
    return BertModel(config, add_pooling_layer=False).eval()


def lesson(number: int) -> Group:
    """word0 is answered by word10, word1 by word11, and so on: by nothing that reads alike."""
    documents = [{"body": f"word{10 + (number + gap) % 10} word9 word8"} for gap in (0, 1, 5)]
    targets = np.eye(4)[[3, 0, 0]]
    return Group("made", "people", f"word{number} word7", documents, targets)


def lessons() -> Iterator[list[Group]]:
    while True:
        yield [lesson(number) for number in range(6)]


def weights(encoder: Any) -> dict[str, Any]:
    return {name: value.clone() for name, value in encoder.state_dict().items()}


def right(encoder: Any, renderer: Renderer) -> int:
    """Of 6 queries, how many have their answer's cosine above the others'."""
    count = 0
    for number in range(6):
        group = lesson(number)
        (query,) = encode(encoder, {"q": renderer.query(group.query)}).values()
        texts = {str(n): renderer.document(d) for n, d in enumerate(group.documents)}
        found = [pair_features(NAMES, query, e)[0] for e in encode(encoder, texts).values()]
        count += found[0] == max(found)
    return count


def test_only_the_matrices_of_layers_learn(encoder: Any, renderer: Renderer) -> None:
    before, known = weights(encoder), right(encoder, renderer)
    tuned = tune(encoder, renderer, lessons(), {"made": 1.0}, 0, QUICK)
    assert right(tuned, renderer) == 6 > known
    for name, value in tuned.state_dict().items():
        stays = name.startswith("embeddings.") or value.dim() == 1
        assert torch.equal(value, before[name]) == stays, name


def test_the_same_seed_gives_the_same_weights(encoder: Any, renderer: Renderer) -> None:
    before = weights(encoder)
    recipe = replace(QUICK, steps=3, planted=0.5)

    def again(seed: int) -> dict[str, Any]:
        encoder.load_state_dict(before)
        return weights(tune(encoder, renderer, lessons(), {"made": 1.0}, seed, recipe))

    first, same, other = again(1), again(1), again(2)
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_features_are_those_that_the_head_sees(encoder: Any, renderer: Renderer) -> None:
    group = lesson(0)
    texts = {"q": renderer.query(group.query), "d": renderer.document(group.documents[0])}
    encoded = encode(encoder, texts)
    found = states(encoder, {ids.tobytes(): ids for ids in texts.values()}, 2048)
    own = features(found[texts["q"].tobytes()], found[texts["d"].tobytes()])
    expected = pair_features(NAMES, encoded["q"], encoded["d"])
    assert own.detach().numpy() == pytest.approx(expected, abs=1e-5)


def test_half_way_is_the_middle_between_the_base_and_the_mean() -> None:
    base = {"w": torch.tensor([0.0, 4.0])}
    tuned = [{"w": torch.tensor([2.0, 4.0])}, {"w": torch.tensor([6.0, 0.0])}]
    assert half_way(base, tuned)["w"].tolist() == [2.0, 3.0]


def test_planted_words_leave_grades_and_the_rest_of_a_document_alone() -> None:
    group = lesson(0)
    changed = plant(group, 1.0, np.random.default_rng(0))
    assert changed.targets is group.targets
    for before, after in zip(group.documents, changed.documents, strict=True):
        rest = after["body"].replace(group.query, "").split()
        assert rest == before["body"].split()
        assert 1 <= after["body"].count(group.query) <= 3
    assert plant(group, 0.0, np.random.default_rng(0)) == group
