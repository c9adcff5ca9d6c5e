"""Every preset, in every size and stream, is a configuration that can be run."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.streams import Stream
from skeletonagent.data.archive import find_archives, read_archive
from skeletonagent.data.benchmarks import BENCHMARKS
from skeletonagent.data.settings import (
    AugmentSettings,
    ConfidenceRule,
    MotionRule,
    Origin,
    SamplingRule,
    Scale,
)
from skeletonagent.data.splits import choose_split
from skeletonagent.experiments.benchmark_presets import BENCHMARK_PRESETS
from skeletonagent.experiments.config import (
    Config,
    config_from_dict,
    config_to_dict,
    config_to_yaml,
    read_config,
    write_config,
)
from skeletonagent.experiments.presets import (
    PRESETS,
    ROTATING_SPLITS,
    SMALL_PRESETS,
    STUDIED,
    preset,
    require_variants,
)
from skeletonagent.experiments.recipes import PresetSize, Recipe
from skeletonagent.experiments.resolve import resolve_config
from skeletonagent.models.backbones import BACKBONES
from skeletonagent.models.settings import PersonPooling
from skeletonagent.text.transformers_encoder import PRETRAINED
from skeletonagent.training.settings import AlignTargets, LogitScale, LossSettings, TrainSettings

every = pytest.mark.parametrize(
    ("name", "size"),
    [*product(SMALL_PRESETS, PresetSize), *product(BENCHMARK_PRESETS, [PresetSize.PAPER])],
)


@every
def test_presets_are_valid_and_round_trip(tmp_path: Path, name: str, size: PresetSize) -> None:
    path = tmp_path / "config.yaml"
    for stream in Stream:
        config = resolve_config(name, size, stream.short, None, [])
        assert config == preset(name, size, stream)
        assert config.clips.stream is stream
        assert config_from_dict(config_to_dict(config)) == config
        write_config(config, path)
        assert read_config(path) == config
        assert resolve_config(str(path), size, None, None, []) == config


@every
def test_presets_differ_between_streams_in_the_stream_alone(name: str, size: PresetSize) -> None:
    plain = [config_to_dict(preset(name, size, stream)) for stream in Stream]
    for values in plain:
        del values["clips"]["stream"]
    assert all(values == plain[0] for values in plain)


@every
def test_presets_have_existing_backbones_and_the_papers_loss_weights(
    name: str, size: PresetSize
) -> None:
    config = preset(name, size)
    assert config.model.backbone in BACKBONES
    own = name in {*SMALL_PRESETS} - {"paper"}
    smoothing = 0.1 if config.model.backbone == "joint-cnn" else 0.0
    assert config.loss == LossSettings(label_smoothing=smoothing)
    tiny = own and size is PresetSize.TINY
    assert config.training.guidance_period == (2 if tiny else 5)
    assert PRESETS[name].__doc__


@pytest.mark.parametrize("name", ROTATING_SPLITS)
def test_splits_in_turn_are_splits_of_the_preset(name: str, shared: Path) -> None:
    archive = str(preset(name).data.archive)
    path = shared / "data" / archive / archive
    if not path.with_suffix(".npz").is_file():
        pytest.skip(f"needs shared data: nothing at {path}")
    data = read_archive(path)
    splits = [choose_split(data, split)[1] for split in ROTATING_SPLITS[name]]
    assert len(splits) == len(set(splits)) > 1
    for split in splits:
        assert not set(split.train) & set(split.test)


def test_the_paper_size_takes_the_papers_recognizer() -> None:
    for name in PRESETS:
        assert preset(name, PresetSize.PAPER).model.backbone == "skeletonagent"


def test_classes_that_name_a_side_are_not_mirrored() -> None:
    for size in PresetSize:
        assert preset("utd-mhad", size).augment.mirror == 0


def test_presets_name_archives_of_the_shared_data(shared: Path) -> None:
    archives = {path.name for path in find_archives(shared / "data")} | {"synthetic"}
    if archives == {"synthetic"}:
        pytest.skip(f"needs shared data: no archives in {shared / 'data'}")
    for name in SMALL_PRESETS:
        assert preset(name).data.archive in archives


def test_an_unknown_preset_is_refused_with_a_list_of_all() -> None:
    with pytest.raises(
        ConfigError, match=r"no preset 'ntu'; there are default, jhmdb, .*, ntu60-xsub, "
    ):
        preset("ntu")


RELEASED_TABLE = """
ntu60-xsub | .2,.5 | .2,.2 | .2,.2 | - | SFlip | SFlip | 150 | 16, .025 | 5
ntu60-xview | .2,.5 | .2,.2 | .2,.2 | - | - | PartDrop | 150 | 16, .025 | 5
ntu120-xsub | .3,.1 | .3,.3 | .2,.3 | SFlip | SFlip | PartDrop | 150 | 16, .025 | 5
ntu120-xset | .3,.1 | .3,.3 | .2,.3 | - | SFlip | SFlip | 150 | 16, .025 | 5
finegym | .1,.1 | .1,.1 | .05,.1 | Flip | Flip | Flip | 150 | 16, .025 | 5
kinetics-skeleton | .005,.01 | .005,.01 | .005,.01 | Flip | Flip | Flip | 150 | 64, .1 | 50
uav-human-csv1 | .2,.2 | .3,.2 | .05,.2 | - | - | - | 300 | 16, .025 | 5
uav-human-csv2 | .2,.2 | .3,.2 | .05,.2 | - | - | - | 150 | 16, .025 | 5
"""
"""Spec 2.1: alpha and beta of j/jm, b/bm and k/km, their further augmentation, epochs, batch and
learning rate, period."""

ROWS = {
    name: cells
    for name, *cells in (
        [cell.strip() for cell in line.split("|")] for line in RELEASED_TABLE.strip().splitlines()
    )
}
AUGMENTS = {
    "-": {},
    "SFlip": {"swap": 0.5},
    "PartDrop": {"part_drop": 0.2},
    "Flip": {"mirror": 0.5},
}
PLACES = {
    "ntu60-xsub": ("ntu60", "xsub"),
    "ntu60-xview": ("ntu60", "xview"),
    "ntu120-xsub": ("ntu120", "xsub"),
    "ntu120-xset": ("ntu120", "xset"),
    "finegym": ("finegym", "standard"),
    "kinetics-skeleton": ("kinetics-skeleton", "standard"),
    "uav-human-csv1": ("uav-human", "csv1"),
    "uav-human-csv2": ("uav-human", "csv2"),
}

in_every_stream = pytest.mark.parametrize(
    ("name", "stream"), list(product(ROWS, Stream)), ids=lambda value: str(value)
)


def test_the_table_has_all_benchmark_presets() -> None:
    assert set(ROWS) == set(BENCHMARK_PRESETS) == set(PLACES)
    assert set(PLACES.values()) <= {(b.name, p) for b in BENCHMARKS.values() for p in b.protocols}


@in_every_stream
def test_released_recipes_have_the_numbers_of_the_table(name: str, stream: Stream) -> None:
    cells = ROWS[name]
    column = ("j", "b", "k").index(stream.short[0])
    alpha, beta = map(float, cells[column].split(","))
    batch, rate = map(float, cells[7].split(","))
    config = preset(name, stream=stream, recipe=Recipe.RELEASED)
    assert config.loss == LossSettings(
        alpha=alpha,
        beta=beta,
        align_targets=AlignTargets.SOFTMAX,
        logit_scale=LogitScale.LEARNED,
        mixup=1.0,
    )
    rotation = 0.2 if name.startswith("ntu") else 0.0
    assert config.augment == AugmentSettings(rotation=rotation, **AUGMENTS[cells[3 + column]])
    assert config.training == TrainSettings(
        epochs=int(cells[6]),
        batch_size=int(batch),
        learning_rate=rate,
        momentum=0.9,
        weight_decay=5e-4,
        warmup_epochs=0.0,
        ema_decay=0.0,
        guidance_period=int(cells[8]),
        validation_share=0.0,
    )


@in_every_stream
def test_released_recipes_see_what_the_released_code_sees(name: str, stream: Stream) -> None:
    config, flat = preset(name, stream=stream, recipe=Recipe.RELEASED), not name.startswith("ntu")
    data, clips = config.data, config.clips
    assert (data.archive, data.split) == PLACES[name]
    assert (data.confidence, data.scale) == (flat, Scale.NONE)
    assert data.origin == (Origin.NONE if flat else Origin.PERSON)
    assert (clips.frames, clips.stream, clips.test_clips) == (100, stream, 10)
    assert clips.test_sampling == (SamplingRule.FRAMES if flat else SamplingRule.DECODE)
    assert clips.motion_rule == (MotionRule.AFTER if flat else MotionRule.BEFORE)
    assert clips.confidence_rule == ConfidenceRule.DIFFERENCE
    wide = ("dg-stgcn", 96) if name == "kinetics-skeleton" else ("skeletonagent", None)
    assert (config.model.backbone, config.model.width) == wide
    assert config.model.person_pooling is PersonPooling.RELEASED


@in_every_stream
def test_paper_recipes_follow_the_text(name: str, stream: Stream) -> None:
    config, flat = preset(name, stream=stream), not name.startswith("ntu")
    assert preset(name, PresetSize.PAPER, stream, Recipe.PAPER) == config
    training = config.training
    assert (training.epochs, training.batch_size, training.learning_rate) == (150, 64, 0.1)
    assert (training.momentum, training.weight_decay, training.guidance_period) == (0.9, 5e-4, 5)
    assert (training.warmup_epochs, training.ema_decay) == (0, 0)
    assert training.validation_share == 0.1 and training.validation_until >= 0.8
    assert config.loss == LossSettings(alpha=0.2, beta=0.5, temperature=0.1)
    assert (config.clips.frames, config.clips.stream) == (100, stream)
    assert config.model.person_pooling is PersonPooling.PAPER
    assert config.augment == AugmentSettings(rotation=0.2)
    assert (config.data.archive, config.data.split) == PLACES[name]
    assert (config.data.confidence, config.data.origin) == (flat, Origin.PERSON)
    assert config.data.scale == (Scale.IMAGE if flat else Scale.NONE)


@pytest.mark.parametrize("recipe", [Recipe.PAPER, Recipe.RELEASED])
@pytest.mark.parametrize("name", BENCHMARK_PRESETS)
def test_benchmarks_ask_the_papers_models(name: str, recipe: Recipe) -> None:
    agents = preset(name, recipe=recipe).agents
    assert (agents.chat, agents.text_encoder, agents.max_rivals) == (
        "openai:gpt-4o",
        "clip-vit-b-32",
        10,
    )
    assert agents.text_encoder in PRETRAINED
    assert agents.padded_rivals == (recipe is Recipe.RELEASED)


@pytest.mark.parametrize("name", SMALL_PRESETS)
def test_other_data_have_no_released_recipe(name: str) -> None:
    with pytest.raises(ConfigError, match=f"'{name}' has no released recipe; .*uav-human-csv2"):
        preset(name, recipe=Recipe.RELEASED)


@pytest.mark.parametrize("name", PRESETS)
def test_the_best_recipe_has_static_guidance_where_that_was_studied(name: str) -> None:
    if name not in STUDIED:
        with pytest.raises(ConfigError, match=f"'{name}' has no best recipe; .*utd-mhad"):
            preset(name, recipe=Recipe.BEST)
        return
    for size, stream in product(PresetSize, Stream):
        best = preset(name, size, stream, Recipe.BEST)
        paper = preset(name, size, stream)
        assert best == replace(paper, training=replace(paper.training, guidance_period=0)) != paper


@pytest.mark.parametrize("name", BENCHMARK_PRESETS)
def test_released_recipes_round_trip(name: str) -> None:
    for stream in Stream:
        config = preset(name, stream=stream, recipe=Recipe.RELEASED)
        assert config_from_dict(config_to_dict(config)) == config


def test_assignments_have_precedence_over_the_preset(tmp_path: Path) -> None:
    config = resolve_config(
        "sbu",
        PresetSize.SMALL,
        "km",
        Path("elsewhere/sbu.npz"),
        ["training.epochs=2", "clips.frames=16"],
    )
    assert config.clips.stream is Stream.KBONE_MOTION
    assert config.data.archive == str(Path("elsewhere/sbu.npz"))
    assert (config.training.epochs, config.clips.frames) == (2, 16)

    path = tmp_path / "mine.yml"
    path.write_text(config_to_yaml(config))
    again = resolve_config(str(path), PresetSize.PAPER, "bone", None, ["seed=3"])
    assert again.clips.stream is Stream.BONE
    assert (again.seed, again.training) == (3, config.training)


@pytest.mark.parametrize(
    ("name", "stream", "message"),
    [
        ("sbu", "sideways", r"no stream 'sideways'; there are joint \(j\)"),
        ("missing.yaml", None, "missing.yaml cannot be read"),
    ],
)
def test_wrong_assignments_are_refused(name: str, stream: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve_config(name, PresetSize.SMALL, stream, None, [])


def test_a_configuration_of_defaults_alone_is_the_papers_schedule() -> None:
    training = Config().training
    assert (training.epochs, training.batch_size, training.learning_rate) == (150, 64, 0.1)
    assert (training.momentum, training.weight_decay) == (0.9, 5e-4)


@pytest.mark.parametrize(
    ("name", "size", "recipe", "problem"),
    [
        ("paper", PresetSize.SMALL, None, "has one size, for a GPU"),
        ("ntu60-xsub", PresetSize.TINY, None, "has one size, for a GPU"),
        ("mine.yaml", PresetSize.SMALL, None, "is a file with settings of its own"),
        ("mine.yml", None, Recipe.BEST, "is a file with settings of its own"),
    ],
)
def test_options_that_would_change_nothing_are_refused(
    name: str, size: PresetSize | None, recipe: Recipe | None, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        require_variants(name, size, recipe)


def test_options_that_say_something_are_taken() -> None:
    require_variants("paper", PresetSize.PAPER, None)
    require_variants("utd-mhad", PresetSize.TINY, Recipe.BEST)
    require_variants("ntu60-xsub", None, Recipe.RELEASED)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("utd_mhad", "utd-mhad"), ("UTD-MHAD", "utd-mhad"), ("sinthetic", "synthetic")],
)
def test_a_misspelt_preset_is_suggested(name: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"no preset '{name}'; did you mean '{meant}'"):
        preset(name)
