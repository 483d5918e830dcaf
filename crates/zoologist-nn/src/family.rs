//! The families of encoders: what they call their tensors, and what may be left over in their files.
//!
//! All are one network, the encoder of Vaswani et al. (arXiv:1706.03762) with the norm after each block. They differ
//! in names, in where positions start, and MPNet in a bias by relative position.

/// The names of one family. Each product is a `.weight` (out × in) and a `.bias`, each norm a `.weight` and a `.bias`.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// Its names in `model_type`.
    pub types: &'static [&'static str],
    /// What stands before each name where the encoder is part of a larger model.
    pub prefix: &'static str,
    /// What stands before the number of a layer.
    pub layers: &'static str,
    /// Query, key and value.
    pub attention: [&'static str; 3],
    /// The product after attention.
    pub context: &'static str,
    /// The norm after attention.
    pub attention_norm: &'static str,
    /// The first product of the feed-forward block.
    pub inner: &'static str,
    /// The second product of the feed-forward block.
    pub outer: &'static str,
    /// The norm after the feed-forward block.
    pub outer_norm: &'static str,
    /// Starts of names that belong to heads: not part of the hidden states.
    pub heads: &'static [&'static str],
    /// Whether positions are counted from the padding id on, over real tokens.
    pub counts_from_padding: bool,
    /// Whether there are embeddings of token types.
    pub has_types: bool,
    /// Whether all layers share a bias by relative position.
    pub has_relative_bias: bool,
}

/// Embeddings of tokens.
pub const WORDS: &str = "embeddings.word_embeddings.weight";
/// Embeddings of positions.
pub const POSITIONS: &str = "embeddings.position_embeddings.weight";
/// Embeddings of token types.
pub const TYPES: &str = "embeddings.token_type_embeddings.weight";
/// The norm after the embeddings.
pub const EMBEDDING_NORM: &str = "embeddings.LayerNorm";
/// The bias by relative position, buckets × heads.
pub const RELATIVE_BIAS: &str = "encoder.relative_attention_bias.weight";
/// A buffer that older versions wrote beside the weights.
pub const POSITION_IDS: &str = "embeddings.position_ids";

const BERT: Family = Family {
    types: &["bert"],
    prefix: "bert.",
    layers: "encoder.layer",
    attention: ["attention.self.query", "attention.self.key", "attention.self.value"],
    context: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    inner: "intermediate.dense",
    outer: "output.dense",
    outer_norm: "output.LayerNorm",
    heads: &["pooler.", "cls.", "classifier.", "qa_outputs."],
    counts_from_padding: false,
    has_types: true,
    has_relative_bias: false,
};

const ROBERTA: Family = Family {
    types: &["roberta", "xlm-roberta", "camembert"],
    prefix: "roberta.",
    heads: &["pooler.", "lm_head.", "classifier.", "qa_outputs."],
    counts_from_padding: true,
    ..BERT
};

const DISTILBERT: Family = Family {
    types: &["distilbert"],
    prefix: "distilbert.",
    layers: "transformer.layer",
    attention: ["attention.q_lin", "attention.k_lin", "attention.v_lin"],
    context: "attention.out_lin",
    attention_norm: "sa_layer_norm",
    inner: "ffn.lin1",
    outer: "ffn.lin2",
    outer_norm: "output_layer_norm",
    heads: &[
        "vocab_transform.",
        "vocab_layer_norm.",
        "vocab_projector.",
        "pre_classifier.",
        "classifier.",
        "qa_outputs.",
    ],
    has_types: false,
    ..BERT
};

const MPNET: Family = Family {
    types: &["mpnet"],
    prefix: "mpnet.",
    attention: ["attention.attn.q", "attention.attn.k", "attention.attn.v"],
    context: "attention.attn.o",
    attention_norm: "attention.LayerNorm",
    heads: &["pooler.", "lm_head.", "classifier.", "qa_outputs."],
    counts_from_padding: true,
    has_types: false,
    has_relative_bias: true,
    ..BERT
};

/// All families that are read.
pub const FAMILIES: [&Family; 4] = [&BERT, &ROBERTA, &DISTILBERT, &MPNET];

impl Family {
    /// The family of a `model_type`.
    pub fn named(name: &str) -> Option<&'static Self> {
        FAMILIES.into_iter().find(|family| family.types.contains(&name))
    }

    /// The full name of a part of a layer.
    pub fn in_layer(&self, layer: usize, part: &str) -> String {
        format!("{}.{layer}.{part}", self.layers)
    }

    /// Whether a name, without the prefix, is known not to belong to the encoder.
    pub fn is_leftover(&self, name: &str) -> bool {
        name == POSITION_IDS || self.heads.iter().any(|start| name.starts_with(start))
    }
}
