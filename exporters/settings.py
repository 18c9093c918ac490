"""Tables of the configuration file that say how a labeler is made."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from relevance_eval.plugin.settings import MineSettings, Settings

__all__ = [
    "Endpoint",
    "ExportSettings",
    "Kind",
    "Precision",
    "Price",
    "SynthesizeSettings",
    "TeachSettings",
    "TrainSettings",
    "TrainingSettings",
]

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]
Price = Annotated[float, Field(ge=0)]
Precision = Literal["int8", "int8-static", "int8-weights", "int4", "fp16", "fp32"]
Kind = Literal["topic", "question", "author", "file_name", "folder", "acronym", "typo"]


def is_place(url: str) -> bool:
    """Whether it names a host, and a port if any, that can be connected to."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


class Endpoint(Settings):
    """A language model behind an OpenAI-compatible server, and what it may be asked for.

    Attributes:
        model: name that the server knows it by; the deployment's name on Azure.
        base_url: such as `http://127.0.0.1:8080/v1`; OpenAI's own if unset.
        azure_api_version: makes base_url the address of an Azure OpenAI resource.
        api_key_env: name of the environment variable with the key; none for a server that needs
            none.
        concurrency: requests at a time.
        requests_per_minute, tokens_per_minute: rate limits; none for no limit.
        timeout: seconds for one request.
        retries: further tries after 408, 409, 429, 5xx and time-outs.
        pause: seconds before the first retry, doubled before each further one, 60 at most; a
            Retry-After of the server is obeyed.
        input_price, output_price: of a million tokens, in any one currency.
        max_requests, max_tokens, max_cost: budget of one command, or of one step of `distill`; none
            for no limit.
    """

    model: str
    base_url: str | None = None
    azure_api_version: str | None = None
    api_key_env: str | None = None
    concurrency: Annotated[int, Field(ge=1, le=256)] = 4
    requests_per_minute: Annotated[float, Field(gt=0)] | None = None
    tokens_per_minute: Annotated[float, Field(gt=0)] | None = None
    timeout: Annotated[float, Field(gt=0)] = 60.0
    retries: Annotated[int, Field(ge=0, le=20)] = 4
    pause: Annotated[float, Field(ge=0)] = 1.0
    input_price: Price = 0.0
    output_price: Price = 0.0
    max_requests: Count | None = None
    max_tokens: Count | None = None
    max_cost: Annotated[float, Field(gt=0)] | None = None

    @field_validator("api_key_env")
    @classmethod
    def no_secret(cls, name: str | None) -> str | None:
        """A secret that was put here by mistake is refused, and not repeated in a message."""
        if name is not None and not VARIABLE.fullmatch(name):
            raise ValueError("the name of an environment variable is needed, not what it holds")
        return name

    @field_validator("base_url")
    @classmethod
    def plain_url(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"https?://", url):
            raise ValueError("base_url begins with http:// or https://")
        if url is not None and "@" in url:
            raise ValueError("no secrets in base_url: use api_key_env")
        if url is not None and not is_place(url):
            raise ValueError("base_url needs a host, and perhaps a port of 1 to 65535")
        return url

    @model_validator(mode="after")
    def priced(self) -> Endpoint:
        if self.max_cost is not None and not self.input_price + self.output_price:
            raise ValueError("max_cost needs input_price and output_price")
        if self.azure_api_version is not None and self.base_url is None:
            raise ValueError("azure_api_version needs base_url, the resource's address")
        return self


class SynthesizeSettings(Settings):
    """How queries are written.

    Attributes:
        endpoint: name of the endpoint that writes them; none for extractive queries.
        documents: seed documents sampled from the index.
        per_document: queries asked for of each.
        kinds: of queries, in the order asked for; those that a document cannot have (no author)
            are left out for it.
        temperature: of the model, 0 to 2.
        answer_tokens: that an answer may have for each query; more for a model that thinks before
            it answers.
        max_characters: of a document that the model is shown, from its beginning.
        shortest: characters of the body below which a document is no seed.
        date: index field of a document's age, for the sample to be even in; none for the
            mapping's own.
        leak: likeness to the title from which a query counts as a copy of it (twice the words that
            both have in one order, over the words of both); 0 to 1, 1 for exact copies only.
        near_duplicate: similarity of two queries (Jaccard over character trigrams) from which the
            later one is dropped, 0 to 1.
        answered: share of a query's words, by weight, that the seed document must hold, 0 to 1;
            0 for no rule.
    """

    endpoint: str | None = None
    documents: Count = 100
    per_document: Count = 3
    kinds: tuple[Kind, ...] = (
        "topic",
        "question",
        "author",
        "file_name",
        "folder",
        "acronym",
        "typo",
    )
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    answer_tokens: Annotated[int, Field(ge=16, le=100_000)] = 48
    max_characters: Annotated[int, Field(ge=100, le=100_000)] = 4000
    shortest: Count = 20
    date: str | None = None
    leak: Annotated[float, Field(gt=0, le=1)] = 0.9
    near_duplicate: Annotated[float, Field(gt=0, le=1)] = 0.8
    answered: Annotated[float, Field(ge=0, le=1)] = 0.3


class TeachSettings(Settings):
    """How a teacher grades.

    Attributes:
        endpoint: name of the endpoint that grades.
        guidelines: text file with words on relevance in this organisation, shown to the teacher
            beside the scale; none for the scale alone.
        max_characters: of a document that are shown, from its beginning.
        logprobs: grades from the probabilities of the answer's tokens. `auto` tries, and falls
            back to the answer's text; `require` fails without them; `never` does not ask.
        least_mass: probability that the four grades must have together, at the place of the grade,
            for an answer to count, 0 to 1. With less, the model would rather have said something
            else; small models often would.
        answer_tokens: that an answer may have; more for a model that thinks before it answers.
    """

    endpoint: str | None = None
    guidelines: Path | None = None
    max_characters: Annotated[int, Field(ge=100, le=100_000)] = 4000
    logprobs: Literal["auto", "require", "never"] = "auto"
    least_mass: Annotated[float, Field(ge=0, le=1)] = 0.5
    answer_tokens: Annotated[int, Field(ge=16, le=100_000)] = 32


class TrainSettings(Settings):
    """How a student learns.

    Attributes:
        kind: `encoder` reads query and document together and answers with four logits; `decoder`
            answers by the probabilities of its grade tokens.
        base: a folder, owner/name of a model hub, a .gguf file (decoder), or `minilm` for the
            MiniLM encoder of a package that the extra `train` installs.
        lora_rank: rank of the adapters (`peft`); 0 trains all weights.
        epochs: passes over the data at most; early stopping may end before.
        batch: pairs in a step.
        rate: peak learning rate; none for the kind's default (5e-5 encoder, 2e-4 with adapters,
            2e-5 decoder without).
        warmup: share of the steps in which the rate rises, 0 to 1.
        weight_decay: of AdamW.
        cross_entropy, ordinal, margin: weights of the three terms of the loss.
        field_dropout: chance that a metadata field is left out of a document, 0 to 1.
        people_weight: of a human grade beside a teacher's 1, above 0.
        holdout: share of the queries (with all that were written about the same document) that is
            kept for early stopping, calibration and figures, 0 to 1.
        people_holdout: the same of the queries that have grades by people.
        patience: evaluations without gain after which training stops.
        evaluations: of held-out agreement in one epoch.
        max_tokens: of query and document together.
        precision: `auto` is bf16 where the hardware is fast at it, else fp32.
        threads: of the processor; 0 for one a core.
    """

    kind: Literal["encoder", "decoder"] = "encoder"
    base: str = "minilm"
    lora_rank: Annotated[int, Field(ge=0, le=512)] = 0
    epochs: Count = 3
    batch: Count = 32
    rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    warmup: Share = 0.1
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    cross_entropy: Weight = 1.0
    ordinal: Weight = 0.5
    margin: Weight = 0.5
    field_dropout: Share = 0.1
    people_weight: Annotated[float, Field(gt=0)] = 3.0
    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.15
    people_holdout: Annotated[float, Field(gt=0, lt=1)] = 0.3
    patience: Count = 3
    evaluations: Count = 2
    max_tokens: Annotated[int, Field(ge=32, le=8192)] = 256
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    threads: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def some_loss(self) -> TrainSettings:
        if not self.cross_entropy + self.ordinal + self.margin:
            raise ValueError("one of cross_entropy, ordinal and margin must be above 0")
        return self


class ExportSettings(Settings):
    """How a student becomes an ONNX labeler.

    Attributes:
        precision: `int8` rounds weights and activations, these by ranges found anew in each batch;
            `int8-static` by ranges that some held-out pairs gave once, for encoders, and is the
            fastest with ONNX Runtime's OpenVINO provider; `int8-weights` stores weights as int8
            and computes in float32, `int4` stores a decoder's weights by blocks, `fp16` is for a
            GPU, `fp32` is as trained.
        max_difference: largest difference of an expected grade from PyTorch's that is accepted,
            in grades.
        max_flips: share of held-out pairs whose named grade may change, 0 to 1.
        max_loss: of quadratic kappa on held-out pairs, against PyTorch's.
        pairs: held-out pairs that these are measured on, at most; none of them gave a range.
        name: of the labeler, for people; the folder's name if unset.
        license: note for the model card, on the terms of base model, teacher and data.
    """

    precision: Precision = "int8"
    max_difference: Annotated[float, Field(gt=0, le=3)] = 0.25
    max_flips: Annotated[float, Field(ge=0, le=1)] = 0.15
    max_loss: Annotated[float, Field(ge=0, le=2)] = 0.02
    pairs: Count = 400
    name: str | None = None
    license: str = "not stated"


class TrainingSettings(Settings):
    """From an index to a labeler: the steps of `distill`, in order.

    Attributes:
        folder: where the steps leave their files; none for one beside the judgment store.
        people: TREC qrels by people on the configured query set, if there are any: a part is
            learned from, the rest is for calibration and figures.
        seed: of sampling, splitting and training.
    """

    folder: Path | None = None
    people: Path | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    synthesize: SynthesizeSettings = Field(default_factory=SynthesizeSettings)
    mine: MineSettings = Field(default_factory=MineSettings)
    teach: TeachSettings = Field(default_factory=TeachSettings)
    train: TrainSettings = Field(default_factory=TrainSettings)
    export: ExportSettings = Field(default_factory=ExportSettings)

    @model_validator(mode="after")
    def fitting(self) -> TrainingSettings:
        if self.train.kind == "decoder" and self.export.precision == "int8-static":
            raise ValueError(
                "a decoder has no int8-static form: choose another precision in [training.export]"
            )
        return self
