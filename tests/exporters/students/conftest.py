"""Base models small enough to learn within seconds, and grades that can be learned."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from relevance_eval.evaluators.document import Document
from relevance_eval.evaluators.example import Example
from relevance_eval.evaluators.judgment import Judgment
from relevance_eval.evaluators.pair import Pair
from relevance_eval.evaluators.query import Query

WORDS = [f"w{n}" for n in range(8)]
LABELS = ["title:", "author:", "file:", "path:"]


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers with random weights, in Hugging Face's layout."""
    torch = pytest.importorskip("torch", reason="needs relevance-eval[train]")
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, *LABELS]
    tokenizer = Tokenizer(models.WordLevel({w: n for n, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)]
    )
    folder = tmp_path_factory.mktemp("tiny-encoder")
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=128,
        initializer_range=0.1,
        hidden_dropout_prob=0.02,
        attention_probs_dropout_prob=0.02,
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of one layer with random weights, and a tokenizer with a chat template."""
    torch = pytest.importorskip("torch", reason="needs relevance-eval[train]")
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = ["?", *WORDS, *LABELS, *"0123", "Query:", "Document:", "system", "user", "assistant"]
    tokenizer = Tokenizer(models.WordLevel({w: n for n, w in enumerate(words)}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken("<s>", special=True), AddedToken("</s>")])
    folder = tmp_path_factory.mktemp("tiny-decoder")
    chat = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    chat.chat_template = (
        "{% for m in messages %}<s>{{ m.role }}\n{{ m.content }}</s>\n{% endfor %}"
        "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
    )
    chat.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        initializer_range=0.1,
        bos_token_id=tokenizer.token_to_id("<s>"),
        eos_token_id=tokenizer.token_to_id("</s>"),
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def overlapping() -> Callable[..., list[Example]]:
    """Graded examples: a query of two words, and documents with none, one or both of them.

    Both make grade 3, one grade 1, none grade 0. Each query has a seed document of its own.
    """

    def make(queries: int, documents: int, labeler: str = "teacher") -> list[Example]:
        draw = random.Random(0)
        asked = list(itertools.permutations(WORDS, 2))
        draw.shuffle(asked)
        found: list[Example] = []
        for number, words in enumerate(asked[:queries]):
            query = Query(f"q{number}", " ".join(words))
            others = [w for w in WORDS if w not in words]
            for place in range(documents):
                shared = place % 3
                text = [*draw.sample(words, shared), *draw.sample(others, 3 - shared)]
                draw.shuffle(text)
                document = Document(f"q{number}d{place}", {"body": " ".join(text)})
                judgment = Judgment.certain(labeler, (0, 1, 3)[shared])
                pair = Pair(query, document)
                found.append(Example(pair, "bm25 1-10", f"s{number}", judgment=judgment))
        return found

    return make
