//! What can be wrong with the files of an encoder, and with what it is asked to run.

/// Why an encoder can't be loaded. Each message is one line; names from the files are escaped.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// `config.json` is not JSON, or a value in it is missing or out of range.
    #[error("config.json: {0}; take the file that was published with these weights")]
    Config(String),
    /// The model is of a family that is not read natively.
    #[error("config.json: model_type {0} is not read natively ({1} are); export the model to ONNX instead")]
    Family(String, String),
    /// The network for pictures is none that is read natively.
    #[error("config.json: the architecture {0} is not read natively ({1} are); export the model to ONNX instead")]
    Architecture(String, &'static str),
    /// The configuration asks for something that these networks don't have.
    #[error("config.json: {0} is not supported natively; export the model to ONNX instead")]
    Unsupported(String),
    /// The file of weights is not a whole safetensors file.
    #[error("model.safetensors is broken ({0}); fetch it again")]
    Broken(String),
    /// Tensors are missing, of another shape or type, or left over.
    #[error("model.safetensors does not fit config.json: {0}; take both files from one publication of the model")]
    Tensors(String),
}

/// Why tokens can't be run. Each message is one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// A list does not hold batch × length entries.
    #[error("{what} holds {found} entries; {batch} rows of {length} tokens need {}", batch * length)]
    Size {
        /// Which list.
        what: &'static str,
        /// How many entries it holds.
        found: usize,
        /// Rows that were announced.
        batch: usize,
        /// Tokens of a row.
        length: usize,
    },
    /// An id without an embedding.
    #[error("row {row}: {what} {id} has no embedding: the model knows {limit}; use the model's own tokenizer")]
    Id {
        /// Row of the batch.
        row: usize,
        /// Token or token type.
        what: &'static str,
        /// The id.
        id: u32,
        /// Embeddings that there are.
        limit: usize,
    },
    /// A sequence longer than the model has positions.
    #[error("row {row} has {length} tokens; the model has positions for {limit}: truncate it")]
    Length {
        /// Row of the batch.
        row: usize,
        /// Place after its last real token.
        length: usize,
        /// Positions that there are.
        limit: usize,
    },
    /// Real tokens on both sides of padding.
    #[error("row {row}: padding stands between real tokens; put it at one end")]
    Mask {
        /// Row of the batch.
        row: usize,
    },
    /// Pictures of a size that the network can't take.
    #[error("pictures of {} × {} pixels; this network takes {edge} × {edge}", found[0], found[1])]
    Edge {
        /// Height and width.
        found: [usize; 2],
        /// The edge that it takes.
        edge: usize,
    },
    /// Pictures that can't be halved as often as the network does.
    #[error("pictures of {} × {} pixels; both must be multiples of {of}: set --size", found[0], found[1])]
    Multiple {
        /// Height and width.
        found: [usize; 2],
        /// What both must be multiples of.
        of: usize,
    },
    /// Blocks that can't be taken out.
    #[error("without {0} the blocks that are left don't fit on each other")]
    Blocks(String),
    /// Pictures for a network of texts, or texts for one of pictures.
    #[error("the samples are not of the kind that this network takes")]
    Kind,
    /// Nothing was asked for.
    #[error("there is nothing to run")]
    Nothing,
    /// Layers that do not exist, or not in rising order.
    #[error("layers {layers:?} were asked for; give rising numbers from 0 to {last}")]
    Layers {
        /// What was asked for.
        layers: Vec<usize>,
        /// The last hidden state.
        last: usize,
    },
}
