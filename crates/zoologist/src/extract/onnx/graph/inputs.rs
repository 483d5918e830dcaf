//! What a graph takes: one picture, or the numbers of tokens with what goes with them.

use rten_onnx::onnx::{DataType, NodeProto, ValueInfoProto};

use super::{Graph, name_of, operator};
use crate::base::path_text::escape;
use crate::extract::onnx::ModelError;

/// The inputs of a text model in the order in which exporters write them, each with its usual names.
const ROLES: [&[&str]; 4] = [
    &["input_ids", "input_word_ids", "token_ids", "ids"],
    &["attention_mask", "input_mask", "mask"],
    &["token_type_ids", "input_type_ids", "segment_ids"],
    &["position_ids"],
];

/// How many inputs of unusual names are understood by their order: ids, mask, types.
const KNOWN_ORDER: usize = 3;

/// Operators that change type or shape, and no number.
const MOVES: [&str; 5] = ["Cast", "Identity", "Reshape", "Unsqueeze", "Squeeze"];

/// The model's picture input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureInput {
    /// Its name.
    pub name: String,
    /// Its four axes; `None` where the size is open.
    pub shape: [Option<usize>; 4],
}

/// The inputs of a text model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextInputs {
    /// The number of each token in the vocabulary.
    pub ids: TextInput,
    /// 1 for each real token, 0 for padding.
    pub mask: Option<TextInput>,
    /// Which of two texts each token belongs to.
    pub types: Option<TextInput>,
    /// The position of each token.
    pub positions: Option<TextInput>,
}

/// One input of integers, one for each token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextInput {
    /// Its name.
    pub name: String,
    /// Whether the integers have 64 bits; else 32.
    pub is_64_bit: bool,
    /// Batch and length; `None` where open.
    pub shape: [Option<usize>; 2],
}

/// A value as the file declares it.
pub(super) struct Declared<'a> {
    pub name: &'a str,
    pub kind: Option<DataType>,
    /// The length of each axis, `None` where open; `None` if the file states no shape.
    pub shape: Option<Vec<Option<usize>>>,
}

impl<'a> Declared<'a> {
    pub fn of(value: &'a ValueInfoProto) -> Self {
        let tensor = value.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
        let length = |size: Option<i64>| size.and_then(|size| usize::try_from(size).ok()).filter(|&size| size > 0);
        let shape = tensor.and_then(|tensor| tensor.shape.as_ref());
        let shape = shape.map(|shape| shape.dim.iter().map(|dim| length(dim.dim_value)).collect());
        Self { name: name_of(value), kind: tensor.and_then(|tensor| tensor.elem_type), shape }
    }

    /// Whether the value may have so many axes: it has, or no shape is stated.
    pub fn may_have_rank(&self, rank: usize) -> bool {
        self.shape.as_ref().is_none_or(|shape| shape.len() == rank)
    }

    fn kind_in_words(&self) -> &str {
        self.kind.as_ref().and_then(DataType::name).unwrap_or("no stated type")
    }

    /// The axes, all open if no shape is stated; `None` if there are not so many.
    fn axes<const RANK: usize>(&self) -> Option<[Option<usize>; RANK]> {
        self.shape.clone().map_or(Some([None; RANK]), |shape| shape.try_into().ok())
    }

    fn is_of_tokens(&self) -> bool {
        matches!(self.kind, Some(DataType::INT64 | DataType::INT32)) && self.may_have_rank(2)
    }
}

impl Graph {
    /// What must be fed: inputs that are not weights.
    fn inputs(&self) -> Vec<Declared<'_>> {
        let inputs = self.proto.input.iter().filter(|input| !self.weights.contains_key(name_of(input)));
        inputs.map(Declared::of).collect()
    }

    /// The weight that the ids pick rows from.
    pub fn table_of(&self, ids: &str) -> Option<&str> {
        let picks = |node: &&NodeProto| {
            operator(node) == "Gather" && node.input.get(1).is_some_and(|index| self.moved_from(index) == ids)
        };
        self.proto.node.iter().filter(picks).find_map(|node| self.weight_behind(node.input.first()?))
    }

    /// The value that another one is but for its type and shape.
    fn moved_from<'a>(&'a self, value: &'a str) -> &'a str {
        let mut value = value;
        for _ in 0..self.proto.node.len() {
            let maker = self.flow.maker(value).map(|node| &self.proto.node[node]);
            match maker.filter(|node| MOVES.contains(&operator(node))).and_then(|node| node.input.first()) {
                Some(before) => value = before,
                None => break,
            }
        }
        value
    }

    /// The axes of fixed length that a batch or a sequence would need open, in words.
    pub fn fixed_axes(&self) -> Vec<String> {
        let inputs = self.inputs();
        let of = |input: &Declared| {
            let shape = input.shape.clone().unwrap_or_default();
            let axes: &[&str] = if input.is_of_tokens() { &["batch", "length"] } else { &["batch"] };
            let fixed = axes.iter().zip(shape).filter_map(|(axis, size)| Some(format!("{axis} of {}", size?)));
            let fixed: Vec<String> = fixed.collect();
            (!fixed.is_empty()).then(|| format!("input `{}` has a fixed {}", escape(input.name), fixed.join(" and ")))
        };
        inputs.iter().filter_map(of).collect()
    }

    /// The one input that takes a picture.
    pub fn picture_input(&self) -> Result<PictureInput, ModelError> {
        let inputs = self.inputs();
        let [input] = &inputs[..] else {
            let names: Vec<String> = inputs.iter().map(|input| escape(input.name)).collect();
            let names = names.join(", ");
            return Err(ModelError::Unfit(format!(
                "an image model has one input, this one has {}: {names}",
                inputs.len()
            )));
        };
        if input.kind != Some(DataType::FLOAT) {
            let kind = input.kind_in_words();
            return Err(ModelError::Unfit(format!("the input takes {kind}; only float32 pictures are supported")));
        }
        let shape = input.axes().ok_or_else(|| {
            let axes = input.shape.as_ref().map_or(0, Vec::len);
            ModelError::Unfit(format!("the input has {axes} axes; a batch of pictures has 4"))
        })?;
        Ok(PictureInput { name: input.name.to_owned(), shape })
    }

    /// Whether the graph takes texts: an input is of integers [batch, length].
    pub fn is_text(&self) -> bool {
        self.inputs().iter().any(Declared::is_of_tokens)
    }

    /// The inputs of a text model, known by their usual names. Where nothing has the name of the ids, up to three
    /// inputs are taken in the usual order.
    pub fn text_inputs(&self) -> Result<TextInputs, ModelError> {
        let mut found: [Option<TextInput>; ROLES.len()] = Default::default();
        let mut others = vec![];
        for input in self.inputs() {
            let fed = tokens_of(&input)?;
            let name = input.name.trim_end_matches(":0").to_ascii_lowercase();
            match ROLES.iter().position(|names| names.contains(&name.as_str())) {
                Some(role) if found[role].is_none() => found[role] = Some(fed),
                _ => others.push(fed),
            }
        }
        let free: Vec<usize> = (0..KNOWN_ORDER).filter(|&role| found[role].is_none()).collect();
        if found[0].is_none() && others.len() <= free.len() {
            free.into_iter().zip(others.drain(..)).for_each(|(role, input)| found[role] = Some(input));
        }
        if let Some(other) = others.first() {
            let name = escape(&other.name);
            return Err(ModelError::Unfit(format!(
                "the model also wants input `{name}`, and nothing says what to feed it. Export it with input_ids, attention_mask and token_type_ids only"
            )));
        }
        let [Some(ids), mask, types, positions] = found else {
            return Err(ModelError::Unfit("the model has no input for the numbers of tokens".to_owned()));
        };
        Ok(TextInputs { ids, mask, types, positions })
    }
}

fn tokens_of(input: &Declared) -> Result<TextInput, ModelError> {
    let unfit = |what: String| {
        let name = escape(input.name);
        ModelError::Unfit(format!("input `{name}` {what}; a text model takes int64 or int32 of shape [batch, length]"))
    };
    let is_64_bit = match input.kind {
        Some(DataType::INT64) => true,
        Some(DataType::INT32) => false,
        _ => return Err(unfit(format!("takes {}", input.kind_in_words()))),
    };
    let axes = input.shape.as_ref().map_or(0, Vec::len);
    let shape = input.axes().ok_or_else(|| unfit(format!("has {axes} axes")))?;
    Ok(TextInput { name: input.name.to_owned(), is_64_bit, shape })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::onnx::sketch;

    fn graph(inputs: &str) -> Graph {
        let text = format!("{inputs}\n output y float ? 6\n e = Gather(table[20 6], z)\n y = ReduceMean(e) axes=1");
        Graph::parse(&sketch::model(&text)).unwrap()
    }

    fn names(inputs: &str) -> [Option<String>; 4] {
        let found = graph(inputs).text_inputs().unwrap();
        [Some(found.ids), found.mask, found.types, found.positions].map(|input| input.map(|input| input.name))
    }

    fn refusal(inputs: &str) -> String {
        graph(inputs).text_inputs().unwrap_err().to_string()
    }

    fn some(names: [&str; 4]) -> [Option<String>; 4] {
        names.map(|name| Some(name.to_owned()).filter(|name| !name.is_empty()))
    }

    #[test]
    fn text_inputs_are_known_by_their_usual_names_in_any_order() {
        let inputs = "input attention_mask int64 ? ?\n input position_ids int64 ? ?\n input input_ids int64 ? ?";
        assert_eq!(names(inputs), some(["input_ids", "attention_mask", "", "position_ids"]));
        let inputs = "input segment_ids:0 int32 ? ?\n input input_ids:0 int32 ? ?";
        assert_eq!(names(inputs), some(["input_ids:0", "", "segment_ids:0", ""]));
    }

    #[test]
    fn text_inputs_of_other_names_are_known_by_their_order() {
        assert_eq!(names("input a int64 ? ?"), some(["a", "", "", ""]));
        assert_eq!(names("input a int64 ? ?\n input b int64 ? ?\n input c int64 ? ?"), some(["a", "b", "c", ""]));
        assert_eq!(names("input attention_mask int64 ? ?\n input a int64 ? ?"), some(["a", "attention_mask", "", ""]));
    }

    #[test]
    fn fixed_axes_and_the_width_of_the_integers_are_noted() {
        let found = graph("input ids int32 1 128\n input mask int64 ? ?").text_inputs().unwrap();
        assert_eq!((found.ids.is_64_bit, found.ids.shape), (false, [Some(1), Some(128)]));
        let mask = found.mask.unwrap();
        assert_eq!((mask.is_64_bit, mask.shape), (true, [None, None]));
    }

    #[test]
    fn an_input_that_nobody_can_feed_is_named() {
        let four = "input a int64 ? ?\n input b int64 ? ?\n input c int64 ? ?\n input d int64 ? ?";
        assert!(refusal(four).contains("also wants input `a`"));
        let unknown = "input input_ids int64 ? ?\n input past\x1b int64 ? ?";
        assert!(refusal(unknown).contains("also wants input `past\\u{1b}`"));
        let float = "input input_ids int64 ? ?\n input attention_mask float ? ?";
        assert!(refusal(float).contains("input `attention_mask` takes FLOAT"));
        assert!(refusal("input input_ids int64 ?").contains("input `input_ids` has 1 axes"));
    }

    #[test]
    fn integers_of_two_axes_make_a_text_model() {
        assert!(graph("input a int32 ? ?").is_text());
        assert!(!graph("input a int64 ? ? ?").is_text());
        assert!(!graph("input a float 1 3 8 8").is_text());
    }

    #[test]
    fn a_weight_that_is_declared_as_an_input_is_not_fed() {
        assert_eq!(names("input a int64 ? ?\n input table float 20 6"), some(["a", "", "", ""]));
    }
}
