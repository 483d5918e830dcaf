//! What a training starts from: the weights of the file, random ones, or the file's with blocks altered; and the same
//! as [`Shown`]s, from which the proof is made that it is so.

use zoologist::base::Seed;
use zoologist::extract::onnx::ModelError;
use zoologist::extract::training::proof::{Place, Planned, Role, Shown};
use zoologist::extract::training::{Alteration, Freeze, Recipe, Reinitialisation, Start, TrainingOrder};

use super::initial::{Initial, initial, of_head};
use super::parameters::tensors_of;
use crate::architecture::Parameter;
use crate::design::{Design, Filled, role_of};

/// A network with the numbers that it starts from.
pub struct Beginning {
    /// The network: shorter than that of the file where blocks were dropped.
    pub design: Design,
    /// Its parameters.
    pub list: Vec<Filled>,
}

/// What the recipe says that a network of the file starts from.
pub fn beginning(design: &Design, original: &[Filled], recipe: &Recipe, seed: Seed) -> Result<Beginning, ModelError> {
    let fresh = |parameter: &Parameter| initial(design, parameter, seed);
    let Some(alteration) = &recipe.alteration else {
        let list = match recipe.start {
            Start::Pretrained => original.to_vec(),
            Start::Random => filled(design, |parameter| Ok(fresh(parameter)))?,
        };
        return Ok(Beginning { design: design.clone(), list });
    };
    let altered = design.altered(alteration).map_err(|error| ModelError::Unfit(error.to_string()))?;
    let (old, new) = (design.block_names(), altered.block_names());
    let shapes = ranks(original);
    let list = filled(&altered, |parameter| {
        let (place, within) = altered.place_of(&parameter.name, &new);
        let source = source_of(alteration, place, within, &old).unwrap_or_else(|| parameter.name.clone());
        let found = original.iter().find(|it| it.name == source && it.shape == parameter.shape);
        let found = found.ok_or_else(|| {
            ModelError::Unfit(format!("{source} can't stand in the place of {}: blocks differ", parameter.name))
        })?;
        let role = role_of(&parameter.name, &shapes);
        Ok(match renewal(alteration, place, role) {
            None => found.values.clone(),
            Some(Reinitialisation::PaperCode) if role == Role::Weight => {
                Initial::Narrow.draw(&found.shape, seed, &parameter.name)
            }
            Some(_) => fresh(parameter),
        })
    })?;
    Ok(Beginning { design: altered, list })
}

fn filled(
    design: &Design,
    values: impl Fn(&Parameter) -> Result<Vec<f32>, ModelError>,
) -> Result<Vec<Filled>, ModelError> {
    let fill = |parameter: Parameter| {
        let values = values(&parameter)?;
        Ok(Filled { name: parameter.name, shape: parameter.shape, values })
    };
    design.contents().parameters.into_iter().map(fill).collect()
}

/// The name of what comes into a place of a block.
fn source_of(alteration: &Alteration, place: Place, within: &str, old: &[String]) -> Option<String> {
    let Place::Block(block) = place else { return None };
    let source = alteration.source(block, old.len())?;
    Some(format!("{}.{within}", old[source]))
}

/// How a parameter starts anew, if it does; said apart from [`Planned`], which is to check what comes of it.
fn renewal(alteration: &Alteration, place: Place, role: Role) -> Option<Reinitialisation> {
    let Alteration::Reinitialised { blocks, after, how } = alteration else { return None };
    let inside = match place {
        Place::Before => false,
        Place::Block(block) => blocks.contains(&block),
        Place::After => *after,
    };
    let keeps = *how == Reinitialisation::PaperCode && role == Role::Bias;
    (inside && !keeps).then_some(*how)
}

/// How many axes a parameter has, by its name.
fn ranks(list: &[Filled]) -> impl Fn(&str) -> Option<usize> {
    let ranks: std::collections::HashMap<String, usize> =
        list.iter().map(|it| (it.name.clone(), it.shape.len())).collect();
    move |name: &str| ranks.get(name).copied()
}

/// Parameters as the proof wants to see them.
pub fn shown<'a>(design: &Design, list: &'a [Filled]) -> Vec<Shown<'a>> {
    let (blocks, ranks) = (design.block_names(), ranks(list));
    let state = |it: &'a Filled| {
        let (place, within) = design.place_of(&it.name, &blocks);
        Shown { name: &it.name, place, within, role: role_of(&it.name, &ranks), values: &it.values }
    };
    list.iter().map(state).collect()
}

/// What the recipe plans for the start.
pub fn planned(recipe: &Recipe) -> Planned<'_> {
    match (&recipe.alteration, recipe.start) {
        (Some(alteration), _) => Planned::Altered(alteration),
        (None, Start::Random) => Planned::Everything,
        (None, Start::Pretrained) => Planned::AsItIs,
    }
}

/// Whether a parameter was meant to learn, by what the recipe freezes; said apart from the optimizer's list of those that
/// do, which it is to be compared with.
pub fn is_meant_to_learn(design: &Design, freeze: Freeze, state: &Shown) -> bool {
    let below = |kept: usize| match state.place {
        Place::Before => true,
        Place::Block(block) => block < kept,
        Place::After => false,
    };
    // From the end: what follows the blocks of a network for pictures, the blocks, what stands before them.
    let from_the_end = match state.place {
        Place::Before => design.layers(),
        Place::Block(block) => design.layers() - 1 - block,
        Place::After => 1,
    };
    let frozen = match freeze {
        Freeze::Nothing => false,
        Freeze::First(kept) => below(kept),
        Freeze::AllBut(last) => from_the_end > last,
        Freeze::Everything => true,
    };
    !frozen && !state.role.is_statistic()
}

/// The head to start from: that of a file, or small random numbers.
pub fn head(design: &Design, order: &TrainingOrder, outputs: usize) -> Result<[Filled; 2], ModelError> {
    let (dim, name) = (design.dim(), design.classifier());
    let (weight, bias) = match &order.recipe.head {
        None => (of_head(outputs * dim, order.seed), vec![0.0; outputs]),
        Some(path) => {
            let [weight, bias] = tensors_of(&path.0, ["weight", "bias"])?;
            if weight.len() != outputs * dim || bias.len() != outputs {
                return Err(ModelError::Unfit("the head to start from does not fit the network".to_owned()));
            }
            (weight, bias)
        }
    };
    Ok([
        Filled { name: format!("{name}.weight"), shape: vec![outputs, dim], values: weight },
        Filled { name: format!("{name}.bias"), shape: vec![outputs], values: bias },
    ])
}

/// The BLAKE3 of a head.
pub fn digest(head: &[Filled; 2]) -> String {
    let mut hasher = blake3::Hasher::new();
    for value in head.iter().flat_map(|it| &it.values) {
        hasher.update(&value.to_le_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::PictureNetwork;
    use zoologist::extract::training::Mode;
    use zoologist::extract::training::proof::check_start;

    fn encoder(layers: usize) -> Design {
        let config = format!(
            r#"{{"model_type": "bert", "num_hidden_layers": {layers}, "hidden_size": 8, "num_attention_heads": 2,
                "intermediate_size": 12, "vocab_size": 11, "max_position_embeddings": 9, "type_vocab_size": 2}}"#
        );
        Design::read(&config).unwrap()
    }

    fn pictures(name: &str) -> Design {
        Design::Pictures(PictureNetwork::named(name).unwrap())
    }

    /// Numbers that no initialisation gives, other ones in every parameter.
    fn trained(design: &Design) -> Vec<Filled> {
        let value = |parameter: &Parameter| {
            let mut stream = Seed(9).stream("trained", &parameter.name);
            Ok((0..parameter.shape.iter().product()).map(|_| 0.3 + stream.unit() as f32).collect())
        };
        filled(design, value).unwrap()
    }

    fn began(design: &Design, alteration: Option<Alteration>, start: Start) -> (Beginning, Result<usize, String>) {
        let original = trained(design);
        let recipe = Recipe { start, alteration, ..crate::training::tests::recipe() };
        let beginning = beginning(design, &original, &recipe, Seed(0)).unwrap();
        let (before, now) = (shown(design, &original), shown(&beginning.design, &beginning.list));
        let proof = check_start(planned(&recipe), design.block_names().len(), &before, &now);
        let renewed = proof.map(|proof| proof.renewed);
        (beginning, renewed)
    }

    #[test]
    fn what_is_made_is_what_was_planned_in_every_family_and_mode() {
        for design in [encoder(4), pictures("mobilenetv2_035"), pictures("resnet18"), pictures("vit_tiny_patch16_32")] {
            let blocks = design.block_names().len();
            let parameters = design.contents().parameters.len();
            assert_eq!(began(&design, None, Start::Pretrained).1, Ok(0));
            assert_eq!(began(&design, None, Start::Random).1, Ok(parameters));
            for kept in [0, 1, blocks - 1] {
                let changed: Vec<usize> = (kept..blocks).collect();
                for mode in [Mode::Normal, Mode::PaperCode] {
                    let (_, renewed) = began(&design, Some(mode.of(changed.clone(), true)), Start::Pretrained);
                    assert!(renewed.clone().is_ok_and(|renewed| renewed > 0), "{design:?} {mode} {renewed:?}");
                }
                let (short, renewed) = began(&design, Some(Mode::Drop.of(changed, true)), Start::Pretrained);
                assert_eq!((short.design.block_names().len(), renewed), (kept, Ok(0)), "{design:?}");
            }
        }
    }

    #[test]
    fn blocks_change_places_where_they_are_alike() {
        for (design, order) in [(encoder(3), vec![2, 0, 1]), (pictures("resnet18"), vec![0, 1, 2, 3, 4, 5, 6, 7])] {
            let (turned, renewed) = began(&design, Some(Alteration::Reordered { order }), Start::Pretrained);
            assert_eq!(renewed, Ok(0));
            assert_eq!(turned.list.len(), design.contents().parameters.len());
        }
        let turned = Alteration::Reordered { order: vec![1, 0, 2, 3, 4, 5, 6, 7] };
        let network = pictures("resnet18");
        assert_eq!(began(&network, Some(turned), Start::Pretrained).1, Ok(0));
        let unlike = Alteration::Reordered { order: vec![7, 1, 2, 3, 4, 5, 6, 0] };
        let recipe = Recipe { alteration: Some(unlike), ..crate::training::tests::recipe() };
        let error = beginning(&network, &trained(&network), &recipe, Seed(0)).err().unwrap();
        assert!(error.to_string().contains("blocks differ"), "{error}");
        let kinds: Vec<usize> = network.block_facts().iter().map(|block| block.kind).collect();
        assert_eq!(kinds, [0, 0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn the_same_seed_gives_a_block_the_same_numbers_whatever_else_is_changed() {
        let design = encoder(4);
        let one = began(&design, Some(Mode::Normal.of(vec![3], true)), Start::Pretrained).0;
        let two = began(&design, Some(Mode::Normal.of(vec![1, 2, 3], true)), Start::Pretrained).0;
        let last = |beginning: &Beginning| beginning.list.last().unwrap().values.clone();
        let weight = |beginning: &Beginning| {
            let name = "encoder.layer.3.output.dense.weight";
            beginning.list.iter().find(|it| it.name == name).unwrap().values.clone()
        };
        assert_eq!(last(&one), last(&two));
        assert_eq!(weight(&one), weight(&two));
    }

    #[test]
    fn blocks_that_would_not_fit_are_not_taken_out() {
        let network = pictures("mobilenetv2_100");
        let recipe = Recipe { alteration: Some(Mode::Drop.of(vec![1], false)), ..crate::training::tests::recipe() };
        let error = beginning(&network, &trained(&network), &recipe, Seed(0)).err().unwrap();
        assert!(error.to_string().contains("without blocks.1.0 the blocks that are left don't fit"), "{error}");
    }
}
