"""Small text encoders with random weights, in every form in which real ones are published."""

from __future__ import annotations

import shutil
import string
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn

POSITIONS = 77
WIDTH = 128  # two of OpenAI's heads


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of the transformers library for each published text encoder, made but once."""
    pytest.importorskip("transformers")
    root = tmp_path_factory.mktemp("encoders")
    made = {
        "clip-vit-b-32": clip_folder(root / "b32", seed=0),
        "clip-vit-b-16": clip_folder(root / "b16", seed=1),
        "clip-rn101": openai_folder(root / "rn101"),
        "bert": bert_folder(root / "bert", width=768),
        "minilm": bert_folder(root / "minilm", width=384),
    }
    return made


def clip_folder(folder: Path, seed: int) -> Path:
    """Save a whole CLIP model, image tower and all, as OpenAI's repositories on the hub do."""
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(seed)
    size = {"hidden_size": 16, "intermediate_size": 8, "num_hidden_layers": 1}
    size |= {"num_attention_heads": 2}
    known = words(clip_tokenizer())
    marks = {"vocab_size": known, "bos_token_id": known - 2, "eos_token_id": known - 1}
    config = CLIPConfig(
        text_config={**size, "num_hidden_layers": 2, **marks},
        vision_config={**size, "image_size": 4, "patch_size": 4},
        projection_dim=512,
    )
    CLIPModel(config).save_pretrained(folder)
    clip_tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def bert_folder(folder: Path, width: int) -> Path:
    """Save a BERT that guesses masked words, so that its tensors' names start with ``bert.``."""
    from transformers import BertConfig, BertForMaskedLM

    torch.manual_seed(width)
    config = BertConfig(
        vocab_size=words(bert_tokenizer()), hidden_size=width, num_hidden_layers=1,
        num_attention_heads=2, intermediate_size=8, max_position_embeddings=40,
    )  # fmt: skip
    BertForMaskedLM(config).save_pretrained(folder)
    bert_tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def openai_folder(folder: Path) -> Path:
    """Save OpenAI's text encoder as open_clip does, beside another library's configuration."""
    from safetensors.torch import save_file

    folder.mkdir()
    state = {name: tensor.contiguous() for name, tensor in openai_tower().state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    (folder / "config.json").write_text('{"architecture": "resnet101_clip_gap"}')
    save_file({"stem.weight": torch.zeros(1)}, folder / "model.safetensors")
    clip_tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def words(tokenizer: Tokenizer) -> int:
    """Return how many tokens there are."""
    return int(tokenizer.get_vocab_size())


def clip_tokenizer() -> Tokenizer:
    """Return a tokenizer of CLIP's kind: letters, and a few merges, between two marks."""
    letters = string.ascii_lowercase + ".,'"
    merges = [("a", "r"), ("ar", "m</w>"), ("h", "a"), ("ha", "n"), ("han", "d</w>")]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *map("".join, merges)]
    marks = ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: index for index, token in enumerate([*tokens, *marks])}
    tokenizer = Tokenizer(
        models.BPE(vocabulary, merges, end_of_word_suffix="</w>", unk_token=marks[1])
    )
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    start, end = ((mark, vocabulary[mark]) for mark in marks)
    tokenizer.post_processor = processors.RobertaProcessing(end, start)
    return tokenizer


def bert_tokenizer() -> Tokenizer:
    """Return a tokenizer of BERT's kind, which pads and cuts as MiniLM's does when it is loaded."""
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "arm", "hand", "swing", "##s", "."]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=8)
    return tokenizer


class QuickGelu(nn.Module):
    """The sigmoid form of GELU that OpenAI trained CLIP with."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class Layer(nn.Module):
    """A layer under OpenAI's names."""

    def __init__(self) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(WIDTH, WIDTH // 64, batch_first=True)
        self.ln_1 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential()
        self.mlp.add_module("c_fc", nn.Linear(WIDTH, 4 * WIDTH))
        self.mlp.add_module("gelu", QuickGelu())
        self.mlp.add_module("c_proj", nn.Linear(4 * WIDTH, WIDTH))
        self.ln_2 = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        t = x.shape[1]
        later = torch.triu(torch.full((t, t), -torch.inf, dtype=x.dtype), diagonal=1)
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=later)[0]
        return x + self.mlp(self.ln_2(x))


class TextTower(nn.Module):
    """CLIP's text tower under OpenAI's names, step by step (Radford et al. 2021, section 2.4)."""

    def __init__(self, vocabulary: int, layers: int, dim: int) -> None:
        super().__init__()
        self.visual = nn.Linear(2, 3)
        self.token_embedding = nn.Embedding(vocabulary, WIDTH)
        self.positional_embedding = nn.Parameter(torch.randn(POSITIONS, WIDTH))
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.Sequential(*(Layer() for _ in range(layers)))
        self.ln_final = nn.LayerNorm(WIDTH)
        self.text_projection = nn.Parameter(torch.randn(WIDTH, dim))
        self.logit_scale = nn.Parameter(torch.tensor(2.659))

    def forward(self, ids: Tensor) -> Tensor:
        x = self.token_embedding(ids) + self.positional_embedding[: ids.shape[1]]
        x = self.ln_final(self.transformer.resblocks(x))
        end = ids.argmax(dim=1)  # the mark of the end has the highest number
        return x[torch.arange(x.shape[0]), end] @ self.text_projection


def openai_tower(layers: int = 2, dim: int = 512) -> TextTower:
    """Return a random text tower, norms and biases included, always the same."""
    torch.manual_seed(7)
    tower = TextTower(words(clip_tokenizer()), layers, dim).eval().requires_grad_(False)
    for parameter in tower.parameters():
        if parameter.ndim == 1:
            parameter.add_(0.1 * torch.randn_like(parameter))
    return tower


@pytest.fixture(scope="session")
def tower() -> TextTower:
    """OpenAI's text tower, literally."""
    return openai_tower()


@pytest.fixture
def folder(request: pytest.FixtureRequest, folders: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of a folder, to be changed."""
    return Path(shutil.copytree(folders[request.param], tmp_path / "copy"))
