"""The tools, each as its own documentation says to use it; libraries are imported by their tool.

An engine is made of the network's folder and gives float64 [texts]: the expected grade, 0 to 3.
Tools that know nothing of grades answer with a logit, and the labeler's head makes the grade.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .texts import LONGEST, Text

__all__ = ["ENGINES", "FLASHRANK", "REFERENCE", "Engine", "small_onnx"]

FLASHRANK = {"fp32": "ms-marco-MiniLM-L-12-v2", "int8": "rank-T5-flan"}
"""It loads names of a list of its own: any two stand for the two files of this network."""
Engine = Callable[[Sequence[Text]], npt.NDArray[np.float64]]
BATCH = 32
"""Sentence Transformers' default; the pipeline's is 1, and slower."""


def relevance_eval(folder: Path, precision: str) -> Engine:
    from relevance_eval.evaluators.document import Document
    from relevance_eval.evaluators.labelers.load import load_labeler
    from relevance_eval.evaluators.pair import Pair
    from relevance_eval.evaluators.query import Query

    labeler = load_labeler(str(folder / "labelers" / precision))

    def run(texts: Sequence[Text]) -> npt.NDArray[np.float64]:
        pairs = [
            Pair(Query(str(i), text.query), Document(str(i), {"body": text.document}))
            for i, text in enumerate(texts)
        ]
        found = np.full(len(pairs), np.nan)
        for position, judgment in labeler.label(pairs):
            found[position] = judgment.expected
        return found

    return run


def graded(folder: Path, score: Engine) -> Engine:
    """An engine out of one that gives logits."""
    from relevance_eval.evaluators.labelers.manifest import read_manifest

    head = read_manifest(folder / "labelers" / "fp32" / "labeler.json").ordinal_head()

    def run(texts: Sequence[Text]) -> npt.NDArray[np.float64]:
        probabilities = head.probabilities(score(texts)[:, np.newaxis])
        return probabilities @ np.arange(probabilities.shape[1])

    return run


def sentence_transformers(folder: Path, backend: str, **options: Any) -> Engine:
    import torch
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(
        str(folder / "hf"),
        backend=backend,
        device="cpu",
        max_length=LONGEST,
        activation_fn=torch.nn.Identity(),
        model_kwargs=options,
    )

    def run(texts: Sequence[Text]) -> npt.NDArray[np.float64]:
        pairs = [(text.query, text.document) for text in texts]
        return np.asarray(model.predict(pairs, batch_size=BATCH), dtype=np.float64)

    return graded(folder, run)


def sentence_transformers_bf16(folder: Path) -> Engine:
    import torch

    return sentence_transformers(folder, "torch", torch_dtype=torch.bfloat16)


def flashrank(folder: Path, precision: str) -> Engine:
    """One query at a time, its passages in one batch: it has no other way."""
    from flashrank import Ranker, RerankRequest

    name = FLASHRANK[precision]
    ranker = Ranker(name, cache_dir=str(folder / "flashrank"), max_length=LONGEST)

    def run(texts: Sequence[Text]) -> npt.NDArray[np.float64]:
        found = np.empty(len(texts))
        queries: dict[str, list[int]] = {}
        for position, text in enumerate(texts):
            queries.setdefault(text.query, []).append(position)
        for query, positions in queries.items():
            passages = [{"id": p, "text": texts[p].document} for p in positions]
            for answer in ranker.rerank(RerankRequest(query=query, passages=passages)):
                chance = float(answer["score"])
                found[answer["id"]] = np.log(chance) - np.log1p(-chance)
        return found

    return graded(folder, run)


def pipeline(folder: Path, file: str) -> Engine:
    from optimum.onnxruntime import ORTModelForSequenceClassification
    from transformers import AutoTokenizer, pipeline

    model = ORTModelForSequenceClassification.from_pretrained(
        folder / "hf", subfolder="onnx", file_name=file
    )
    made = pipeline(
        "text-classification",
        model=model,
        tokenizer=AutoTokenizer.from_pretrained(folder / "hf"),
        function_to_apply="none",
    )

    def run(texts: Sequence[Text]) -> npt.NDArray[np.float64]:
        pairs = [{"text": text.query, "text_pair": text.document} for text in texts]
        answers = made(pairs, batch_size=BATCH, truncation=True, max_length=LONGEST)
        return np.array([answer["score"] for answer in answers])

    return graded(folder, run)


def small_onnx(folder: Path) -> str:
    """The int8 file that Sentence Transformers wrote for AVX2."""
    return f"onnx/{next((folder / 'hf' / 'onnx').glob('*8_avx2.onnx')).name}"


REFERENCE = "Sentence Transformers, torch fp32"
ENGINES: dict[str, Callable[[Path], Engine]] = {
    "relevance-eval, fp32": lambda f: relevance_eval(f, "fp32"),
    "relevance-eval, int8": lambda f: relevance_eval(f, "int8"),
    "relevance-eval, int8-static": lambda f: relevance_eval(f, "int8-static"),
    REFERENCE: lambda f: sentence_transformers(f, "torch"),
    "Sentence Transformers, torch bf16": sentence_transformers_bf16,
    "Sentence Transformers, ONNX fp32": lambda f: sentence_transformers(
        f, "onnx", file_name="onnx/model.onnx"
    ),
    "Sentence Transformers, ONNX int8": lambda f: sentence_transformers(
        f, "onnx", file_name=small_onnx(f)
    ),
    "Sentence Transformers, OpenVINO fp32": lambda f: sentence_transformers(
        f, "openvino", file_name="openvino/openvino_model.xml"
    ),
    "Sentence Transformers, OpenVINO int8": lambda f: sentence_transformers(
        f, "openvino", file_name="openvino/openvino_model_int8.xml"
    ),
    "FlashRank, fp32": lambda f: flashrank(f, "fp32"),
    "FlashRank, int8": lambda f: flashrank(f, "int8"),
    "Optimum pipeline, fp32": lambda f: pipeline(f, "model.onnx"),
    "Optimum pipeline, int8": lambda f: pipeline(f, Path(small_onnx(f)).name),
}
"""By name: what makes an engine of the network's folder."""
