"""What a model of one score is: its kind, how it reads a pair, and the labeler it would make."""

# Only some versions of tokenizers have whole types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tokenizers import Tokenizer

from relevance_eval.errors import LabelerError, UsageError
from relevance_eval.evaluators.document import DEFAULT_FIELDS
from relevance_eval.evaluators.judgment import GRADES
from relevance_eval.evaluators.labelers.bi_encoder import BiEncoder
from relevance_eval.evaluators.labelers.cross_encoder import CrossEncoder
from relevance_eval.evaluators.labelers.manifest import LabelerFolder, Manifest, add_file
from relevance_eval.exporters.rerankers.files import LONGEST, Files, Pooling, find_files
from relevance_eval.exporters.rerankers.outputs import find_output
from relevance_eval.exporters.students.frames import Frame, pair_frame

__all__ = ["Reading", "Reranker", "open_reranker"]

SCORE = ("score",)
COSINE = ("cosine",)
LATE = ("cosine", "late_square")
"""Features of an embedder with `late`: each is a similarity, so that none may count against."""
BERT = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}
"""Numbers of special tokens by which late features leave these out."""
CAPS = {"query": 64, "title": 64, "author": 16, "file_name": 32, "folder_path": 32}
SHARE = 4
"""No part but the main text has more than one token in so many."""
LEAST = 16
"""Tokens that are left for the main text, at least."""
SAMPLE = ("how do I reset it?", "A text: of words, 24 of them.")


@dataclass(frozen=True)
class Reading:
    """How a model is to read; None for what its own files say.

    Attributes:
        fields: roles of a document in the order shown, one a line.
        max_tokens: longest input in tokens, special ones included.
        pooling, query_prefix, document_prefix: of an embedder.
        late: compare an embedder's texts word by word too.
    """

    fields: Sequence[str] = ("title", "body")
    max_tokens: int | None = None
    pooling: Pooling | None = None
    query_prefix: str | None = None
    document_prefix: str | None = None
    late: bool = False


@dataclass(frozen=True)
class Reranker:
    """A model of one score, or of a few similarities, that read query and document.

    Attributes:
        features: names of what it gives for a pair.
        content: what labeler.json will hold, but for the head and the cut points.
    """

    files: Files
    features: tuple[str, ...]
    content: Mapping[str, Any]

    @property
    def key(self) -> str:
        """SHA-256 of all that its scores depend on: weights, tokenizer, and how it reads."""
        digest = hashlib.sha256()
        names = ("architecture", "frame", "max_tokens", "fields", "output", "pooling", "prefixes")
        reading = {name: self.content.get(name) for name in names} | {"features": self.features}
        digest.update(json.dumps(reading, sort_keys=True).encode())
        for path in (self.files.model, self.files.weights, self.files.tokenizer):
            if path.exists():
                add_file(digest.update, path)
        return digest.hexdigest()

    def scorer(self, threads: int = 0) -> BiEncoder | CrossEncoder:
        """What computes its features: the very code that will label, under a head that nobody asks.
        Not by OpenVINO, so that scores do not hang on what is installed.

        Raises LabelerError if it does not read a pair as its tokenizer has it.
        """
        nobody = {"center": 0.0, "scale": 1.0, "weights": 1.0}
        head = {key: [value] * len(self.features) for key, value in nobody.items()}
        head |= {"features": list(self.features), "thresholds": [0.0] * (len(GRADES) - 1)}
        manifest = Manifest.model_validate({**self.content, "head": head})
        folder = LabelerFolder(self.files.folder, manifest, "", self.files.model)
        if manifest.architecture == "bi-encoder":
            found: BiEncoder | CrossEncoder = BiEncoder(folder, threads, exact=True)
        else:
            found = CrossEncoder(folder, threads, exact=True)
        check_reading(found, self.files, manifest.prefixes or {})
        return found


def open_reranker(
    model: str,
    reading: Reading,
    *,
    beside: Path = Path(),
    name: str | None = None,
    base_name: str | None = None,
    terms: str | None = None,
) -> Reranker:
    """A model, looked at: an output of one score makes it a cross-encoder, one of token states an
    embedder whose cosine is the score.

    Args:
        model: a folder, absolute or relative to `beside`, or `owner/name[@revision]` of a hub.
        name: of the labeler, for people.
        base_name: by which relatives of the model are known; None for the folder's or the hub's.
        terms: the labeler's licence; None for the model's.

    Raises:
        LabelerError: there is no such model, or a labeler cannot read as it does.
        UsageError: `reading` does not fit the model.
    """
    files = find_files(model, beside)
    tokenizer = read_tokenizer(files)
    frame = frame_of(tokenizer, files)
    output = find_output(files.model, probe(tokenizer))
    paired = output.kind == "score"
    if paired and (reading.late or reading.pooling or prefixed(reading)):
        raise UsageError(
            "it reads query and document together: pooling, prefixes and late features are an "
            "embedder's",
            where=files.name,
            remedy="leave out --pooling, --query-prefix, --document-prefix and --late",
        )
    if reading.late and any(tokenizer.token_to_id(token) != n for token, n in BERT.items()):
        raise LabelerError(
            "late features need the vocabulary of BERT, and its tokenizer has another",
            where=files.name,
            remedy="leave out --late",
        )
    own = {} if paired else embedding(files, reading)
    prefixes: Mapping[str, str] = own.get("prefixes", {})
    around = frame if paired else frame[::2]
    content = {
        "schema": "relevance-eval/labeler/1",
        "architecture": "cross-encoder" if paired else "bi-encoder",
        "name": name or f"{files.name.rpartition('/')[2]}-calibrated",
        "frame": list(frame),
        "grades": list(GRADES),
        **read_text(files, reading, tokenizer, [*around, *prefixes.values()], paired=paired),
        "output": output.name,
        **own,
        "base": base_name or files.name,
        "made_by": f"relevance-eval {version('relevance-eval')} calibrate",
        "license": terms or f"that of {files.name}",
    }
    return Reranker(files, SCORE if paired else LATE if reading.late else COSINE, content)


def prefixed(reading: Reading) -> bool:
    return reading.query_prefix is not None or reading.document_prefix is not None


def read_tokenizer(files: Files) -> Tokenizer:
    library: Any = Tokenizer  # only some versions of it have whole types
    try:
        tokenizer: Tokenizer = library.from_file(str(files.tokenizer))
    except Exception as error:  # the library raises plain Exception
        raise LabelerError(f"not a tokenizer: {error}", where=str(files.tokenizer)) from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def frame_of(tokenizer: Tokenizer, files: Files) -> Frame:
    try:
        return pair_frame(tokenizer)
    except LabelerError as error:
        raise LabelerError(
            error.message, where=str(files.tokenizer), remedy="use an encoder of BERT's kind"
        ) from None


def probe(tokenizer: Tokenizer) -> list[int]:
    """Token ids of a pair, to see what the model gives for them."""
    return list(tokenizer.encode(*SAMPLE).ids)


def embedding(files: Files, reading: Reading) -> dict[str, Any]:
    """How an embedder's token states become a vector, and what it reads before a text.

    Raises LabelerError if neither its files nor `reading` tell the pooling: a guess would be a
    labeler that is quietly worse than its model.
    """
    if reading.pooling:
        files.check_modules()
    pooling = reading.pooling or files.pooling()
    if pooling is None:
        raise LabelerError(
            "nothing says how its token states become one vector",
            where=str(files.folder / "1_Pooling" / "config.json"),
            remedy="say --pooling mean or --pooling first, as the model's card has it",
        )
    own = files.prompts()
    given: dict[Literal["query", "document"], str | None] = {
        "query": reading.query_prefix,
        "document": reading.document_prefix,
    }
    prefixes = {role: own[role] if said is None else said for role, said in given.items()}
    kept = {role: prefix for role, prefix in prefixes.items() if prefix}
    return {"pooling": pooling, **({"prefixes": kept} if kept else {})}


def read_text(
    files: Files, reading: Reading, tokenizer: Tokenizer, around: Sequence[str], *, paired: bool
) -> dict[str, Any]:
    """`fields` and `max_tokens` of the manifest, within what the model can read at once.

    Args:
        around: what stands before, between and after the texts.

    Raises:
        LabelerError: nothing says how much that is.
        UsageError: a field has no such role, or nothing is left for the text.
    """
    unknown = [field for field in reading.fields if field not in DEFAULT_FIELDS]
    if unknown or not reading.fields:
        raise UsageError(
            f"there is no field {', '.join(unknown)}" if unknown else "no field is named",
            remedy=f"the roles of fields are {', '.join(DEFAULT_FIELDS)}",
        )
    longest = files.longest()
    limit = min(reading.max_tokens or LONGEST, longest or LONGEST)
    if longest is None and reading.max_tokens is None:
        raise LabelerError(
            "nothing says how long a text it reads",
            where=str(files.folder),
            remedy="say --max-tokens, as the model's card has it",
        )
    between = ["\n"] * (len(reading.fields) - 1)
    overhead = sum(tokens_in(tokenizer, part.rstrip(" ")) for part in [*around, *between])
    caps = shares(limit - overhead, reading.fields, paired=paired)
    return {"max_tokens": caps, "fields": [[field, ""] for field in reading.fields]}


def tokens_in(tokenizer: Tokenizer, text: str) -> int:
    """Of text, or of one special token."""
    special = tokenizer.token_to_id(text) is not None
    return 1 if special else len(tokenizer.encode(text, add_special_tokens=False).ids)


def shares(room: int, fields: Sequence[str], *, paired: bool) -> dict[str, int]:
    """Caps of the query and of each field. The main text, `body` or the last field, has what the
    others leave; read apart, query and document have the whole room each.

    Raises UsageError if that is too little.
    """
    main = "body" if "body" in fields else fields[-1]
    caps = {
        part: min(CAPS.get(part, CAPS["title"]), max(1, room // SHARE))
        for part in ("query", *fields)
        if part != main
    }
    left = room - sum(cap for part, cap in caps.items() if paired or part != "query")
    if left < LEAST:
        raise UsageError(
            f"{max(left, 0)} tokens are left for {main}; {LEAST} are needed",
            remedy="say a larger --max-tokens, or fewer fields",
        )
    return {**caps, main: left}


def check_reading(
    scorer: BiEncoder | CrossEncoder, files: Files, prefixes: Mapping[Any, str]
) -> None:
    """Raises LabelerError if the labeler's token ids are not those of the model's own tokenizer:
    it would be asked in a language that it half knows."""
    tokenizer = read_tokenizer(files)
    query, text = SAMPLE
    if isinstance(scorer, CrossEncoder):
        plain = scorer.frame.tokens.plain
        ours = [scorer.frame.framed(plain(query), plain(text))]
        theirs = [tokenizer.encode(query, text)]
        segments = "token_type_ids" in scorer.session.names
    else:
        before = {"query": scorer.before_query, "document": scorer.before_document}
        roles = list(zip(before, SAMPLE, strict=True))
        ours = [scorer.input([*before[r], *scorer.tokens.plain(t)]) for r, t in roles]
        theirs = [tokenizer.encode(prefixes.get(r, "") + t) for r, t in roles]
        segments = False
    for one, other in zip(ours, theirs, strict=True):
        same = list(one.ids) == list(other.ids)
        if not same or (segments and not np.array_equal(one.segments, other.type_ids)):
            raise LabelerError(
                "a labeler would read other tokens than the model's own tokenizer sets",
                where=str(files.tokenizer),
                remedy="use an encoder of BERT's kind, or prefixes that end with a word",
            )
