"""The tables of a recipe that say nothing of its input: each checks its own keys and values."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Scalar = bool | int | float | str


class Table(BaseModel):
    """One table of a recipe: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelTable(Table):
    """`[model]`: a name of `list_models()` and the network's own options."""

    name: str
    options: dict[str, Scalar | list[Scalar]] = {}


class TrainTable(Table):
    """`[train]`: how long, how fast, with what numbers."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)  # of one process
    reference_batch: int = Field(default=0, ge=0)  # the batch that learning_rate is meant for; 0: batch_size
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = Field(gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)  # of sgd
    nesterov: bool = True  # momentum as Nesterov has it
    betas: tuple[float, float] = (0.9, 0.999)  # of adamw
    weight_decay: float = Field(default=0.0, ge=0)
    decay_all: bool = True  # False: biases and normalisation layers do not decay
    no_decay: list[str] = []  # parts of names: these parameters do not decay either
    classifier_rate: float = Field(default=1.0, gt=0)  # of the last layer, times the learning rate
    bias_rate: float = Field(default=1.0, gt=0)  # of the biases of convolutions and linear layers, likewise
    rates: dict[str, float] = {}  # part of a name -> factor of the learning rate of these parameters
    layer_decay: float = Field(default=1.0, gt=0, le=1)  # of the learning rate, from each block to that below
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    warmup_epochs: float = Field(default=0.0, ge=0)
    step_epochs: list[int] = []  # of schedule = "step"
    step_factor: float = Field(default=0.1, gt=0, lt=1)
    final_factor: float = Field(default=0.0, ge=0, le=1)  # where cosine ends
    precision: Literal["32", "bf16", "16"] = "32"
    clip_gradient_norm: float = Field(default=0.0, ge=0)  # 0: off
    ema_decay: float = Field(default=0.0, ge=0, lt=1)  # 0: off
    seed: int = Field(default=0, ge=0)
    compile: bool = False
    channels_last: bool = False
    threads: int = Field(default=0, ge=0)  # 0: as torch finds them
    prefetch: int = Field(default=3, ge=1)  # batches made ahead
    tensorboard: bool = False  # event files of the metrics as well; needs the package tensorboard

    @field_validator("precision", mode="before")
    @classmethod
    def _a_number_is_meant_too(cls, value: object) -> object:
        return str(value) if type(value) is int else value  # --set train.precision=32 is a number in TOML

    @model_validator(mode="after")
    def _fits(self) -> TrainTable:
        if self.schedule == "step" and not self.step_epochs:
            raise ValueError("schedule 'step' needs step_epochs, such as [30, 40]")
        if self.schedule != "step" and self.step_epochs:
            raise ValueError(f"step_epochs is for schedule 'step', got schedule {self.schedule!r}")
        if any(factor <= 0 for factor in self.rates.values()):
            raise ValueError(f"rates must be above 0, got {self.rates}")
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs must be below epochs ({self.epochs}), got {self.warmup_epochs:g}"
            )
        return self


class SamplingTable(Table):
    """`[sampling]`: how often a clip comes in an epoch."""

    balance: Literal["none", "square_root", "class_balanced"] = "none"
    repeat: int = Field(default=1, ge=1)


class LossTable(Table):
    """`[loss]`: what is minimised."""

    kind: Literal["cross_entropy", "focal"] = "cross_entropy"
    focal_gamma: float = Field(default=2.0, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    logit_adjustment: float = Field(default=0.0, ge=0)  # tau; 0: off
    two_level_weight: float = Field(default=0.0, ge=0)  # of the body group's cross-entropy
    soft_hierarchy: bool = False  # P(action) = P(body) P(action | body)
    label_embedding: str = ""  # .npz with `actions` and `vectors`, or .npy with a row for each action
    label_embedding_weight: float = Field(default=5.0, ge=0)
    label_embedding_head: Literal["linear", "tanh"] = "linear"  # tanh: two layers with tanh between
    label_embedding_distance: Literal["mse", "l2"] = "mse"  # l2: length of the difference


class DataTable(Table):
    """`[data]`: what happens to clips that cannot be trained on; each is counted and named either way."""

    missing: Literal["refuse", "drop"] = "refuse"
    failed: Literal["refuse", "drop"] = "refuse"
    no_person: Literal["refuse", "drop", "keep"] = "keep"
    empty_classes: Literal["refuse", "keep"] = "refuse"


class EvalTable(Table):
    """`[eval]`: which weights are measured, and how.

    `splits` are those that the selected weights are scored on at the end. `--set eval.splits=["val"]` keeps
    tuning runs away from the test split; the same command with `["val", "test"]` then scores both, without
    training again.
    """

    test_clips: int = Field(default=1, ge=1)
    test_flip: bool = False
    batch_size: int = Field(default=0, ge=0)  # views at once; 0: as in training
    every: int = Field(default=1, ge=1)  # epochs between validations
    select: Literal["last", "best_val"] = "last"
    splits: list[Literal["val", "test"]] = ["val", "test"]
