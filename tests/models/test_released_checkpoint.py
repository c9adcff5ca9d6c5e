"""Checkpoints in the authors' layout, sound and spoilt."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from skeletonagent.core.errors import CheckpointError
from skeletonagent.core.layout import COCO_20, KINECT_25, UAV_17, SkeletonLayout
from skeletonagent.core.streams import Stream
from skeletonagent.models.released_checkpoint import ReleasedCheckpoint, read_released_checkpoint
from skeletonagent.models.settings import PersonPooling

V, WIDTH, CLASSES, TEXT = 5, 16, 3, 6
LAYOUT = SkeletonLayout("star-5", tuple("abcde"), tuple((i, 0) for i in range(1, 5)))


def conv(name: str, c_in: int, c_out: int, kernel: int = 1) -> Iterator[tuple[str, Tensor]]:
    yield f"{name}.weight", torch.randn(c_out, c_in, kernel, 1) / c_in**0.5
    yield f"{name}.bias", 0.1 * torch.randn(c_out)


def norm(name: str, channels: int) -> Iterator[tuple[str, Tensor]]:
    yield f"{name}.weight", torch.rand(channels) + 0.5
    yield f"{name}.bias", 0.1 * torch.randn(channels)
    yield f"{name}.running_mean", 0.1 * torch.randn(channels)
    yield f"{name}.running_var", torch.rand(channels) + 0.5
    yield f"{name}.num_batches_tracked", torch.tensor(7)


def block(name: str, c_in: int, c_out: int, around: bool) -> Iterator[tuple[str, Tensor]]:
    """Yield a block under the names of spec 1.2 and 1.3, as they stand in the golden weights."""
    yield f"{name}.gcn.A", 0.1 * torch.randn(8, V, V)
    yield f"{name}.gcn.alpha", torch.randn(8)
    yield f"{name}.gcn.beta", torch.randn(8)
    for part in ("pre.0", "conv1", "conv2"):
        yield from conv(f"{name}.gcn.{part}", c_in, c_out)
    yield from conv(f"{name}.gcn.post", c_out, c_out)
    for part in ("pre.1", "bn"):
        yield from norm(f"{name}.gcn.{part}", c_out)
    if c_in != c_out:
        yield from conv(f"{name}.gcn.down.0", c_in, c_out)
        yield from norm(f"{name}.gcn.down.1", c_out)
    narrow = c_out // 6
    widths = [c_out - 5 * narrow] + [narrow] * 4
    yield f"{name}.tcn.add_coeff", torch.randn(25)
    for i, width in enumerate(widths):
        yield from conv(f"{name}.tcn.branches.{i}.0", c_out, width)
        yield from norm(f"{name}.tcn.branches.{i}.1", width)
        if i < 4:
            yield from conv(f"{name}.tcn.branches.{i}.3.conv", width, width, 3)
    yield from conv(f"{name}.tcn.branches.5", c_out, narrow)
    yield from norm(f"{name}.tcn.transform.0", c_out)
    yield from conv(f"{name}.tcn.transform.2", c_out, c_out)
    yield from norm(f"{name}.tcn.bn", c_out)
    if around and c_in != c_out:
        yield from conv(f"{name}.residual.conv", c_in, c_out)
        yield from norm(f"{name}.residual.bn", c_out)


def blocks(embedded: bool) -> Iterator[tuple[str, Tensor]]:
    outputs = [WIDTH] * 4 + [2 * WIDTH] * 3 + [4 * WIDTH] * 3
    pairs = list(zip([3, *outputs], outputs, strict=False))
    for i, (c_in, c_out) in enumerate(pairs[1:] if embedded else pairs):
        yield from block(f"backbone.gcn.{i}", c_in, c_out, around=embedded or i > 0)


def authors_state(*, embedded: bool = True, seed: int = 0) -> dict[str, Tensor]:
    """Return random weights under the authors' names, two persons, three channels."""
    torch.manual_seed(seed)
    if embedded:
        stem = {
            "backbone.pos_embedding": torch.randn(1, V, WIDTH),
            "backbone.to_joint_embedding.weight": torch.randn(WIDTH, 3),
            "backbone.to_joint_embedding.bias": torch.randn(WIDTH),
            **dict(norm("backbone.data_bn", 2 * V * WIDTH)),
        }
    else:
        stem = dict(norm("backbone.data_bn", V * 3))
    salient = torch.rand(CLASSES, V, 1) < 0.5
    return {
        **stem,
        **dict(blocks(embedded)),
        "backbone.examplar": salient.float().expand(-1, -1, V).clone(),
        "backbone.logit_scale": torch.ones(1, 1),
        **dict(conv("backbone.direct_fc", 4 * WIDTH, 1)),
        "backbone.linear_head.ViT-B/32.weight": torch.randn(TEXT, 4 * WIDTH),
        "backbone.linear_head.ViT-B/32.bias": torch.randn(TEXT),
        "backbone.model_text_dict.ViT-B/32.model.token_embedding.weight": torch.randn(9, 4),
        "backbone.model_text_dict.ViT-B/32.model.ln_final.bias": torch.randn(4),
        "cls_head.fc_cls.weight": torch.randn(CLASSES, 4 * WIDTH),
        "cls_head.fc_cls.bias": torch.randn(CLASSES),
    }


META = {
    "epoch": 150,
    "iter": 12345,
    "config": "work_dir = 'x'\nmodality = 'bm'\n",
    "hook_msgs": {"best_score": np.float64(0.93), "best_ckpt": "best_top1_acc_epoch_149.pth"},
}


def saved(content: Any, folder: Path) -> Path:
    path = folder / "released.pth"
    torch.save(content, path)
    return path


def read(state: Mapping[str, Tensor], folder: Path) -> ReleasedCheckpoint:
    return read_released_checkpoint(saved({"state_dict": dict(state), "meta": META}, folder))


@pytest.mark.parametrize("embedded", [True, False])
def test_sizes_are_told_by_the_weights(embedded: bool, tmp_path: Path) -> None:
    state = authors_state(embedded=embedded)
    released = read(state, tmp_path)
    assert released.backbone == ("skeletonagent" if embedded else "dg-stgcn")
    sizes = (released.width, released.joints, released.channels, released.persons)
    assert sizes == (WIDTH, V, 3, 2)
    assert (released.num_classes, released.text_dim) == (CLASSES, TEXT)
    assert (released.epoch, released.stream) == (150, Stream.BONE_MOTION)
    assert released.text_tower == 2
    assert torch.equal(released.salient, state["backbone.examplar"][:, :, 2].bool())


@torch.no_grad()
@pytest.mark.parametrize("embedded", [True, False])
def test_the_recognizer_has_the_weights(embedded: bool, tmp_path: Path) -> None:
    state = authors_state(embedded=embedded)
    recognizer = read(state, tmp_path).recognizer(LAYOUT).eval()
    assert recognizer.person_pooling is PersonPooling.RELEASED
    assert all(parameter.requires_grad for parameter in recognizer.parameters())
    clips = torch.randn(2, 2, 9, V, 3)
    pooled = recognizer.backbone(clips).mean((2, 3)).unflatten(0, (2, 2)).mean(1)
    weight, bias = state["cls_head.fc_cls.weight"], state["cls_head.fc_cls.bias"]
    expected = pooled @ weight.T + bias
    torch.testing.assert_close(recognizer.classify(clips), expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_that_of_kinetics_begins_with_a_block_that_has_no_way_around(tmp_path: Path) -> None:
    state = authors_state(embedded=False)
    backbone = read(state, tmp_path).recognizer(LAYOUT).eval().backbone
    clips = torch.randn(1, 2, 6, V, 3)
    mean, var, weight, bias = (
        state[f"backbone.data_bn.{key}"].view(V, 3)
        for key in ("running_mean", "running_var", "weight", "bias")
    )
    normed = (clips - mean) / (var + 1e-5).sqrt() * weight + bias
    x = normed.flatten(0, 1).permute(0, 3, 1, 2)
    first, *others = backbone.blocks
    expected = first.temporal(first.graph(x)).relu()
    torch.testing.assert_close(first(backbone.stem(clips)), expected, rtol=1e-4, atol=1e-4)
    assert all(block.shortcut is not None for block in others)


@pytest.mark.parametrize("wrap", ["bare", "processes"])
def test_other_wrappings_are_read_alike(wrap: str, tmp_path: Path) -> None:
    state = authors_state()
    expected = read(state, tmp_path).state
    content: Any = state
    if wrap == "processes":
        content = {"state_dict": {f"module.{key}": t for key, t in state.items()}, "optimizer": {}}
    released = read_released_checkpoint(saved(content, tmp_path))
    assert (released.epoch, released.stream) == (0, None)
    assert released.state.keys() == expected.keys()
    assert all(torch.equal(tensor, expected[key]) for key, tensor in released.state.items())


def test_a_checkpoint_saved_without_text_tower_and_k_is_read(tmp_path: Path) -> None:
    dropped = ("backbone.model_text_dict", "backbone.examplar")
    state = {k: t for k, t in authors_state().items() if not k.startswith(dropped)}
    released = read(state, tmp_path)
    assert (released.text_tower, released.salient) == (0, None)
    guidance = released.guidance(LAYOUT, ["a", "b", "c"], Stream.JOINT)
    assert [told.joints for told in guidance.classes] == [(), (), ()]


class Attack:
    """Something whose reading would run a command."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.trace}",)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    path = saved({"state_dict": authors_state(), "meta": Attack(trace)}, tmp_path)
    with pytest.raises(CheckpointError, match=r"asks for \S*\.system; only tensors") as caught:
        read_released_checkpoint(path)
    assert not trace.exists()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 cut short", b"\x80\x02."])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "released.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"released\.pth is no checkpoint of PyTorch"):
        read_released_checkpoint(path)


@pytest.mark.parametrize("protocol", [b"\x80\x02", b"\x80\x04"])
def test_what_would_end_the_interpreter_is_refused(protocol: bytes, tmp_path: Path) -> None:
    path = tmp_path / "released.pth"
    path.write_bytes(protocol + b"})" + b"\x85" * 300_000 + b"Ns.")
    with pytest.raises(CheckpointError, match=r"released\.pth is no checkpoint of PyTorch"):
        read_released_checkpoint(path)
    with zipfile.ZipFile(tmp_path / "zip.pth", "w") as archive:
        archive.writestr("archive/data.pkl", path.read_bytes())
        archive.writestr("archive/version", "3\n")
    with pytest.raises(CheckpointError, match=r"zip\.pth is no checkpoint of PyTorch"):
        read_released_checkpoint(tmp_path / "zip.pth")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pth")
    with pytest.raises(CheckpointError, match=r"pipe\.pth is no file"):
        read_released_checkpoint(tmp_path / "pipe.pth")


def test_a_checkpoint_of_old_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    torch.save(authors_state(), path, _use_new_zipfile_serialization=False)
    new = read_released_checkpoint(saved(authors_state(), tmp_path))
    assert read_released_checkpoint(path).state.keys() == new.state.keys()


@pytest.mark.parametrize("keep", [0.1, 0.9, 0.999])
def test_half_a_file_is_refused(keep: float, tmp_path: Path) -> None:
    whole = saved(authors_state(), tmp_path).read_bytes()
    path = tmp_path / "half.pth"
    path.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(CheckpointError, match=r"half\.pth is no checkpoint of PyTorch"):
        read_released_checkpoint(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no file .*nothing\.pth"):
        read_released_checkpoint(tmp_path / "nothing.pth")


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": [1]}, {"state_dict": {"a": "b"}}])
def test_other_content_is_refused(content: Any, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="state dict"):
        read_released_checkpoint(saved(content, tmp_path))


SPOILT = {
    "unknown name": ({"backbone.gcn.0.gcn.what": torch.ones(1)}, "backbone.gcn.0.gcn.what is not"),
    "another network": ({"layer1.0.conv1.weight": torch.ones(1)}, "layer1.0.conv1.weight is not"),
    "one block more": (dict(norm("backbone.gcn.9.gcn.bn", 4)), "leave.1.bias is unknown"),
    "no classes": ({"cls_head.fc_cls.weight": None}, "cls_head.fc.weight is missing"),
    "no bias": ({"backbone.gcn.4.gcn.post.bias": None}, "4.graph.leave.0.bias is missing"),
    "a branch gone": ({"backbone.gcn.2.tcn.branches.5.bias": None}, "has shape"),
    "wrong shape": ({"cls_head.fc_cls.bias": torch.ones(4)}, r"has shape \(4,\), not \(3,\)"),
    "flat classes": ({"cls_head.fc_cls.weight": torch.ones(3)}, r"has shape \(3,\)"),
    "empty graphs": ({"backbone.gcn.0.gcn.A": torch.ones(8, 0, 0)}, r"has shape \(8, 0, 0\)"),
    "few statistics": ({"backbone.data_bn.weight": torch.ones(1)}, "stem.norm"),
    "odd width": ({"backbone.to_joint_embedding.weight": torch.ones(7, 3)}, "multiple of 8"),
    "vast width": (
        {"backbone.to_joint_embedding.weight": torch.ones(80_000, 1)}, "has shape"
    ),
    "K of others": ({"backbone.examplar": torch.ones(4, V, V)}, "3 classes"),
    "K of shares": ({"backbone.examplar": torch.full((3, V, V), 0.5)}, "ones or zeros"),
    "K by columns": ({"backbone.examplar": torch.eye(V).repeat(3, 1, 1)}, "ones or zeros"),
    "K of NaN": ({"backbone.examplar": torch.full((3, V, V), torch.nan)}, "ones or zeros"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILT)
def test_what_does_not_fit_is_one_clear_error(name: str, tmp_path: Path) -> None:
    changes, problem = SPOILT[name]
    state = {k: t for k, t in (authors_state() | changes).items() if t is not None}
    with pytest.raises(CheckpointError, match=problem) as caught:
        read(state, tmp_path).recognizer(LAYOUT)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def made(mask: Tensor) -> ReleasedCheckpoint:
    return ReleasedCheckpoint(
        {}, "dg-stgcn", 8, mask.shape[1], 3, 2, len(mask), 4, mask, None, 0, 0
    )


@pytest.mark.parametrize("stream", Stream)
@pytest.mark.parametrize("layout", [COCO_20, UAV_17])
def test_guidance_gives_k_again(stream: Stream, layout: SkeletonLayout) -> None:
    joints = torch.rand(20, layout.num_joints) < 0.3
    joints[:, 3] = True
    ends = {Stream.BONE: layout.parents, Stream.KBONE: layout.grandparents}.get(stream.base)
    mask = joints if ends is None else joints | joints[:, list(ends)]
    names = [f"class {n}" for n in range(20)]
    guidance = made(mask).guidance(layout, names, stream)
    assert guidance.sentences == tuple(names)
    for told, row in zip(guidance.classes, joints, strict=True):
        assert not told.notes
        assert set(row.nonzero().flatten().tolist()) <= set(told.joints)
    assert torch.equal(guidance.salient(stream), mask)


def test_a_row_that_no_joints_give_has_a_note() -> None:
    mask = torch.zeros(2, 20, dtype=torch.bool)
    mask[0, COCO_20.bones[0][1]] = True
    told = made(mask).guidance(COCO_20, ["alone", "nothing"], Stream.JOINT).classes
    assert told[0].notes == ()
    assert told[1].notes
    assert made(mask).guidance(COCO_20, ["alone", "nothing"], Stream.BONE).classes[0].notes


@pytest.mark.parametrize("stream", ["j", "b", "k"])
@pytest.mark.parametrize(
    ("benchmark", "layout"),
    [
        ("nturgbd_60", KINECT_25), ("nturgbd_120", KINECT_25), ("finegym", COCO_20),
        ("k400", COCO_20), ("uav_human", UAV_17),
    ],
)  # fmt: skip
def test_published_k_comes_back_as_joints(
    benchmark: str, layout: SkeletonLayout, stream: str, shared: Path
) -> None:
    with np.load(shared / "reference" / "golden" / "salient_joints.npz") as file:
        mask = torch.from_numpy(file[f"{benchmark}_{stream}"]).bool()
        joints = torch.from_numpy(file[f"{benchmark}_j"]).bool()
    names = [str(n) for n in range(len(mask))]
    guidance = made(mask).guidance(layout, names, Stream.parse(stream))
    assert not any(told.notes for told in guidance.classes)
    for told, row in zip(guidance.classes, joints, strict=True):
        assert set(row.nonzero().flatten().tolist()) <= set(told.joints)
