//! The layers of a network: the values in its graph after each of its blocks.
//!
//! Blocks are known by their form and not by their names, for exporters keep no names. A residual block parts and joins
//! again, so its ends are cuts of the [`Chain`]. In a transformer, one with attention in it begins a new block, and the
//! feed-forward half that follows belongs to the same block. In a convolutional network, blocks without a shortcut are
//! found too: a 1 × 1 convolution after a depthwise one ends a block, and so does a 1 × 1 convolution that the next one
//! follows with no activation between them. A network without any of these is cut before each operator that makes the
//! map smaller.

use super::Graph;
use super::chain::Chain;

/// A value of the graph that is the end of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerValue {
    /// The value's name in the graph.
    pub value: String,
    /// What to call the layer: `embeddings` or `stem`, `block 1` and so on, `head`; `features` if no other is known.
    pub name: String,
}

/// Ends of layers, as steps of the chain in order.
struct Ends {
    /// The name of the first, if it ends no block.
    first: Option<&'static str>,
    steps: Vec<usize>,
}

/// A network of more layers is taken as one: nobody made it to be looked into.
const MOST_LAYERS: usize = 1024;

/// A block has at least so many convolutions; a lone one between two blocks belongs to the next.
const FEWEST_CONVOLUTIONS: usize = 2;

impl Graph {
    /// The layers from `input`, the ids or the picture, to the value `features`, in order. The last is the value that
    /// becomes the features by pooling alone, or the features themselves.
    pub fn layers(&self, input: &str, features: &str) -> Vec<LayerValue> {
        let layer = |value: &str, name: String| LayerValue { value: value.to_owned(), name };
        let alone = || vec![layer(features, "features".to_owned())];
        let Some(chain) = Chain::of(self, input, features) else { return alone() };
        let mut ends = block_ends(&chain);
        let Some(&last_block) = ends.steps.last().filter(|_| ends.steps.len() < MOST_LAYERS) else { return alone() };
        let last = chain.before_pooling().max(last_block);
        let has_head = chain.multiplies(last_block + 1..last + 1);
        if !has_head {
            ends.steps.pop();
        }
        ends.steps.push(last);
        let (count, unnumbered) = (ends.steps.len(), usize::from(ends.first.is_some()));
        let name = |place| match ends.first {
            _ if has_head && place + 1 == count => "head".to_owned(),
            Some(first) if place == 0 => first.to_owned(),
            _ => format!("block {}", place + 1 - unnumbered),
        };
        ends.steps.iter().enumerate().map(|(place, &step)| layer(chain.value(step), name(place))).collect()
    }
}

fn block_ends(chain: &Chain) -> Ends {
    let kinds = [transformer_ends, convolutional_ends, plain_ends];
    let mut found = kinds.into_iter().map(|ends| ends(chain));
    found.find(|ends| !ends.steps.is_empty()).unwrap_or(Ends { first: None, steps: vec![] })
}

/// The block that is the second half of this one: this one has attention, the next has none and begins where it ends.
fn second_half(chain: &Chain, step: usize) -> Option<usize> {
    let next = || chain.after_normalisation(step) + 1;
    chain
        .is_attention(step)
        .then(next)
        .filter(|&next| next < chain.len())
        .filter(|&next| chain.is_block(next) && !chain.is_attention(next))
}

/// Where the residual branches with attention begin, and where the last block ends; nothing if blocks of convolutions
/// stand among them.
fn transformer_ends(chain: &Chain) -> Ends {
    let blocks = || (0..chain.len()).filter(|&step| chain.is_block(step));
    let halves: Vec<usize> = blocks().filter_map(|step| second_half(chain, step)).collect();
    let is_convolutional =
        |step: usize| chain.convolves(step) && !chain.is_attention(step) && halves.binary_search(&step).is_err();
    let attention: Vec<usize> = blocks().filter(|&step| step > 0 && chain.is_attention(step)).collect();
    let mut steps = vec![];
    if !attention.is_empty() && !blocks().any(is_convolutional) {
        steps = attention.into_iter().map(|step| step - 1).collect();
        steps.extend(blocks().next_back().map(|step| chain.after_normalisation(step)));
    }
    Ends { first: Some("embeddings"), steps }
}

/// Where blocks begin and end, with a shortcut or without.
fn convolutional_ends(chain: &Chain) -> Ends {
    let mut steps = vec![];
    let mut first_is_block = true;
    let mut convolutions = 0;
    let (mut depthwise, mut begun) = (false, false);
    for step in 0..chain.len() {
        if chain.is_block(step) {
            // Until the first weights, the input was at most normalised.
            if begun && (steps.is_empty() || convolutions >= FEWEST_CONVOLUTIONS) {
                first_is_block &= !steps.is_empty();
                steps.push(chain.after_activation(step - 1));
            }
            if second_half(chain, step).is_none() {
                steps.push(chain.after_activation(step));
            }
            (convolutions, depthwise) = (0, false);
        } else if let Some(found) = chain.convolution(step) {
            convolutions += 1;
            depthwise |= found.is_depthwise;
            if found.is_pointwise && (depthwise || chain.convolves_next(step)) {
                steps.push(chain.after_activation(step));
                (convolutions, depthwise) = (0, false);
            }
        }
        begun |= chain.embeds(step) || chain.multiplies(step..step + 1);
    }
    steps.dedup();
    with_stem(chain, steps, first_is_block)
}

/// Names the first end, and puts the first convolution before it where it ends a block already.
fn with_stem(chain: &Chain, mut steps: Vec<usize>, first_is_block: bool) -> Ends {
    let Some(&first) = steps.first() else { return Ends { first: None, steps } };
    let stem = (0..first).find(|&step| chain.convolution(step).is_some()).map(|step| chain.after_activation(step));
    if !first_is_block {
        let name = if chain.multiplies(0..first + 1) { "stem" } else { "embeddings" };
        return Ends { first: Some(name), steps };
    }
    let stem = stem.filter(|&stem| stem < first);
    steps.splice(0..0, stem);
    Ends { first: stem.map(|_| "stem"), steps }
}

/// The last cut before each operator that makes the map smaller, if a convolution stands before it.
fn plain_ends(chain: &Chain) -> Ends {
    let mut steps = vec![];
    let mut convolved = false;
    for step in 0..chain.len() {
        let convolution = chain.convolution(step);
        let shrinks = chain.pools(step) || convolution.is_some_and(|found| found.is_strided);
        if convolved && shrinks {
            steps.push(step - 1);
            convolved = false;
        }
        convolved |= convolution.is_some();
    }
    Ends { first: None, steps }
}

#[cfg(test)]
mod tests;
