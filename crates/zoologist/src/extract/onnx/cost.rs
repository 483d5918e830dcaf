//! The cost of one forward pass in multiply-adds, counted and not estimated.
//!
//! Only matrix products and convolutions count. Their weights' shapes stand in the graph; the shapes of their results
//! do not always, so the values are added to the outputs, the model is run once on one blank picture, and the shapes
//! are read off.

use rten_onnx::onnx::NodeProto;

use super::Graph;

/// Values to run for, and how many multiply-adds each of their numbers costs.
pub struct CostPlan {
    terms: Vec<Term>,
}

struct Term {
    /// The node that costs.
    node: usize,
    /// A value of the graph.
    value: String,
    /// Multiply-adds per number of that value.
    factor: Factor,
}

enum Factor {
    /// A known number.
    Known(u64),
    /// The length of the last axis of another value of the graph.
    LastAxisOf(String),
}

impl CostPlan {
    /// The plan for a graph.
    pub fn of(graph: &Graph) -> Self {
        Self { terms: graph.nodes().iter().enumerate().filter_map(|(place, node)| term(graph, place, node)).collect() }
    }

    /// The values whose shapes are needed.
    pub fn values(&self) -> Vec<&str> {
        let mut values: Vec<&str> = self.terms.iter().map(|term| term.value.as_str()).collect();
        values.extend(self.terms.iter().filter_map(|term| match &term.factor {
            Factor::LastAxisOf(value) => Some(value.as_str()),
            Factor::Known(_) => None,
        }));
        values.sort_unstable();
        values.dedup();
        values
    }

    /// Multiply-adds, given the shape of each value.
    pub fn multiply_adds(&self, shape_of: impl Fn(&str) -> Option<Vec<usize>>) -> u64 {
        self.sum(shape_of, |_| true)
    }

    /// Multiply-adds of only what `value` of the graph depends on, so the cost of running the model up to there; 0 for
    /// a value that no node makes.
    pub fn multiply_adds_until(
        &self,
        graph: &Graph,
        value: &str,
        shape_of: impl Fn(&str) -> Option<Vec<usize>>,
    ) -> u64 {
        let needed = graph.needed_for(value).unwrap_or_default();
        self.sum(shape_of, |node| needed.get(node).is_some_and(|&needed| needed))
    }

    fn sum(&self, shape_of: impl Fn(&str) -> Option<Vec<usize>>, counts: impl Fn(usize) -> bool) -> u64 {
        let count = |term: &Term| {
            let numbers: usize = shape_of(&term.value)?.iter().product();
            let factor = match &term.factor {
                Factor::Known(factor) => *factor,
                Factor::LastAxisOf(value) => *shape_of(value)?.last()? as u64,
            };
            Some(numbers as u64 * factor)
        };
        self.terms.iter().filter(|term| counts(term.node)).filter_map(count).sum()
    }
}

fn term(graph: &Graph, place: usize, node: &NodeProto) -> Option<Term> {
    let value = node.output.first()?.clone();
    let weight = node.input.get(1)?;
    let dims = graph.weight_dims(weight).map(|dims| dims.iter().map(|&dim| dim.unsigned_abs()).collect::<Vec<u64>>());
    let factor = match (node.op_type.as_deref()?, dims) {
        // Weights of a convolution: results, inputs per group, kernel. Each result costs all but the first.
        ("Conv", Some(dims)) => Factor::Known(dims.iter().skip(1).product()),
        ("Gemm" | "MatMul", Some(dims)) if dims.len() == 2 => {
            let transposed = node
                .attribute
                .iter()
                .any(|attribute| attribute.name.as_deref() == Some("transB") && attribute.i == Some(1));
            Factor::Known(dims[usize::from(transposed)])
        }
        ("Gemm" | "MatMul", _) => Factor::LastAxisOf(node.input.first()?.clone()),
        _ => return None,
    };
    Some(Term { node: place, value, factor })
}
