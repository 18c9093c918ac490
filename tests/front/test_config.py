"""What a configuration that is wrong says: file and line, the key, and what was perhaps meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from relevance_eval.config import Config, read_config
from relevance_eval.errors import ConfigError

Write = Callable[[str], Path]


@pytest.mark.parametrize(
    ("text", "line", "key", "remedy"),
    [
        ('# first\nlabeller = "builtin"', 2, "labeller", "did you mean labeler?"),
        ("[comparison]\ndepth = 5", 1, "comparison", "did you mean compare?"),
        ("[compare]\n# how deep\ndeph = 5", 3, "compare.deph", "did you mean depth?"),
        ("[load]\ndocuments = 'c'\nmappings = 'm'", 3, "load.mappings", "did you mean mapping?"),
        ("[rankers.a]\ntemplat = 'a.json'", 2, "rankers.a.templat", "did you mean template?"),
        (
            "[rankers.a]\ntemplate = 'a'\n[rankers.'b']\ntemplate = 'b'\nrooting = 'x'",
            5,
            "rankers.b.rooting",
            "did you mean routing?",
        ),
        ("[embedders.e]\nmodel = 'm'\npoolin = 'cls'", 3, "embedders.e.poolin", "pooling?"),
        ("[pull]\nxyzzy = 1", 2, "pull.xyzzy", "known here: batch, in_flight, pause, retries"),
        ("compare = { depht = 5 }", 1, "compare.depht", "did you mean depth?"),
    ],
)
def test_a_key_that_is_not_known(
    configured: Write, text: str, line: int, key: str, remedy: str
) -> None:
    path = configured(text)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert caught.value.where == f"{path}:{line}"
    assert caught.value.message == f"unknown key {key}"
    assert remedy in (caught.value.remedy or "")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("\nlabeler = 3", 2, "labeler: Input should be a valid string"),
        ("[compare]\nalpha = 0.05\ndepth = 'ten'", 3, "compare.depth: Input should be a valid int"),
        ("[compare]\nmeasures = 'nDCG@10'", 2, "compare.measures: Input should be a valid list"),
        ("[compare]\ndepth = 0", 2, "compare.depth: Input should be greater than or equal to 1"),
        ("[compare]\nalpha = 1.0", 2, "compare.alpha: Input should be less than 1"),
        ("[compare]\nrelevant = 4", 2, "compare.relevant: Input should be less than or equal to 3"),
        ("[compare]\nlabel_draws = 1", 2, "compare.label_draws: one set of labels has no spread"),
        (
            "[compare]\nmax_labels = 100",
            1,
            "compare: max_labels does nothing where all labels are bought: set labels =",
        ),
        (
            "[compare]\nlabels = 'all'\nmax_minutes = 5",
            1,
            "compare: max_minutes does nothing where all labels are bought",
        ),
        ("[compare]\nno_gain = 'one'", 2, "compare.no_gain: Input should be 'zero' or 'skip'"),
        ("[elasticsearch]\nheap = '1t'", 2, "elasticsearch.heap: String should match pattern"),
        ("[embedders.e]\npooling = 'cls'", 1, "embedders.e.model: Field required"),
        (
            "[training.train]\nkind = 'decoder'\n[training.export]\nprecision = 'int8-static'",
            1,
            "training: a decoder has no int8-static form",
        ),
        (
            "[embedders.e]\nmodel = 'm'\nfields = ['heading']",
            3,
            "embedders.e.fields: there is no role 'heading'; the roles are title, author",
        ),
        ("rankers = 3", 1, "rankers: Input should be a valid dictionary"),
    ],
)
def test_a_value_that_does_not_do(configured: Write, text: str, line: int, said: str) -> None:
    path = configured(text)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert caught.value.where == f"{path}:{line}"
    assert caught.value.message.startswith(said)


@pytest.mark.parametrize("key", ["api_key_env", "username_env", "password_env"])
def test_a_secret_in_place_of_a_variables_name_is_not_repeated(configured: Write, key: str) -> None:
    path = configured(f"[elasticsearch]\n{key} = 'aHVudGVyMg=='\n")
    with pytest.raises(ConfigError, match="the name of an environment variable is") as caught:
        read_config(path)
    assert caught.value.where == f"{path}:2"
    assert caught.value.message.startswith(f"elasticsearch.{key}: ")
    assert "aHVudGVyMg" not in str(caught.value)


IDLE = [
    ("template = 'a.json'", "window = 20"),
    ("template = 'a.json'", "rank_constant = 60"),
    ("stored_template = 's'", "embedder = 'e'"),
    ("stored_template = 's'", "window = 20"),
    ("fuse = ['a', 'b']", "embedder = 'e'"),
    ("fuse = ['a', 'b']", "timeout = '2s'"),
    ("fuse = ['a', 'b']", "params = { x = 1 }"),
    ("fuse = ['a', 'b']", "index = 'i'"),
    ("fuse = ['a', 'b']", "routing = 'r'"),
    ("fuse = ['a', 'b']", "preference = 'p'"),
]


@pytest.mark.parametrize(("form", "option"), IDLE)
def test_an_option_that_would_do_nothing(configured: Write, form: str, option: str) -> None:
    said = f"{option.split()[0]} does nothing in a ranker with {form.split()[0]}"
    with pytest.raises(ConfigError, match=f"rankers.x: {said}"):
        read_config(configured(f"[rankers.x]\n{form}\n{option}\n"))


ONE_FORM = "exactly one of template, stored_template and fuse is needed"


@pytest.mark.parametrize(
    ("table", "key", "said"),
    [
        ("[rankers.x]\ntemplate = 'a.json'\nfuse = ['a', 'b']", "rankers.x", ONE_FORM),
        ("[rankers.x]\nindex = 'i'", "rankers.x", ONE_FORM),
        ("[rankers.x]\nfuse = ['a', 'a']", "rankers.x", "fuse names two rankers or more"),
        ("[elasticsearch]\nusername_env = 'U'", "elasticsearch", "password_env go together"),
        ("[elasticsearch]\nurl = 'localhost:9200'", "elasticsearch", "begins with http://"),
        ("[elasticsearch]\nurl = 'https://me:hunter2@es'", "elasticsearch", "no secrets in the"),
    ],
)
def test_keys_that_do_not_go_together(configured: Write, table: str, key: str, said: str) -> None:
    path = configured(f"labeler = 'builtin'\n{table}\n")
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert caught.value.where == f"{path}:2"
    assert caught.value.message.startswith(f"{key}: ")
    assert said in caught.value.message
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_not_toml_names_the_line(configured: Write) -> None:
    path = configured("labeler = 'builtin'\n[compare\n")
    with pytest.raises(ConfigError, match=r"not TOML: .*line 2") as caught:
        read_config(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_text(configured: Write) -> None:
    path = configured("")
    path.write_bytes(b"labeler = '\xff'")
    with pytest.raises(ConfigError, match="not a text file in UTF-8") as caught:
        read_config(path)
    assert caught.value.where == str(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file") as caught:
        read_config(tmp_path / "nowhere.toml")
    assert caught.value.where == str(tmp_path / "nowhere.toml")
    assert "relevance-eval init" in (caught.value.remedy or "")
    assert caught.value.exit_code == 2


def test_an_empty_file_means_the_defaults(configured: Write) -> None:
    assert read_config(configured("")) == Config()


def test_the_hash_follows_values_in_force_and_not_the_wording(configured: Write) -> None:
    plain = read_config(configured("")).hash
    said = read_config(configured("# the default\n[compare]\ndepth = 10\n")).hash
    deeper = read_config(configured("[compare]\ndepth = 20\n")).hash
    assert plain == said != deeper


def test_a_deployment_on_elastic_cloud_is_not_the_embedded_node(configured: Write) -> None:
    assert read_config(configured("")).elasticsearch.embedded
    cloud = configured("[elasticsearch]\ncloud_id = 'name:abc'\n")
    assert not read_config(cloud).elasticsearch.embedded
