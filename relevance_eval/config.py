"""The configuration: one TOML file, each key with a type, a default and an error with its line.

Paths in it are relative to the file's folder.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from relevance_eval.errors import ConfigError, storage_error
from relevance_eval.evaluators.document import DEFAULT_FIELDS
from relevance_eval.exporters.settings import Endpoint, TrainingSettings
from relevance_eval.plugin.settings import Settings as Section

__all__ = [
    "Config",
    "ElasticsearchConfig",
    "EmbedderConfig",
    "GateConfig",
    "LoadConfig",
    "RankerConfig",
    "read_config",
]

EMBEDDED = "embedded"
DEFAULT_MEASURES = ["nDCG@10", "P@5", "P@10", "RR", "ERR@10", "Judged@10"]
Positive = Annotated[int, Field(ge=1)]
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SINGLE = ("rank_constant", "window")
IDLE = {
    "template": SINGLE,
    "stored_template": ("embedder", *SINGLE),
    "fuse": ("embedder", "timeout", "params", "index", "routing", "preference"),
}
"""Form of a ranker to the options that would do nothing in it."""
Share = Annotated[float, Field(gt=0, lt=1)]


class ElasticsearchConfig(Section):
    """Where the index is.

    Attributes:
        url: `embedded` for a node of our own, or the URL of a deployment.
        cloud_id: of Elastic Cloud, in place of the URL.
        index: index, alias or pattern that rankers search unless they name another.
        api_key_env, username_env, password_env: names of environment variables with the secrets.
        ca_file: certificate authority of the deployment, PEM.
        timeout: seconds for one request.
        heap: memory of the embedded node's JVM, such as `1g`.
    """

    url: str = EMBEDDED
    cloud_id: str | None = None
    index: str = "documents"
    api_key_env: str | None = None
    username_env: str | None = None
    password_env: str | None = None
    ca_file: Path | None = None
    timeout: Annotated[float, Field(gt=0)] = 30.0
    heap: Annotated[str, Field(pattern=r"^\d+[mg]$")] = "1g"

    @property
    def embedded(self) -> bool:
        return self.url == EMBEDDED and not self.cloud_id

    @field_validator("api_key_env", "username_env", "password_env")
    @classmethod
    def no_secret(cls, name: str | None) -> str | None:
        """A secret that was put here by mistake is refused, and not repeated in a message."""
        if name is not None and not VARIABLE.fullmatch(name):
            raise ValueError("the name of an environment variable is needed, not what it holds")
        return name

    @model_validator(mode="after")
    def whole_credentials(self) -> ElasticsearchConfig:
        if (self.username_env is None) != (self.password_env is None):
            raise ValueError("username_env and password_env go together")
        if self.url != EMBEDDED and not re.match(r"https?://", self.url):
            raise ValueError("url is 'embedded' or begins with http:// or https://")
        if "@" in self.url:
            raise ValueError("no secrets in the url: use username_env and password_env")
        return self


class LoadConfig(Section):
    """Documents that the embedded node is filled with before its first use.

    Attributes:
        documents: JSON Lines file, or `irds:NAME`.
        mapping: JSON file with the index's settings and mappings; the server's defaults if unset.
        embedder: name of the embedder whose vectors are added.
    """

    documents: str
    mapping: Path | None = None
    embedder: str | None = None


class QueriesConfig(Section):
    """The query set. `file`: JSON Lines with `id`, `text` and tags."""

    file: Path = Path("queries.jsonl")


class RankerConfig(Section):
    """A ranker: exactly one of `template`, `stored_template` and `fuse`.

    Attributes:
        template: JSON file with a query body and `{{placeholders}}`.
        stored_template: id of a search template stored on the server.
        fuse: names of rankers fused by reciprocal rank on the client's side.
        index, routing, preference: as in a search request; the index of [elasticsearch] if unset.
        timeout: that the server stops searching after, such as `2s`.
        embedder: name of the embedder that makes `{{query_vector}}`.
        params: values of further placeholders.
        rank_constant: of the fusion, 60 as in its paper.
        window: hits taken of each fused ranker.
    """

    template: Path | None = None
    stored_template: str | None = None
    fuse: list[str] | None = None
    index: str | None = None
    routing: str | None = None
    preference: str | None = None
    timeout: Annotated[str, Field(pattern=r"^\d+(ms|s|m)$")] | None = None
    embedder: str | None = None
    params: dict[str, str | int | float | bool] = Field(
        default_factory=dict[str, str | int | float | bool]
    )
    rank_constant: Positive = 60
    window: Positive = 50

    @model_validator(mode="after")
    def one_form(self) -> RankerConfig:
        forms = [form for form in IDLE if getattr(self, form) is not None]
        if len(forms) != 1:
            raise ValueError("exactly one of template, stored_template and fuse is needed")
        if self.fuse is not None and len(set(self.fuse)) < 2:
            raise ValueError("fuse names two rankers or more")
        for option in IDLE[forms[0]]:
            if option in self.model_fields_set:
                raise ValueError(f"{option} does nothing in a ranker with {forms[0]}")
        return self


def check_roles(names: Iterable[str]) -> None:
    for name in names:
        if name not in DEFAULT_FIELDS:
            known = ", ".join(DEFAULT_FIELDS)
            raise ValueError(f"there is no role {name!r}; the roles are {known}")


class EmbedderConfig(Section):
    """A sentence embedder in ONNX; the attributes are those of `EmbedderSettings`, and one more.

    Attributes:
        base: name of the model that it was made from, such as `BAAI/bge-small-en-v1.5`: a labeler
            that declares the same base may favour its rankers, and that is told.
    """

    model: str
    base: str | None = None
    pooling: Literal["mean", "cls"] = "mean"
    query_prefix: str = ""
    passage_prefix: str = ""
    fields: tuple[str, ...] = ("title", "body")
    target: str = "embedding"
    max_tokens: Annotated[int, Field(ge=1, le=512)] = 256

    @field_validator("fields")
    @classmethod
    def known_roles(cls, fields: tuple[str, ...]) -> tuple[str, ...]:
        check_roles(fields)
        return fields


class LabellingConfig(Section):
    """How labels are made, and how good they must be.

    Attributes:
        threads: processor threads of the labeler; 0 for one a core.
        bar: least quadratic-weighted kappa with people on an audit, -1 to 1. A labeler whose whole
            95 % interval lies below it is not trusted: `compare` gives no verdict, and `gate`
            exits with 4, unless the audit's corrected figures decide.
    """

    threads: Annotated[int, Field(ge=0)] = 0
    bar: Annotated[float, Field(ge=-1, le=1)] = 0.2


class PullConfig(Section):
    """The load put on the cluster.

    Attributes:
        batch: searches in one request.
        in_flight: requests at a time.
        retries: further tries after 429, 502, 503, 504 and time-outs.
        pause: seconds before the first retry, doubled before each further one; 30 at most.
    """

    batch: Annotated[int, Field(ge=1, le=500)] = 20
    in_flight: Annotated[int, Field(ge=1, le=32)] = 2
    retries: Annotated[int, Field(ge=0, le=20)] = 4
    pause: Annotated[float, Field(ge=0)] = 0.5


class CompareConfig(Section):
    """What is measured and how a verdict is reached.

    Attributes:
        depth: hits pulled and graded for each query.
        primary: the measure that the verdict rests on.
        measures: shown beside it.
        relevant: lowest grade that is relevant, for P, R, RR and AP.
        gain: of EnDCG: `linear` (the grade) or `exponential` (2^grade - 1).
        no_gain: queries for which nothing found has any gain count as `zero`, or `skip` them.
        alpha: accepted chance of a false alarm over all rankers compared.
        margin: difference of the primary measure that users would not notice; 0 for none.
        correction: of p-values over several rankers: `maxt` uses how they depend, `holm` does not.
        target: a difference of the primary measure; how many queries would show it is told.
        permutations: random sign patterns of the permutation test.
        resamples: bootstrap samples of the interval of a difference.
        label_draws: sets of labels drawn from the grade distributions, 2 or more; 0 takes labels as
            certain.
        seed: of the permutation test, the bootstrap and the drawing of labels.
        labels: `all` grades the whole pool; `exact` stops when no other labels could change a
            verdict; `decisive` draws those that matter most, and stops when the others would not,
            with a chance of 98 %.
        max_labels: that `exact` and `decisive` may ask for, beside those of pairs that people
            graded for an audit; none for no limit.
        max_minutes: after which they ask for no more; none for no limit.
        forecaster: a labeler that costs next to nothing beside the one that counts, such as
            `builtin`: its grades of all pairs forecast the labels that `decisive` does not buy.
        audit: file of the random sample that people graded, of `audit draw`; their grades come by
            --qrels.
    """

    depth: Annotated[int, Field(ge=1, le=1000)] = 10
    primary: str = "EnDCG@10"
    measures: list[str] = Field(default_factory=lambda: list(DEFAULT_MEASURES))
    relevant: Annotated[int, Field(ge=1, le=3)] = 2
    gain: Literal["linear", "exponential"] = "linear"
    no_gain: Literal["zero", "skip"] = "zero"
    alpha: Share = 0.05
    margin: Annotated[float, Field(ge=0, lt=1)] = 0.01
    correction: Literal["holm", "maxt"] = "maxt"
    target: Share = 0.01
    permutations: Annotated[int, Field(ge=100, le=10_000_000)] = 10_000
    resamples: Annotated[int, Field(ge=1000, le=1_000_000)] = 10_000
    label_draws: Annotated[int, Field(ge=0, le=100_000)] = 1000
    seed: Annotated[int, Field(ge=0)] = 0
    labels: Literal["all", "exact", "decisive"] = "all"
    max_labels: Positive | None = None
    max_minutes: Annotated[float, Field(gt=0)] | None = None
    forecaster: str | None = None
    audit: Path | None = None

    @field_validator("label_draws")
    @classmethod
    def draws_that_spread(cls, draws: int) -> int:
        if draws == 1:
            raise ValueError("one set of labels has no spread: 0 for none, or 2 or more")
        return draws

    @model_validator(mode="after")
    def budget_that_counts(self) -> CompareConfig:
        """A budget that nothing keeps to is refused: all labels might be bought for much more."""
        for budget in ("max_labels", "max_minutes"):
            if self.labels == "all" and getattr(self, budget) is not None:
                raise ValueError(
                    f"{budget} does nothing where all labels are bought: "
                    'set labels = "decisive" or "exact" as well'
                )
        return self


class GateConfig(Section):
    """What `gate` asks of a ranker.

    Attributes:
        measure: that decides; the primary one of [compare] if unset.
        direction: `better` than the baseline, or `not worse` by the margin or more.
        margin: in the measure's unit; that of [compare] if unset.
        slices: a tag, or `tag=value`: parts of the query set on which no loss may show.
        latency_ms: highest 95th percentile of the server's milliseconds for a query.
        latency_ratio: highest ratio of that to the baseline's.
        zero_results: highest share of queries without hits, 0 to 1.
        unanswered: share of queries, 0 to 1, that may be left out since a search failed.
        inconclusive: what a result that decides nothing means: `exit 3`, `fail` or `pass`.
    """

    measure: str | None = None
    direction: Literal["better", "not worse"] = "not worse"
    margin: Annotated[float, Field(ge=0, lt=1)] | None = None
    slices: list[str] = Field(default_factory=list[str])
    latency_ms: Annotated[float, Field(gt=0)] | None = None
    latency_ratio: Annotated[float, Field(gt=0)] | None = None
    zero_results: Annotated[float, Field(ge=0, le=1)] | None = None
    unanswered: Annotated[float, Field(ge=0, le=1)] = 0.05
    inconclusive: Literal["exit 3", "fail", "pass"] = "exit 3"


class Config(Section):
    """The whole file.

    Attributes:
        labeler: `builtin`, a folder, `owner/name` of a model hub, `endpoint:NAME` for a
            language model of [endpoints], or `people`, who are given sheets to fill in.
        training: how `distill` and its steps make a labeler out of the index.
        endpoints: language models that write queries or grade.
        documents: which index field plays which role; roles that are not named are not read.
    """

    labeler: str = "builtin"
    elasticsearch: ElasticsearchConfig = Field(default_factory=ElasticsearchConfig)
    load: LoadConfig | None = None
    queries: QueriesConfig = Field(default_factory=QueriesConfig)
    documents: dict[str, str] = Field(default_factory=lambda: dict(DEFAULT_FIELDS))
    labelling: LabellingConfig = Field(default_factory=LabellingConfig)
    pull: PullConfig = Field(default_factory=PullConfig)
    compare: CompareConfig = Field(default_factory=CompareConfig)
    gate: GateConfig = Field(default_factory=GateConfig)
    rankers: dict[str, RankerConfig] = Field(default_factory=dict[str, RankerConfig])
    embedders: dict[str, EmbedderConfig] = Field(default_factory=dict[str, EmbedderConfig])
    endpoints: dict[str, Endpoint] = Field(default_factory=dict[str, Endpoint])
    training: TrainingSettings = Field(default_factory=TrainingSettings)

    @field_validator("documents")
    @classmethod
    def known_roles(cls, documents: dict[str, str]) -> dict[str, str]:
        check_roles(documents)
        return documents

    @property
    def hash(self) -> str:
        """SHA-256 of the values in force, defaults included; it holds no secret."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def read_config(path: Path) -> Config:
    """Raises ConfigError with the line, what is wrong with it, and what was perhaps meant."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            "there is no such file",
            where=str(path),
            remedy="write one with: relevance-eval init, or name another with --config FILE",
        ) from None
    except UnicodeDecodeError:
        raise ConfigError("not a text file in UTF-8", where=str(path)) from None
    except OSError as error:
        raise storage_error(error, path) from error
    try:
        return Config.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}", where=str(path)) from None
    except ValidationError as error:
        raise first_problem(error, path, text) from None


def first_problem(error: ValidationError, path: Path, text: str) -> ConfigError:
    problem = error.errors()[0]
    keys = [str(part) for part in problem["loc"]]
    place = f"{path}:{line_of(keys, text)}"
    name = ".".join(keys)
    if problem["type"] == "extra_forbidden":
        return ConfigError(f"unknown key {name}", where=place, remedy=suggestion(keys))
    what = problem["msg"].removeprefix("Value error, ")
    return ConfigError(f"{name}: {what}" if name else what, where=place)


def line_of(keys: list[str], text: str) -> int:
    """The line of a key in its table; of the table if the key stands on no line of its own."""
    tables = [".".join(keys[:i]) for i in range(1, len(keys) + 1)]
    best, table = 1, ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[([^\[\]]+)\]", line)
        if header:
            table = re.sub(r"[\"']", "", header[1]).strip()
            best = number if table in tables else best
        key = re.match(r"""\s*["']?([\w.-]+)["']?\s*=""", line)
        if key and (f"{table}.{key[1]}" if table else key[1]) in tables:
            best = number
    return best


def suggestion(keys: list[str]) -> str | None:
    known = known_keys(Config, keys[:-1])
    near = difflib.get_close_matches(keys[-1], known, n=1)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"


def known_keys(model: type[BaseModel], keys: list[str]) -> list[str]:
    """Names allowed at this place of the file."""
    if not keys:
        return sorted(model.model_fields)
    named: dict[str, type[BaseModel]] = {
        "rankers": RankerConfig,
        "embedders": EmbedderConfig,
        "endpoints": Endpoint,
    }
    if keys[0] in named:
        return known_keys(named[keys[0]], keys[2:])
    field: Any = model.model_fields[keys[0]].annotation
    options = [field, *getattr(field, "__args__", ())]
    inner = next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)
    return known_keys(inner, keys[1:]) if inner else []
