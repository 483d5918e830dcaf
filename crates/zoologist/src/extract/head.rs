//! A head on frozen features, and the file in which a worker gets it: safetensors with `0.weight`, `0.bias`, `1.weight`
//! and so on, and `columns` where not all features are used.

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use super::onnx::ModelError;
use crate::base::path_text::escape;
use crate::data;

/// The tensor of the columns in the file of a head.
const COLUMNS: &str = "columns";

/// A head on features: products of matrices one after another, max(0, ·) between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Which of the features side by side are used, rising; `None`: all.
    pub columns: Option<Vec<usize>>,
    /// First to last; there is at least one.
    pub layers: Vec<Dense>,
}

/// One product of a head: features × weight + bias.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// Numbers that it takes.
    pub into: usize,
    /// Numbers that it makes.
    pub out: usize,
    /// into × out numbers, the last axis fastest.
    pub weight: Vec<f32>,
    /// `out` numbers.
    pub bias: Vec<f32>,
}

impl Dense {
    /// row × weight + bias.
    pub fn apply(&self, row: &[f32]) -> Vec<f32> {
        let mut found = self.bias.clone();
        for (value, weights) in row.iter().zip(self.weight.chunks_exact(self.out)) {
            found.iter_mut().zip(weights).for_each(|(found, weight)| *found += value * weight);
        }
        found
    }
}

impl Head {
    /// A head from the bytes of its file. Refused is what has other tensors, shapes that don't follow one another, numbers
    /// that are not finite, or columns that don't rise.
    pub fn read(bytes: &[u8]) -> Result<Self, ModelError> {
        data::check_names(bytes).map_err(|error| unfit(&format!("no whole safetensors ({error})")))?;
        let broken = |error| unfit(&format!("no whole safetensors ({error})"));
        let file = SafeTensors::deserialize(bytes).map_err(broken)?;
        let columns = file.tensor(COLUMNS).ok().map(|tensor| columns_of(&tensor)).transpose()?;
        let mut layers = vec![];
        while let (Ok(weight), Ok(bias)) =
            (file.tensor(&format!("{}.weight", layers.len())), file.tensor(&format!("{}.bias", layers.len())))
        {
            layers.push(Dense::of(&weight, &bias)?);
        }
        if file.len() != 2 * layers.len() + usize::from(columns.is_some()) {
            return Err(unfit("some of its tensors are none of a head's"));
        }
        let head = Self { columns, layers };
        head.check()?;
        Ok(head)
    }

    /// The bytes of its file; the same for the same head. Refused is what [`Self::read`] would refuse.
    pub fn bytes(&self) -> Result<Vec<u8>, ModelError> {
        self.check()?;
        let columns = self.columns.iter().map(|columns| {
            let bytes = columns.iter().flat_map(|&column| (column as u64).to_le_bytes()).collect();
            Kept { name: COLUMNS.to_owned(), kind: Dtype::I64, shape: vec![columns.len()], bytes }
        });
        let layers = self.layers.iter().enumerate().flat_map(|(place, layer)| {
            let weight = Kept::floats(format!("{place}.weight"), vec![layer.into, layer.out], &layer.weight);
            [weight, Kept::floats(format!("{place}.bias"), vec![layer.out], &layer.bias)]
        });
        let kept: Vec<Kept> = columns.chain(layers).collect();
        let views = kept.iter().map(Kept::view).collect::<Result<Vec<_>, SafeTensorError>>();
        let file = views.and_then(|views| safetensors::serialize(views, None));
        file.map_err(|error| unfit(&error.to_string()))
    }

    /// Refuses a head that does not fit itself.
    fn check(&self) -> Result<(), ModelError> {
        let (Some(first), columns) = (self.layers.first(), self.columns.as_deref()) else {
            return Err(unfit("it has no layer"));
        };
        if let Some(layer) = self.layers.iter().find(|layer| !layer.is_sound()) {
            return Err(unfit(&format!("a layer of {} × {} has other or no numbers", layer.into, layer.out)));
        }
        if let Some(pair) = self.layers.windows(2).find(|pair| pair[0].out != pair[1].into) {
            return Err(unfit(&format!("a layer makes {} numbers and the next takes {}", pair[0].out, pair[1].into)));
        }
        if columns.is_some_and(|columns| columns.len() != first.into || !columns.is_sorted_by(|a, b| a < b)) {
            return Err(unfit(&format!("its columns are not {} that rise", first.into)));
        }
        Ok(())
    }

    /// For features that stand side by side in groups of these widths: which columns of each group are used, counted
    /// within the group. Refused is a head for another number of features.
    pub(super) fn columns_of(&self, widths: &[usize]) -> Result<Vec<Vec<usize>>, ModelError> {
        self.check()?;
        let sum: usize = widths.iter().sum();
        let last = self.columns.as_ref().map(|columns| columns.last().copied().unwrap_or(0));
        let fits = last.map_or(self.layers.first().is_some_and(|first| first.into == sum), |last| last < sum);
        if !fits {
            let wanted = self.layers.first().map_or(0, |first| first.into);
            return Err(unfit(&last.map_or(format!("it takes {wanted} features, the model gives {sum}"), |last| {
                format!("it takes column {last}, the model gives {sum} features")
            })));
        }
        let mut start = 0;
        let of_group = |&width: &usize| {
            let group = start..start + width;
            start = group.end;
            match &self.columns {
                None => (0..width).collect(),
                Some(all) => all.iter().filter(|&column| group.contains(column)).map(|at| at - group.start).collect(),
            }
        };
        Ok(widths.iter().map(of_group).collect())
    }
}

impl Dense {
    fn of(weight: &TensorView, bias: &TensorView) -> Result<Self, ModelError> {
        let [into, out] = *weight.shape() else {
            return Err(unfit(&format!("a weight has the shape {:?}", weight.shape())));
        };
        if bias.shape() != [out] {
            return Err(unfit(&format!("a bias has the shape {:?} for {out} numbers", bias.shape())));
        }
        Ok(Self { into, out, weight: floats(weight)?, bias: floats(bias)? })
    }

    fn is_sound(&self) -> bool {
        let Self { into, out, weight, bias } = self;
        let filled = into.checked_mul(*out) == Some(weight.len()) && *out == bias.len() && !weight.is_empty();
        filled && weight.iter().chain(bias).all(|value| value.is_finite())
    }
}

/// A tensor on its way into a file.
struct Kept {
    name: String,
    kind: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Kept {
    fn floats(name: String, shape: Vec<usize>, values: &[f32]) -> Self {
        Self { name, kind: Dtype::F32, shape, bytes: values.iter().flat_map(|value| value.to_le_bytes()).collect() }
    }

    fn view(&self) -> Result<(&str, TensorView<'_>), SafeTensorError> {
        Ok((&self.name, TensorView::new(self.kind, self.shape.clone(), &self.bytes)?))
    }
}

fn floats(tensor: &TensorView) -> Result<Vec<f32>, ModelError> {
    if tensor.dtype() != Dtype::F32 {
        return Err(unfit(&format!("it holds {:?}, not single precision", tensor.dtype())));
    }
    Ok(tensor.data().as_chunks::<4>().0.iter().map(|&four| f32::from_le_bytes(four)).collect())
}

fn columns_of(tensor: &TensorView) -> Result<Vec<usize>, ModelError> {
    if tensor.dtype() != Dtype::I64 || tensor.shape().len() != 1 {
        return Err(unfit("its columns are no list of integers of 64 bits"));
    }
    let eights = tensor.data().as_chunks::<8>().0.iter();
    let columns: Option<Vec<usize>> = eights.map(|&eight| usize::try_from(i64::from_le_bytes(eight)).ok()).collect();
    columns.ok_or_else(|| unfit("a column is negative"))
}

fn unfit(problem: &str) -> ModelError {
    ModelError::Unfit(format!("the head can't be used: {}", escape(problem)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dense(into: usize, out: usize) -> Dense {
        let numbers = |count: usize| (0..count).map(|number| number as f32 - 1.5).collect();
        Dense { into, out, weight: numbers(into * out), bias: numbers(out) }
    }

    fn head(columns: Option<&[usize]>, layers: &[Dense]) -> Head {
        Head { columns: columns.map(<[usize]>::to_vec), layers: layers.to_vec() }
    }

    #[test]
    fn a_head_survives_its_file() {
        for head in [head(None, &[dense(3, 2)]), head(Some(&[0, 2, 7]), &[dense(3, 4), dense(4, 2)])] {
            let bytes = head.bytes().unwrap();
            assert_eq!(Head::read(&bytes).unwrap(), head);
            assert_eq!(head.bytes().unwrap(), bytes);
            assert!(Head::read(&bytes[..bytes.len() - 1]).is_err());
        }
    }

    #[test]
    fn what_does_not_fit_itself_is_refused() {
        let short = Dense { bias: vec![0.0], ..dense(3, 2) };
        let broken = Dense { bias: vec![f32::NAN, 0.0], ..dense(3, 2) };
        for (head, expected) in [
            (head(None, &[]), "it has no layer"),
            (head(None, &[dense(3, 2), dense(3, 2)]), "a layer makes 2 numbers and the next takes 3"),
            (head(None, &[short]), "a layer of 3 × 2 has other or no numbers"),
            (head(None, &[broken]), "a layer of 3 × 2 has other or no numbers"),
            (head(None, &[dense(0, 2)]), "a layer of 0 × 2 has other or no numbers"),
            (head(Some(&[0, 1]), &[dense(3, 2)]), "its columns are not 3 that rise"),
            (head(Some(&[0, 2, 2]), &[dense(3, 2)]), "its columns are not 3 that rise"),
        ] {
            assert!(head.bytes().unwrap_err().to_string().contains(expected), "{expected}");
        }
    }

    #[test]
    fn files_of_other_tensors_are_refused() {
        let four = |value: f32| value.to_le_bytes();
        let file = |tensors: Vec<(&str, Dtype, Vec<usize>, &[u8])>| {
            let views = tensors.into_iter().map(|(name, kind, shape, bytes)| {
                let view = TensorView::new(kind, shape, bytes).unwrap();
                (name.to_owned(), view)
            });
            Head::read(&safetensors::serialize(views, None).unwrap()).unwrap_err().to_string()
        };
        let (one, minus) = (four(1.0), (-1_i64).to_le_bytes());
        let weight = ("0.weight", Dtype::F32, vec![1, 1], &one[..]);
        let bias = ("0.bias", Dtype::F32, vec![1], &one[..]);
        let other = ("2.bias", Dtype::F32, vec![1], &one[..]);
        assert!(file(vec![weight.clone(), bias.clone(), other]).contains("none of a head's"));
        let alone = ("1.weight", Dtype::F32, vec![1, 1], &one[..]);
        assert!(file(vec![weight.clone(), bias.clone(), alone]).contains("none of a head's"));
        assert!(file(vec![weight.clone()]).contains("none of a head's"));
        assert!(file(vec![weight.clone(), ("0.bias", Dtype::I32, vec![1], &one)]).contains("I32"));
        assert!(file(vec![weight.clone(), ("0.bias", Dtype::F32, vec![1, 1], &one)]).contains("[1, 1] for 1"));
        assert!(file(vec![weight, bias, ("columns", Dtype::I64, vec![1], &minus)]).contains("negative"));
    }

    #[test]
    fn columns_are_shared_out_to_the_groups_that_they_stand_in() {
        let some = head(Some(&[1, 5, 6]), &[dense(3, 2)]);
        assert_eq!(some.columns_of(&[2, 3, 2]).unwrap(), [vec![1], vec![], vec![0, 1]]);
        assert!(some.columns_of(&[2, 3, 1]).unwrap_err().to_string().contains("it takes column 6, the model gives 6"));
        let all = head(None, &[dense(3, 2)]);
        assert_eq!(all.columns_of(&[2, 1]).unwrap(), [vec![0, 1], vec![0]]);
        assert!(all.columns_of(&[2]).unwrap_err().to_string().contains("it takes 3 features, the model gives 2"));
    }
}
