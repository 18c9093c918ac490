"""The loop: batches, steps, evaluations, early stopping, checkpoints."""

# PyTorch and Hugging Face's libraries are optional and only partly typed.
# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from transformers import get_linear_schedule_with_warmup

from relevance_eval.errors import LabelerError
from relevance_eval.evaluators.labelers.session import Input
from relevance_eval.exporters.settings import TrainSettings
from relevance_eval.exporters.students.checkpoint import (
    Checkpoint,
    read_checkpoint,
    write_checkpoint,
)
from relevance_eval.exporters.students.holdout import Holdout
from relevance_eval.exporters.students.lessons import Lessons
from relevance_eval.exporters.students.losses import Loss
from relevance_eval.exporters.students.student import Student, tensors

__all__ = ["Course", "Trainer"]

Progress = Callable[[int, int], None]
Notice = Callable[[str], None]
LONGEST_GRADIENT = 1.0
NO_DECAY = ("bias", "norm")
RATES = {"encoder": 5e-5, "decoder": 2e-5}
ADAPTERS_RATE = 2e-4


@dataclass(frozen=True)
class Course:
    """How a training went.

    Attributes:
        curve: evaluations in order: step, epoch, pairs learned from, mean loss since the one
            before, held-out score.
        best: the position in `curve` whose weights were kept.
        steps: batches learned from.
        stopped: whether it ended before its last epoch, for want of gain.
    """

    curve: Sequence[Mapping[str, Any]]
    best: int
    steps: int
    stopped: bool


class Trainer:
    """Teaches a student in place.

    Args:
        weights: of the loss, one for each of the lessons' examples.
        hashes: of everything the outcome depends on; a checkpoint of others is refused.
    """

    def __init__(
        self,
        student: Student,
        lessons: Lessons,
        holdout: Holdout,
        settings: TrainSettings,
        weights: Sequence[float],
        hashes: dict[str, str],
    ):
        self.student, self.lessons, self.holdout = student, lessons, holdout
        self.settings, self.hashes = settings, hashes
        self.loss = Loss(settings.cross_entropy, settings.ordinal, settings.margin)
        # Not by the accelerator's own mixed precision, which a process can never change again.
        self.precision = precision(settings.precision)
        self.accelerator = Accelerator()
        self.total = lessons.steps * settings.epochs
        optimizer = torch.optim.AdamW(groups(student.module, settings.weight_decay), rate(settings))
        warmup = round(settings.warmup * self.total)
        self.scheduler = get_linear_schedule_with_warmup(optimizer, warmup, self.total)
        self.module, self.optimizer = self.accelerator.prepare(student.module, optimizer)
        self.held = [framed(student, e.pair) for e in holdout.examples]
        self.targets = torch.tensor(
            [e.judgment.probabilities for e in lessons.examples if e.judgment is not None]
        )
        self.weights = torch.tensor(list(weights))
        self.queries = torch.tensor(lessons.queries)
        self.step = 0
        self.curve: list[dict[str, Any]] = []
        self.losses: list[float] = []
        self.best: dict[str, Any] = {}

    def run(self, folder: Path, progress: Progress, notice: Notice) -> Course:
        """Learns to the last epoch or until nothing is gained, and leaves the best weights.

        Args:
            folder: of checkpoints; a training that was stopped goes on from the one in it.

        Raises:
            UsageError: a checkpoint of other settings or data is there.
            StorageError: a checkpoint cannot be written.
        """
        self.resume(folder, notice)
        first = self.step
        while self.step < self.total and not self.stale():
            for position in self.remaining():
                self.learn(position)
                self.step += 1
                progress(self.step - first, self.total - first)
                if self.due():
                    self.evaluate(notice)
                    self.keep(folder)
                    if self.stale():
                        break
        restore(self.student.module, self.best)
        self.accelerator.unwrap_model(self.module)
        self.student.module.to("cpu").eval()
        return Course(self.curve, best_of(self.curve), self.step, self.step < self.total)

    def remaining(self) -> list[list[int]]:
        """The batches of this epoch that were not learned from yet."""
        epoch, done = divmod(self.step, self.lessons.steps)
        return list(self.lessons.batches(epoch))[done:]

    def learn(self, positions: Sequence[int]) -> None:
        epoch = self.step // self.lessons.steps
        inputs = [self.read(p, epoch) for p in positions]
        device = self.accelerator.device
        self.module.train()
        with torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            logits = self.module(*tensors(inputs, device))
        rows = torch.tensor(list(positions))
        given = (part[rows].to(device) for part in (self.targets, self.weights, self.queries))
        loss = self.loss(logits, *given)
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.module.parameters(), LONGEST_GRADIENT)
        self.optimizer.step()
        self.scheduler.step()
        self.optimizer.zero_grad()
        self.losses.append(loss.item())

    def read(self, position: int, epoch: int) -> Input:
        """Dropout may leave a text that is none to the tokenizer: then the pair is read whole."""
        found = self.student.frame.input(self.lessons.pair(position, epoch))
        if isinstance(found, str):
            return framed(self.student, self.lessons.examples[position].pair)
        return found

    def due(self) -> bool:
        """Evaluations lie evenly in an epoch; the last is at its end."""
        steps, wanted = self.lessons.steps, self.settings.evaluations
        done = (self.step - 1) % steps + 1
        return done * wanted // steps > (done - 1) * wanted // steps

    def evaluate(self, notice: Notice) -> None:
        score = self.holdout.score(self.student.logits(self.held))
        epoch = self.step / self.lessons.steps
        mean = sum(self.losses) / len(self.losses)
        if not math.isfinite(mean):
            raise LabelerError(
                f"the training has gone astray: after {self.step} steps the loss is {mean:g}",
                remedy="try a lower rate, or the precision fp32",
            )
        self.curve.append(
            {
                "step": self.step,
                "epoch": round(epoch, 4),
                "loss": round(mean, 6),
                "score": round(score, 6),
            }
        )
        self.losses = []
        gained = best_of(self.curve) == len(self.curve) - 1
        if gained:
            self.best = learning(self.student.module)
        notice(
            f"epoch {epoch:.1f} of {self.settings.epochs}: loss {mean:.4f}, "
            f"held-out {self.holdout.measure} {score:.4f}{' (best so far)' if gained else ''}"
        )

    def stale(self) -> bool:
        """Whether the last evaluations, as many as `patience`, brought nothing."""
        return bool(self.curve) and len(self.curve) - 1 - best_of(self.curve) >= (
            self.settings.patience
        )

    def keep(self, folder: Path) -> None:
        states = {"cpu": torch.get_rng_state()}
        if torch.cuda.is_available():
            states["cuda"] = torch.cuda.get_rng_state()
        checkpoint = Checkpoint(
            hashes=self.hashes,
            step=self.step,
            weights=learning(self.student.module),
            best=self.best,
            optimizer=self.optimizer.state_dict(),
            scheduler=self.scheduler.state_dict(),
            random=states,
            curve=self.curve,
        )
        write_checkpoint(folder, checkpoint)

    def resume(self, folder: Path, notice: Notice) -> None:
        found = read_checkpoint(folder, self.hashes)
        if found is None:
            return
        restore(self.student.module, found.weights)
        self.optimizer.load_state_dict(found.optimizer)
        self.scheduler.load_state_dict(found.scheduler)
        torch.set_rng_state(found.random["cpu"])
        if torch.cuda.is_available() and "cuda" in found.random:
            torch.cuda.set_rng_state(found.random["cuda"])
        self.step, self.curve, self.best = found.step, found.curve, found.best
        notice(f"going on after step {self.step:,} of {self.total:,}")


def framed(student: Student, pair: Any) -> Input:
    """Pairs without text were taken out before."""
    found = student.frame.input(pair)
    if isinstance(found, str):
        raise ValueError(found)
    return found


def best_of(curve: Sequence[Mapping[str, Any]]) -> int:
    """The first of the highest scores."""
    return max(range(len(curve)), key=lambda i: (curve[i]["score"], -i))


def learning(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of the weights that are learned."""
    named = module.named_parameters()
    return {name: p.detach().cpu().clone() for name, p in named if p.requires_grad}


def restore(module: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name in weights:
                parameter.copy_(weights[name])


def groups(module: torch.nn.Module, decay: float) -> list[dict[str, Any]]:
    """Biases and the scales of norms do not decay."""
    named = [(n.lower(), p) for n, p in module.named_parameters() if p.requires_grad]
    free = [p for n, p in named if any(word in n for word in NO_DECAY)]
    rest = [p for n, p in named if not any(word in n for word in NO_DECAY)]
    return [{"params": rest, "weight_decay": decay}, {"params": free, "weight_decay": 0.0}]


def rate(settings: TrainSettings) -> float:
    if settings.rate is not None:
        return settings.rate
    return ADAPTERS_RATE if settings.lora_rank else RATES[settings.kind]


def precision(wanted: str) -> str:
    """bf16 or fp32: by itself, bf16 where the hardware multiplies it in one instruction."""
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported()
    else:
        fast = bool({"avx512_bf16", "amx_bf16"} & flags())
    return "bf16" if fast else "fp32"


def flags() -> set[str]:
    """The processor's, as Linux tells them; none elsewhere."""
    try:
        return set(Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split())
    except OSError:
        return set()
