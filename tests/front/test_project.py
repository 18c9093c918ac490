"""Names in a configuration that lead nowhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from relevance_eval.errors import (
    ConfigError,
    LabelerError,
    RelevanceEvalError,
    TemplateError,
    UsageError,
)
from relevance_eval.project import Project, open_project

Write = Callable[[str], Path]
Use = Callable[[Project], object]


@pytest.mark.parametrize(
    ("rankers", "asked", "remedy"),
    [
        ("[rankers.bm25]\ntemplate = 'b.json'\n", "bm52", "did you mean bm25?"),
        (
            "[rankers.bm25]\ntemplate = 'b.json'\n[rankers.fields]\ntemplate = 'f.json'\n",
            "xyz",
            "configured: bm25, fields",
        ),
        ("", "bm25", "no ranker is configured"),
    ],
)
def test_an_unknown_ranker(configured: Write, rankers: str, asked: str, remedy: str) -> None:
    project = open_project(configured(rankers))
    with pytest.raises(UsageError, match=f"there is no ranker '{asked}'") as caught:
        project.ranker(asked)
    assert caught.value.remedy == remedy


EMBEDDER = "[embedders.bge]\nmodel = 'models/bge'\n"


@pytest.mark.parametrize(
    ("text", "use", "said"),
    [
        (
            EMBEDDER + "[rankers.v]\ntemplate = 'v.json'\nembedder = 'bgee'\n",
            lambda p: p.ranker("v"),
            ["there is no embedder 'bgee'", "did you mean bge?"],
        ),
        (
            EMBEDDER,
            lambda p: p.embedder("bge"),
            ["models/bge: the embedder's model.onnx is not there", "maven:GROUP:ARTIFACT:VERSION"],
        ),
        (
            "[rankers.h]\nfuse = ['b', 'a']\n[rankers.a]\ntemplate = 'v.json'\n",
            lambda p: p.ranker("h"),
            ["there is no ranker 'b'", "configured: a, h"],
        ),
        (
            "[rankers.h]\nfuse = ['g', 'a']\n[rankers.g]\nfuse = ['a', 'b']\n",
            lambda p: p.ranker("h"),
            ["[rankers.h] fuse: g is fused itself"],
        ),
        (
            "[rankers.v]\ntemplate = 'v.json'\n",
            lambda p: p.ranker("v"),
            ["v.json: uses {{query_vector}}", "set embedder in [rankers.v]"],
        ),
        (
            "[rankers.v]\ntemplate = 'missing.json'\n",
            lambda p: p.ranker("v"),
            ["missing.json: there is no such template"],
        ),
        (
            "[compare]\ndepth = 5\n",
            lambda p: p.plan(),
            ["[compare]: a measure looks at 10 hits, and depth = 5", "set depth = 10"],
        ),
        (
            "[compare]\nmeasures = ['nDGC@10']\n",
            lambda p: p.plan(),
            ["'nDGC@10' is not a measure", "EnDCG@k, nDCG@k"],
        ),
        (
            "labeler = 'bultin'\n",
            lambda p: p.labeler(),
            [
                "there is no labeler 'bultin'",
                "use 'builtin', a folder, owner",
                "endpoint:NAME or peo",
            ],
        ),
    ],
)
def test_a_name_that_leads_nowhere(
    configured: Write, tmp_path: Path, text: str, use: Use, said: list[str]
) -> None:
    (tmp_path / "v.json").write_text('{"knn": {"query_vector": "{{query_vector}}"}}')
    project = open_project(configured(text))
    with pytest.raises(RelevanceEvalError) as caught:
        use(project)
    assert caught.value.exit_code == 2
    for words in said:
        assert words in str(caught.value)


def test_a_broken_template_names_file_line_and_placeholder(
    configured: Write, tmp_path: Path
) -> None:
    (tmp_path / "b.json").write_text('{\n  "query": {\n    "match": {"body": "{{qeury}}"}\n  }\n}')
    project = open_project(configured("[rankers.b]\ntemplate = 'b.json'\n"))
    with pytest.raises(
        TemplateError, match=r"nothing fills the placeholder \{\{qeury\}\}"
    ) as caught:
        project.ranker("b")
    assert caught.value.where == f"{tmp_path / 'b.json'}:3"
    assert "known here: k, query, query_vector" in (caught.value.remedy or "")


def test_a_secret_that_is_not_set(configured: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    text = "[elasticsearch]\nurl = 'http://127.0.0.1:9'\napi_key_env = 'NO_SUCH_KEY'\n"
    project = open_project(configured(text))
    with (
        pytest.raises(
            ConfigError, match="the environment variable NO_SUCH_KEY is not set"
        ) as error,
        project.client("http://127.0.0.1:9"),
    ):
        pass
    assert error.value.where == "[elasticsearch] api_key_env"
    assert error.value.remedy == "export NO_SUCH_KEY=… before running"


def test_paths_begin_in_the_folder_of_the_configuration(
    configured: Write, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = open_project(configured("[queries]\nfile = 'queries.jsonl'\n"))
    monkeypatch.chdir("/")
    assert [q.id for q in project.queries()] == ["q1", "q2"]
    assert project.home == folder / ".relevance-eval"


def test_a_labelers_folder_begins_where_its_name_stands(
    configured: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configuration's in its folder, the command line's in the working one."""
    project = open_project(configured("labeler = 'mine'\n[compare]\nforecaster = 'cheap'\n"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for use, place in (
        (lambda: project.labeler(), tmp_path / "mine"),
        (lambda: project.labeler("mine"), tmp_path / "here" / "mine"),
        (lambda: project.thrift("exact"), tmp_path / "cheap"),
    ):
        with pytest.raises(LabelerError, match="there is no labeler") as caught:
            use()
        assert caught.value.message.endswith(f", and no folder {place}")


def test_a_seed_of_the_command_line_wins(configured: Write) -> None:
    project = open_project(configured("[compare]\nseed = 3\n"))
    assert (project.plan().seed, project.plan(7).seed, project.plan(0).seed) == (3, 7, 0)


def test_all_labels_may_be_asked_for_whatever_budget_is_configured(configured: Write) -> None:
    project = open_project(configured("[compare]\nlabels = 'exact'\nmax_labels = 9\n"))
    thrift = project.thrift()
    assert thrift
    assert thrift.budget.labels == 9
    assert project.thrift("all") is None
