//! A text encoder made ready: blocks of texts in, feature vectors of one layer or of all out.

use std::sync::Arc;

use super::batch::{Batch, batches};
use super::embeddings::beyond;
use super::pooling::{pooled, shared, shares};
use super::tokens::{TokenIds, Tokens};
use super::{BlockFeatures, native, onnx};
use crate::extract::Dense;
use crate::extract::behaviour::{BehaviourOrder, Largest, largest};
use crate::extract::network::HEAD;
use crate::extract::onnx::{Graph, ModelBytes, ModelError};
use crate::extract::order::{Description, Disturbance, LayerDescription, LayerSet, NetworkPlan};
use crate::extract::runtime::{Input, NetworkBytes, Runtime, Session, Tensor};
use crate::store::Text;
use crate::zoo::{Form, TextSettings, TokenPooling};

/// The length, in tokens, of the sequence whose multiply-adds stand for a text's.
pub const REFERENCE_LENGTH: usize = 32;

/// An encoder on one thread.
pub struct Encoder {
    session: Box<dyn Session>,
    shared: Arc<Shared>,
}

/// What all threads share.
struct Shared {
    tokens: Tokens,
    pooling: TokenPooling,
    roles: Vec<Role>,
    layers: Vec<Layer>,
    vocabulary: Option<usize>,
    /// The longest sequence that the network can read, if it says so.
    positions: Option<usize>,
    head: Option<Dense>,
}

/// A network and what it says of itself, before it is loaded.
pub struct Ready {
    /// The network.
    pub network: NetworkBytes,
    /// Its inputs, by name.
    pub inputs: Vec<(String, Role)>,
    /// Its layers, from the first to the last.
    pub layers: Vec<Layer>,
    /// How many token ids it knows, if it says so.
    pub vocabulary: Option<usize>,
    /// The longest sequence that it can read, if it says so.
    pub positions: Option<usize>,
    /// Where the features of the last layer come from, in words.
    pub features_from: String,
    /// Multiply-adds of a sequence of [`REFERENCE_LENGTH`] tokens.
    pub multiply_adds: Option<u64>,
    /// What turns the pooled features of the last layer into what is wanted, where a head is.
    pub head: Option<Dense>,
}

/// What an input is fed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Token ids.
    Ids,
    /// 1 for tokens, 0 for padding.
    Mask,
    /// Token types.
    Types,
    /// The places of the tokens, from 0.
    Positions,
    /// The share of each token in the pooled vector: texts × 1 × length.
    Shares,
}

/// A layer of an encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its name.
    pub name: String,
    /// The output that gives it.
    pub output: String,
    /// Multiply-adds up to it of a sequence of [`REFERENCE_LENGTH`] tokens.
    pub multiply_adds: Option<u64>,
}

/// Loads an encoder for several threads, runs it once on a short text, and says what it is.
pub fn load(
    plan: &NetworkPlan,
    settings: &TextSettings,
    disturbed: Option<Disturbance>,
    runtime: &dyn Runtime,
    threads: usize,
) -> Result<(Description, Vec<Encoder>), ModelError> {
    let ready = match plan.form {
        Form::Native { .. } => native::ready(plan, disturbed, runtime)?,
        Form::Onnx | Form::Static => onnx::ready(plan, settings.pooling, disturbed, runtime)?,
    };
    let tokens = Tokens::load(&plan.folder, settings, vec![], ready.positions)?;
    let inputs: Vec<&str> = ready.inputs.iter().map(|(name, _)| name.as_str()).collect();
    let outputs: Vec<&str> = ready.layers.iter().map(|layer| layer.output.as_str()).collect();
    let sessions = runtime.load(&ready.network, &inputs, &outputs, threads)?;
    let roles = ready.inputs.iter().map(|(_, role)| *role).collect();
    let shared = Arc::new(Shared {
        tokens,
        pooling: settings.pooling,
        roles,
        layers: ready.layers,
        vocabulary: ready.vocabulary,
        positions: ready.positions,
        head: ready.head,
    });
    let mut encoders: Vec<Encoder> =
        sessions.into_iter().map(|session| Encoder { session, shared: Arc::clone(&shared) }).collect();
    let first = encoders.first_mut().ok_or_else(|| ModelError::Unfit("no thread to run on".to_owned()))?;
    let mut layers = first.try_out()?;
    if let (Some(head), Some(last)) = (&first.shared.head, layers.last_mut()) {
        if last.dim != head.into {
            let (dim, into) = (last.dim, head.into);
            return Err(ModelError::Unfit(format!("its head takes {into} numbers, and its features are {dim}")));
        }
        (last.name, last.dim) = (HEAD.to_owned(), head.out);
    }
    let description = Description {
        dim: layers.iter().map(|layer| layer.dim).sum(),
        features_from: match plan.layers {
            LayerSet::Head => ready.features_from,
            _ => format!("{}, {} over the tokens", ready.features_from, settings.pooling.word()),
        },
        runtime: Some(runtime.name()),
        multiply_adds: ready.multiply_adds,
        layers,
    };
    Ok((description, encoders))
}

impl Encoder {
    /// The features of a block of texts, all layers side by side.
    pub fn features(&mut self, texts: &[Text]) -> Result<BlockFeatures, ModelError> {
        let ids = texts.iter().map(|text| self.ids(text)).collect::<Result<Vec<TokenIds>, ModelError>>()?;
        let mut features = vec![vec![]; texts.len()];
        for batch in batches(&ids, self.shared.tokens.padding) {
            for tensor in self.run(&batch)? {
                self.shared.pool(&tensor, &batch, &mut features)?;
            }
        }
        let truncated = ids.iter().filter(|ids| ids.truncated).count();
        let dim = features.iter().map(Vec::len).max().unwrap_or(0);
        features.iter_mut().filter(|found| found.is_empty()).for_each(|found| found.resize(dim, 0.0));
        if let Some(head) = &self.shared.head {
            features.iter_mut().for_each(|found| *found = head.apply(found));
        }
        Ok(BlockFeatures { features, truncated })
    }

    /// The features of some texts as one batch of this length, the last layer's; what is shorter is filled up with the
    /// padding token, or with another one.
    pub fn padded(
        &mut self,
        texts: &[TokenIds],
        length: usize,
        with: Option<i64>,
    ) -> Result<Vec<Vec<f32>>, ModelError> {
        let batch = Batch::padded(texts, length, with.unwrap_or(self.shared.tokens.padding));
        let mut features = vec![vec![]; texts.len()];
        for tensor in self.run(&batch)? {
            self.shared.pool(&tensor, &batch, &mut features)?;
        }
        Ok(features)
    }

    /// The largest number on the way, over these texts one by one; `None` of a network that is no graph.
    pub fn largest(
        &self,
        order: &BehaviourOrder,
        texts: &[TokenIds],
        runtime: &dyn Runtime,
    ) -> Result<Option<Largest>, ModelError> {
        let plan = &order.plan;
        if plan.form != Form::Onnx {
            return Ok(None);
        }
        let bytes = ModelBytes::of(plan)?;
        let graph = Graph::parse(&bytes.model)?;
        let roles = onnx::roles(&graph.text_inputs()?)?;
        let names: Vec<&str> = roles.iter().map(|(name, _)| name.as_str()).collect();
        let roles: Vec<Role> = roles.iter().map(|(_, role)| *role).collect();
        let batches: Vec<Batch> =
            texts.iter().map(|text| Batch::padded(std::slice::from_ref(text), text.ids.len(), 0)).collect();
        let fed: Vec<Fed> = batches.iter().map(|batch| self.shared.fed(batch)).collect();
        let feed = |run: usize| fed[run].inputs(&batches[run], &roles);
        largest(&bytes, &graph, &names, batches.len(), &feed, runtime)
    }

    /// How many token ids may be fed.
    pub fn known_ids(&self) -> usize {
        let size = self.shared.tokens.size();
        self.shared.vocabulary.map_or(size, |rows| rows.min(size))
    }

    /// Whether the network is told which tokens are padding.
    pub fn has_mask(&self) -> bool {
        self.shared.roles.contains(&Role::Mask)
    }

    /// The longest sequence that the network can read, where it says so.
    pub fn longest(&self) -> Option<usize> {
        self.shared.positions
    }

    /// The ids of a text, all of which the embedding table must know.
    pub fn ids(&self, text: &Text) -> Result<TokenIds, ModelError> {
        let (tokens, vocabulary) = (&self.shared.tokens, self.shared.vocabulary);
        let ids = tokens.ids(text)?;
        let known = |id: i64| vocabulary.is_none_or(|size| usize::try_from(id).is_ok_and(|id| id < size));
        match ids.ids.iter().find(|&&id| !known(id)) {
            Some(&id) => Err(beyond(id, &tokens.token(id), vocabulary.unwrap_or(0))),
            None => Ok(ids),
        }
    }

    fn run(&mut self, batch: &Batch) -> Result<Vec<Tensor>, ModelError> {
        let fed = self.shared.fed(batch);
        self.session.run(&fed.inputs(batch, &self.shared.roles))
    }

    /// Whether the features of a short text are all numbers.
    pub fn gives_numbers(&mut self) -> Result<bool, ModelError> {
        let ids = self.ids(&Text { first: "a".to_owned(), second: None })?;
        let rows = self.padded(std::slice::from_ref(&ids), ids.ids.len(), None)?;
        Ok(rows.iter().flatten().all(|value| value.is_finite()))
    }

    /// Runs a short text, to see how wide each layer is.
    fn try_out(&mut self) -> Result<Vec<LayerDescription>, ModelError> {
        let ids = self.ids(&Text { first: "a".to_owned(), second: None })?;
        let Some(batch) = batches(&[ids], self.shared.tokens.padding).pop() else {
            return Err(ModelError::Unfit("its tokenizer makes no token of the text \"a\"".to_owned()));
        };
        let found = self.run(&batch)?;
        let layer = |(layer, tensor): (&Layer, Tensor)| LayerDescription {
            name: layer.name.clone(),
            dim: tensor.shape.last().copied().unwrap_or(0),
            multiply_adds: layer.multiply_adds,
        };
        Ok(self.shared.layers.iter().zip(found).map(layer).collect())
    }
}

/// What a batch is fed with beside its own lists.
struct Fed {
    positions: Vec<i64>,
    shares: Tensor,
}

impl Fed {
    fn inputs<'a>(&'a self, batch: &'a Batch, roles: &[Role]) -> Vec<Input<'a>> {
        let shape = batch.shape();
        let input = |role: &Role| match role {
            Role::Ids => Input::Integers { shape, values: &batch.ids },
            Role::Mask => Input::Integers { shape, values: &batch.mask },
            Role::Types => Input::Integers { shape, values: &batch.types },
            Role::Positions => Input::Integers { shape, values: &self.positions },
            Role::Shares => Input::Floats(&self.shares),
        };
        roles.iter().map(input).collect()
    }
}

impl Shared {
    fn fed(&self, batch: &Batch) -> Fed {
        let positions = batch.members.iter().flat_map(|_| (0_i64..).take(batch.length)).collect();
        Fed { positions, shares: self.shares(batch) }
    }

    /// texts × 1 × length shares of the tokens in the pooled vectors.
    fn shares(&self, batch: &Batch) -> Tensor {
        let wanted = self.roles.contains(&Role::Shares);
        let row = |(&tokens, own): (&usize, &Option<Vec<f32>>)| match own {
            Some(own) => own.iter().copied().chain(std::iter::repeat(0.0)).take(batch.length).collect(),
            None => shares(self.pooling, tokens, batch.length).unwrap_or_default(),
        };
        let values = if wanted { batch.tokens.iter().zip(&batch.shares).flat_map(row).collect() } else { vec![] };
        Tensor { shape: vec![batch.members.len(), 1, batch.length], values }
    }

    /// Appends one layer's vector of each text: token states are pooled, what is pooled already is taken.
    fn pool(&self, found: &Tensor, batch: &Batch, features: &mut [Vec<f32>]) -> Result<(), ModelError> {
        let (rows, length) = (batch.members.len(), batch.length);
        let size = found.values.len().checked_div(rows).unwrap_or(0);
        match found.shape[..] {
            [batch_size, tokens, dim] if batch_size == rows && tokens == length && tokens * dim == size => {
                for (((&place, &tokens), own), states) in
                    batch.members.iter().zip(&batch.tokens).zip(&batch.shares).zip(found.values.chunks(size))
                {
                    features[place].extend(match own {
                        Some(own) => shared(own, states, dim),
                        None => pooled(self.pooling, states, tokens, dim),
                    });
                }
            }
            [batch_size, dim] | [batch_size, 1, dim] if batch_size == rows && dim == size => {
                for (&place, vector) in batch.members.iter().zip(found.values.chunks(size)) {
                    features[place].extend_from_slice(vector);
                }
            }
            _ => {
                let shape = &found.shape;
                let reason = format!(
                    "a layer of shape {shape:?} is neither the states of {rows} × {length} tokens nor {rows} vectors"
                );
                return Err(ModelError::Unfit(reason));
            }
        }
        Ok(())
    }
}
