//! The table of token vectors of a text model, for looking at its rows.

use std::collections::{HashMap, HashSet};

use safetensors::SafeTensors;

use super::embeddings::{self, Table, numbers};
use crate::base::path_text::show;
use crate::extract::files;
use crate::extract::onnx::{Content, Graph, ModelBytes, ModelError};
use crate::extract::order::NetworkPlan;
use crate::zoo::Form;

/// What native encoders call their table, after whatever prefix.
const NATIVE_TABLE: &str = "word_embeddings.weight";

/// The rows of a table of token vectors.
pub struct Rows {
    table: Table,
    /// Rows that hold the same vector as another one.
    doubled: HashSet<usize>,
}

/// The table that a model picks token vectors from, where it can be told.
pub fn rows_of(plan: &NetworkPlan) -> Result<Option<Rows>, ModelError> {
    let table = match plan.form {
        Form::Onnx => of_graph(plan)?,
        Form::Native { .. } => of_native(plan)?,
        Form::Static => Some(embeddings::read_unchecked(&files::checked(&plan.folder, &plan.weights)?)?),
    };
    Ok(table.map(Rows::new))
}

/// The words that a file of words and vectors holds; none for other files.
pub fn words_of(plan: &NetworkPlan) -> Result<Vec<String>, ModelError> {
    Ok(embeddings::read_unchecked(&files::checked(&plan.folder, &plan.weights)?)?.words)
}

fn of_graph(plan: &NetworkPlan) -> Result<Option<Table>, ModelError> {
    let bytes = ModelBytes::of(plan)?;
    let graph = Graph::parse(&bytes.model)?;
    let Ok(inputs) = graph.text_inputs() else { return Ok(None) };
    let Some(name) = graph.table_of(&inputs.ids.name) else { return Ok(None) };
    let mut table = None;
    bytes.each_weight(&graph, &mut |weight| {
        if weight.name == name
            && let ([_, dim], Content::Floats(values)) = (&weight.shape[..], weight.content)
            && *dim > 0
        {
            table = Some(Table::new(*dim, values));
        }
    });
    Ok(table)
}

fn of_native(plan: &NetworkPlan) -> Result<Option<Table>, ModelError> {
    let path = files::checked(&plan.folder, &plan.weights)?;
    let bytes = std::fs::read(&path).map_err(|source| ModelError::Read { path: path.clone(), source })?;
    let broken = |error| ModelError::Unfit(format!("{} is no whole safetensors: {error}", show(&plan.weights)));
    let file = SafeTensors::deserialize(&bytes).map_err(broken)?;
    let found = file.iter().find(|(name, _)| name.ends_with(NATIVE_TABLE));
    Ok(found.and_then(|(_, tensor)| {
        let &[_, dim] = tensor.shape() else { return None };
        numbers(&tensor).filter(|_| dim > 0).map(|values| Table::new(dim, values))
    }))
}

impl Rows {
    fn new(table: Table) -> Self {
        let mut first: HashMap<blake3::Hash, usize> = HashMap::new();
        let mut doubled = HashSet::new();
        for (place, row) in table.values.chunks_exact(table.dim.max(1)).enumerate() {
            let mut hasher = blake3::Hasher::new();
            row.iter().for_each(|value| {
                hasher.update(&value.to_le_bytes());
            });
            if let Some(&before) = first.get(&hasher.finalize()) {
                doubled.extend([before, place]);
            } else {
                first.insert(hasher.finalize(), place);
            }
        }
        Self { table, doubled }
    }

    /// How many ids it knows.
    pub fn ids(&self) -> usize {
        self.table.ids()
    }

    /// Numbers per row.
    pub fn dim(&self) -> usize {
        self.table.dim
    }

    /// The vector of an id.
    pub fn row(&self, id: i64) -> Option<&[f32]> {
        self.table.row(id)
    }

    /// All numbers, row after row.
    pub fn values(&self) -> &[f32] {
        &self.table.values
    }

    /// How many rows hold the same vector as another one.
    pub fn equal(&self) -> usize {
        self.doubled.len()
    }

    /// Whether the vector of an id is another row's too.
    pub fn is_doubled(&self, id: i64) -> bool {
        self.table.place(id).is_some_and(|row| self.doubled.contains(&row))
    }
}
