use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use zoologist::base::Seed;

use super::*;
use crate::scope::{BatchNorms, Tensors};

const KINDS: [SkeletonKind; 2] = [SkeletonKind::Chain, SkeletonKind::Cells];

fn skeleton(kind: SkeletonKind) -> Skeleton {
    Skeleton { kind, channels: 4 }
}

fn tensors(parameters: Vec<Parameter>) -> Tensors {
    let tensor = |it: Parameter| {
        let mut stream = Seed(1).stream("weights", &it.name);
        let values: Vec<f32> = (0..it.shape.iter().product::<usize>()).map(|_| stream.unit() as f32 - 0.4).collect();
        let count = values.len();
        (it.name, (it.shape, Tensor::from_data(TensorData::new(values, [count]), &Device::flex())))
    };
    parameters.into_iter().map(tensor).collect::<BTreeMap<_, _>>()
}

#[test]
fn an_architecture_costs_what_its_pass_counts() {
    for kind in KINDS {
        let (skeleton, edge) = (skeleton(kind), 12);
        let space = space(skeleton, edge, [None; 2]);
        let mut stream = Seed(2).stream("test", "architectures");
        for _ in 0..10 {
            let operations = space.uniform(&mut stream);
            let network = Searched::new(skeleton, operations.clone());
            let tensors = tensors(network.parameters());
            let scope = Scope::new(&tensors, BatchNorms::Frozen, EPSILON);
            let pictures = Tensor::ones([2, 3, edge, edge], &Device::flex());
            let mut layers = vec![];
            network.forward(&scope, pictures, &mut |name: &str, features: Tensor<2>| {
                layers.push((name.to_owned(), features.dims()));
            });
            let [parameters, multiply_adds] = cost(skeleton, edge, &operations);
            let count: usize = network.parameters().iter().map(|it| it.shape.iter().product::<usize>()).sum();
            let whole = [parameters, 2.0 * multiply_adds].map(|number| number as u64);
            assert_eq!(whole, [count as u64, scope.multiply_adds()], "{kind} {operations:?}");
            let names: Vec<String> = layers.iter().map(|(name, _)| name.clone()).collect();
            assert_eq!(names, network.layer_names());
            assert_eq!(layers.last().unwrap().1, [2, network.dim()]);
        }
    }
}

#[test]
fn operations_of_the_chain_cost_the_same() {
    let skeleton = Skeleton { kind: SkeletonKind::Chain, channels: 16 };
    for options in options_cost(skeleton, 28) {
        let (least, most) = options.iter().fold((f64::MAX, 0.0_f64), |(a, b), &cost| (a.min(cost), b.max(cost)));
        assert!(most / least < 1.15, "{options:?}");
    }
}

#[test]
fn every_parameter_of_an_architecture_is_shared() {
    for kind in KINDS {
        let shared: Vec<String> = shared_parameters(skeleton(kind)).into_iter().map(|it| it.name).collect();
        let space = space(skeleton(kind), 28, [None; 2]);
        let operations = space.uniform(&mut Seed(3).stream("test", "one"));
        let own = Searched::new(skeleton(kind), operations).parameters();
        assert!(own.iter().all(|it| shared.contains(&it.name)) && own.len() < shared.len());
    }
}

#[test]
fn a_configuration_is_read_back() {
    for kind in KINDS {
        let operations = space(skeleton(kind), 28, [None; 2]).uniform(&mut Seed(4).stream("test", "one"));
        let network = Searched::new(skeleton(kind), operations);
        let config = network.config();
        assert_eq!(Searched::read(&config).unwrap(), Some(network));
        let mut broken = config.clone();
        broken["zoologist"]["operations"][0] = json!("separable_9x9");
        assert!(Searched::read(&broken).is_err());
        broken["zoologist"]["operations"] = json!([]);
        assert!(Searched::read(&broken).is_err());
    }
    assert_eq!(Searched::read(&json!({ "architecture": "resnet18" })).unwrap(), None);
    // Two edges lead to the first node of a cell: nothing may come of a file that closes both.
    let mut closed = vec![4; 28];
    closed[..2].fill(0);
    let closed = Searched::new(skeleton(SkeletonKind::Cells), closed).config();
    assert!(Searched::read(&closed).unwrap_err().to_string().contains("leaves a node"));
}

#[test]
fn limits_count_what_all_architectures_have_in_common() {
    let skeleton = skeleton(SkeletonKind::Cells);
    let mut stream = Seed(5).stream("test", "limits");
    let free = space(skeleton, 28, [None; 2]);
    let mut drawn: Vec<f64> = (0..21).map(|_| cost(skeleton, 28, &free.uniform(&mut stream))[0]).collect();
    drawn.sort_by(f64::total_cmp);
    let most = drawn[5];
    let limited = space(skeleton, 28, [Some(most), None]);
    limited.check(&mut stream).unwrap();
    assert!((0..20).all(|_| cost(skeleton, 28, &limited.uniform(&mut stream))[0] <= most));
}

#[test]
fn nodes_of_a_pruned_cell_keep_two_edges() {
    let skeleton = skeleton(SkeletonKind::Cells);
    let operations = vec![4; 28];
    let kept = pruned(skeleton, &operations, &mut |edge| edge as f64);
    // The later edges weigh more: of the last node's five edges the last two stay.
    assert_eq!(kept[9..14], [0, 0, 0, 4, 4]);
    assert_eq!(kept.iter().filter(|operation| **operation != 0).count(), 2 * 4 * 2);
}
