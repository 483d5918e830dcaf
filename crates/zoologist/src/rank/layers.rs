//! Which layer's features are scored: the last, the mean of all, all side by side, or the best one.
//!
//! Choosing a layer by its score and then reporting that score would flatter models with many layers. So the best layer is
//! chosen on every other shard, and all candidates are compared on the shards between them.

use std::ops::Range;

use super::Error;
use super::features::Extracted;
use super::scoring::{self, Scored};
use crate::extract::{Description, LayerSet};
use crate::score::{Evaluation, Metric};

/// What the layer before the first block of a text encoder is called.
const EMBEDDINGS: &str = "embeddings";

/// Which layers' features are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layers {
    /// Those of the last layer.
    Last,
    /// The mean over all layers but the embeddings, which must be equally wide.
    Mean,
    /// Those of the layer that scores best on half of the shards; the other half gives the score.
    Best,
    /// Those of all layers side by side.
    All,
}

/// Features as they are scored: some of the columns, or the mean of several groups of columns.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The layer, by name.
    pub layer: String,
    /// Numbers per row.
    pub dim: usize,
    columns: Columns,
}

#[derive(Debug, Clone, PartialEq)]
enum Columns {
    All,
    Some(Range<usize>),
    /// The mean of so many groups, after columns that are left out.
    MeanOf {
        groups: usize,
        after: usize,
    },
}

impl Layers {
    /// What a worker has to compute.
    pub fn set(self) -> LayerSet {
        if self == Self::Last { LayerSet::Last } else { LayerSet::All }
    }
}

impl View {
    /// All columns, as one layer.
    pub fn whole(description: &Description) -> Self {
        let layer = match &description.layers[..] {
            [_] | [] => "last".to_owned(),
            _ => "all".to_owned(),
        };
        Self { layer, dim: description.dim, columns: Columns::All }
    }

    /// One view per layer, from the first to the last.
    pub fn each(description: &Description) -> Vec<Self> {
        let mut start = 0;
        let view = |layer: &crate::extract::LayerDescription| {
            let columns = Columns::Some(start..start + layer.dim);
            start += layer.dim;
            Self { layer: layer.name.clone(), dim: layer.dim, columns }
        };
        description.layers.iter().map(view).collect()
    }

    /// The mean over all layers. Embeddings have seen no neighbours yet; they are left out, as others do.
    fn mean(description: &Description) -> Result<Self, String> {
        let first = description.layers.first().filter(|first| first.name == EMBEDDINGS && description.layers.len() > 1);
        let after = first.map_or(0, |first| first.dim);
        let blocks = description.layers.iter().skip(usize::from(first.is_some()));
        let widths: Vec<usize> = blocks.map(|layer| layer.dim).collect();
        let count = widths.len();
        match widths.first() {
            Some(&dim) if widths.iter().all(|&width| width == dim) => {
                let layer = if count == 1 { "last" } else { "mean" };
                Ok(Self { layer: layer.to_owned(), dim, columns: Columns::MeanOf { groups: count, after } })
            }
            _ => Err(format!(
                "its {count} layers have different widths, so there is no mean of them: use --layers last, best or all"
            )),
        }
    }

    /// Adds what is looked at of one row.
    pub fn take(&self, row: &[f32], into: &mut Vec<f32>) {
        match &self.columns {
            Columns::All => into.extend_from_slice(row),
            Columns::Some(columns) => into.extend_from_slice(&row[columns.clone()]),
            &Columns::MeanOf { groups, after } => {
                let of = |column: usize| row.iter().skip(after + column).step_by(self.dim).sum::<f32>() / groups as f32;
                into.extend((0..self.dim).map(of));
            }
        }
    }

    /// Names the view, for the key of remembered scores.
    pub fn key(&self) -> String {
        format!("{:?}", self.columns)
    }
}

/// The view of a candidate that `layers` asks for. The best layer is the one whose `metric` is highest on `choosing`.
pub fn view(
    layers: Layers,
    extracted: &Extracted,
    metric: &'static Metric,
    choosing: Option<&Scored>,
) -> Result<Result<View, String>, Error> {
    Ok(match (layers, choosing) {
        (Layers::Mean, _) => View::mean(&extracted.description),
        (Layers::Best, Some(scored)) => Ok(best(extracted, metric, scored)?),
        (Layers::Last | Layers::All | Layers::Best, _) => Ok(View::whole(&extracted.description)),
    })
}

/// The layer of the highest score; of equals the earlier one, which is cheaper.
fn best(extracted: &Extracted, metric: &'static Metric, scored: &Scored) -> Result<View, Error> {
    let mut best: Option<(f64, View)> = None;
    for view in View::each(&extracted.description) {
        let value =
            scoring::scores(&[metric], scored, extracted, &view)?.first().map_or(f64::NEG_INFINITY, Evaluation::height);
        if best.as_ref().is_none_or(|(highest, _)| value > *highest) {
            best = Some((value, view));
        }
    }
    Ok(best.map_or_else(|| View::whole(&extracted.description), |(_, view)| view))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::LayerDescription;

    fn description(widths: &[usize]) -> Description {
        let layer = |(place, &dim): (usize, &usize)| LayerDescription {
            name: format!("block {place}"),
            dim,
            multiply_adds: None,
        };
        let layers = widths.iter().enumerate().map(layer).collect();
        Description { layers, ..Description::of_last(widths.iter().sum(), String::new(), None, None) }
    }

    #[test]
    fn layers_are_cut_out_or_averaged() {
        let seen = |view: &View| {
            let mut values = vec![];
            view.take(&[0.0, 1.0, 2.0, 3.0], &mut values);
            view.take(&[4.0, 5.0, 6.0, 7.0], &mut values);
            values
        };
        let views = View::each(&description(&[1, 3]));
        assert_eq!(seen(&views[0]), [0.0, 4.0]);
        assert_eq!(seen(&views[1]), [1.0, 2.0, 3.0, 5.0, 6.0, 7.0]);
        assert!(View::mean(&description(&[1, 3])).is_err());
        let mean = View::mean(&description(&[2, 2])).unwrap();
        assert_eq!(seen(&mean), [1.0, 2.0, 5.0, 6.0]);
        assert_eq!(seen(&View::whole(&description(&[2, 2]))).len(), 8);
    }
}
