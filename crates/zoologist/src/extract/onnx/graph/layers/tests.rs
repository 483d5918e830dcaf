use crate::extract::onnx::{CostPlan, Graph, sketch};

/// The layers as `name: value`.
fn layers(text: &str, input: &str, features: &str) -> Vec<String> {
    let graph = Graph::parse(&sketch::model(text)).unwrap();
    let found = graph.layers(input, features);
    found.into_iter().map(|layer| format!("{}: {}", layer.name, layer.value)).collect()
}

#[test]
fn layers_of_an_encoder_that_normalises_last_are_the_inputs_of_its_attention() {
    let found = layers(&sketch::encoder(2), "ids", "norm_2_ffn");
    assert_eq!(found, ["embeddings: norm_0", "block 1: norm_1_ffn", "block 2: norm_2_ffn"]);
}

#[test]
fn an_attention_mask_made_from_the_ids_hides_no_layer() {
    let text = sketch::encoder(2).replace("input mask int64 ? ?", "").replace("Cast(mask)", "Cast(word)");
    let found = layers(&format!("zero = Equal(ids, #0)\nword = Not(zero)\n{text}"), "ids", "norm_2_ffn");
    assert_eq!(found, ["embeddings: norm_0", "block 1: norm_1_ffn", "block 2: norm_2_ffn"]);
}

#[test]
fn what_a_pooler_makes_of_the_last_block_is_a_head() {
    let text = sketch::encoder(1)
        + "first = Gather(norm_1_ffn, #0) axis=1\n flat = Flatten(first)\n dense = MatMul(flat, pool[6 6])\n
           pooled = Tanh(dense)\n output pooled float ? 6";
    let found = layers(&text, "ids", "pooled");
    assert_eq!(found, ["embeddings: norm_0", "block 1: norm_1_ffn", "head: pooled"]);
    let found = layers(&text, "ids", "flat");
    assert_eq!(found, ["embeddings: norm_0", "block 1: norm_1_ffn"]);
}

#[test]
fn layers_of_a_vision_transformer_end_with_the_last_normalisation() {
    let block = |k: usize| {
        format!(
            "a{k} = LayerNormalization(x{k}, w[6], b[6]) axis=-1
             {}
             m{k} = Add(x{k}, att{k})
             f{k} = LayerNormalization(m{k}, w[6], b[6]) axis=-1
             {}
             x{} = Add(m{k}, ffn{k})\n",
            sketch::attention(&format!("a{k}"), &format!("att{k}")),
            sketch::feed_forward(&format!("f{k}"), &format!("ffn{k}")),
            k + 1
        )
    };
    let text = format!(
        "input x float 1 3 8 8
         output logits float 1 4
         maps = Conv(x, patch[6 3 4 4]) strides=4,4
         rows = Reshape(maps, #0,6,-1)
         patches = Transpose(rows) perm=0,2,1
         tokens = Concat(class[1 1 6], patches) axis=1
         x0 = Add(tokens, positions[1 5 6])
         {}{}
         last = LayerNormalization(x2, w[6], b[6]) axis=-1
         first = Gather(last, #0) axis=1
         flat = Flatten(first)
         logits = Gemm(flat, head[6 4])",
        block(0),
        block(1)
    )
    .replace(", bias)", ", #0.0)");
    assert_eq!(layers(&text, "x", "flat"), ["embeddings: x0", "block 1: x1", "block 2: last"]);
    assert_eq!(layers(&text, "x", "x2"), ["embeddings: x0", "block 1: x1", "block 2: x2"]);
}

#[test]
fn a_residual_and_its_normalisation_may_be_one_operator() {
    let text = "input ids int64 ? ?
         output last float ? ? 6
         x = Gather(table[20 6], ids)
         a = Attention(x, q[6 18], qb[18]) num_heads=2
         n, , , sum = SkipLayerNormalization(x, a, w[6], b[6])
         up = MatMul(n, u[6 8])
         on = Relu(up)
         down = MatMul(on, d[8 6])
         n2, , , sum2 = SkipLayerNormalization(sum, down, w[6], b[6])
         a2 = Attention(n2, q[6 18], qb[18]) num_heads=2
         last = SkipLayerNormalization(sum2, a2, w[6], b[6])";
    assert_eq!(layers(text, "ids", "last"), ["embeddings: x", "block 1: sum2", "block 2: last"]);
}

#[test]
fn among_convolutions_a_block_of_attention_is_one_layer_and_so_is_each_of_the_others() {
    let text = format!(
        "input x float 1 3 8 8
         output last float 1 4 6
         stem = Conv(x, s[6 3 4 4]) strides=4,4
         c1 = Conv(stem, k1[6 6 3 3]) pads=1,1,1,1
         r1 = Relu(c1)
         c2 = Conv(r1, k2[6 6 1 1])
         one = Add(stem, c2)
         rows = Reshape(one, #0,6,-1)
         tokens = Transpose(rows) perm=0,2,1
         a = LayerNormalization(tokens, w[6], b[6]) axis=-1
         {}
         half = Add(tokens, att)
         f = LayerNormalization(half, w[6], b[6]) axis=-1
         {}
         two = Add(half, ffn)
         last = LayerNormalization(two, w[6], b[6]) axis=-1",
        sketch::attention("a", "att").replace(", bias)", ", #0.0)"),
        sketch::feed_forward("f", "ffn"),
    );
    assert_eq!(layers(&text, "x", "last"), ["stem: stem", "block 1: one", "block 2: last"]);
}

const RESIDUAL: &str = "input x float 1 3 16 16
    output logits float 1 4
    c = Conv(x, stem[8 3 3 3]) strides=2,2 pads=1,1,1,1
    r = Relu(c)
    pool = MaxPool(r) kernel_shape=2,2 strides=2,2
    a1 = Conv(pool, k1[8 8 3 3]) pads=1,1,1,1
    a2 = Relu(a1)
    a3 = Conv(a2, k2[8 8 3 3]) pads=1,1,1,1
    a = Add(a3, pool)
    one = Relu(a)
    b1 = Conv(one, k3[12 8 3 3]) strides=2,2 pads=1,1,1,1
    b2 = Relu(b1)
    b3 = Conv(b2, k4[12 12 3 3]) pads=1,1,1,1
    short = Conv(one, k5[12 8 1 1]) strides=2,2
    b = Add(b3, short)
    two = Relu(b)
    mean = GlobalAveragePool(two)
    flat = Flatten(mean)
    logits = Gemm(flat, head[12 4])";

#[test]
fn residual_blocks_end_after_their_activation() {
    assert_eq!(layers(RESIDUAL, "x", "flat"), ["stem: pool", "block 1: one", "block 2: two"]);
}

#[test]
fn a_picture_that_the_graph_normalises_itself_is_no_layer() {
    let text = "input x float 1 3 8 8
         output flat float 1 8
         shifted = Sub(x, #0.5)
         picture = Div(shifted, #0.25)
         a1 = Conv(picture, k1[8 3 3 3]) pads=1,1,1,1
         a2 = Conv(picture, k2[8 3 1 1])
         a = Add(a1, a2)
         one = Relu(a)
         b1 = Conv(one, k3[8 8 3 3]) pads=1,1,1,1
         b = Add(b1, one)
         two = Relu(b)
         mean = GlobalAveragePool(two)
         flat = Flatten(mean)";
    assert_eq!(layers(text, "x", "flat"), ["block 1: one", "block 2: two"]);
}

#[test]
fn a_lone_convolution_between_residual_blocks_is_no_layer() {
    let text = RESIDUAL.replace("pads=1,1,1,1\n    b2 = ", "\n    b2 = ");
    let text =
        text.replace("    b1 = Conv(one, ", "    down = Conv(one, d[8 8 2 2]) strides=2,2\n    b1 = Conv(down, ");
    let text = text.replace("Conv(one, k5", "Conv(down, k5");
    assert_eq!(layers(&text, "x", "flat"), ["stem: pool", "block 1: one", "block 2: two"]);
}

#[test]
fn inverted_residuals_end_at_their_bottlenecks_with_and_without_a_shortcut() {
    let text = "input x float 1 3 16 16
         output logits float 1 4
         c = Conv(x, stem[8 3 3 3]) strides=2,2
         r = Clip(c, #0.0, #6.0)
         a1 = Conv(r, k1[8 1 3 3]) group=8
         a2 = Clip(a1, #0.0, #6.0)
         a = Conv(a2, k2[4 8 1 1])
         one = BatchNormalization(a, s[4], t[4], m[4], v[4])
         b1 = Conv(one, k3[8 4 3 3])
         b2 = Relu(b1)
         two = Conv(b2, k4[4 8 1 1])
         c1 = Conv(two, k5[8 4 1 1])
         c2 = Relu(c1)
         c3 = Conv(c2, k6[8 1 3 3]) group=8 pads=1,1,1,1
         gap = GlobalAveragePool(c3)
         squeeze = Conv(gap, k7[8 8 1 1])
         gate = Sigmoid(squeeze)
         excited = Mul(c3, gate)
         c4 = Conv(excited, k8[4 8 1 1])
         three = Add(two, c4)
         d1 = Conv(three, k9[8 4 1 1])
         d2 = Relu(d1)
         d3 = Conv(d2, k10[8 1 3 3]) group=8 strides=2,2
         d4 = Relu(d3)
         four = Conv(d4, k11[6 8 1 1])
         h = Conv(four, k12[16 6 1 1])
         last = Relu(h)
         mean = GlobalAveragePool(last)
         flat = Flatten(mean)
         logits = Gemm(flat, head[16 4])";
    let expected = ["stem: r", "block 1: one", "block 2: two", "block 3: three", "block 4: four", "head: last"];
    assert_eq!(layers(text, "x", "flat"), expected);
}

#[test]
fn depthwise_separable_blocks_end_after_the_activation_of_the_pointwise_convolution() {
    let text = "input x float 1 3 16 16
         output flat float 1 8
         c = Conv(x, stem[8 3 3 3]) strides=2,2
         r = HardSwish(c)
         a1 = Conv(r, k1[8 1 3 3]) group=8
         a2 = HardSwish(a1)
         a3 = Conv(a2, k2[8 8 1 1])
         sigmoid = Sigmoid(a3)
         one = Mul(a3, sigmoid)
         b1 = Conv(one, k3[8 1 3 3]) group=8
         b2 = HardSwish(b1)
         b3 = Conv(b2, k4[8 8 1 1])
         two = HardSwish(b3)
         mean = GlobalAveragePool(two)
         wide = Conv(mean, k5[16 8 1 1])
         on = HardSwish(wide)
         flat = Flatten(on)";
    assert_eq!(layers(text, "x", "flat"), ["stem: r", "block 1: one", "block 2: two", "head: flat"]);
}

const PLAIN: &str = "input x float 1 3 16 16
    output logits float 1 4
    c1 = Conv(x, k1[8 3 3 3]) pads=1,1,1,1
    r1 = Relu(c1)
    c2 = Conv(r1, k2[8 8 3 3]) pads=1,1,1,1
    r2 = Relu(c2)
    p2 = MaxPool(r2) kernel_shape=2,2 strides=2,2
    c3 = Conv(p2, k3[8 8 3 3]) strides=2,2 pads=1,1,1,1
    r3 = Relu(c3)
    p3 = MaxPool(r3) kernel_shape=2,2 strides=2,2
    flat = Flatten(p3)
    hidden = Gemm(flat, h[32 10])
    on = Relu(hidden)
    logits = Gemm(on, head[10 4])";

#[test]
fn a_plain_chain_is_cut_before_each_operator_that_makes_the_map_smaller() {
    assert_eq!(layers(PLAIN, "x", "on"), ["block 1: r2", "block 2: r3", "head: on"]);
}

#[test]
fn a_graph_without_blocks_has_its_features_as_its_only_layer() {
    let text = "input ids int64 ? ?\n output y float ? 6\n e = Gather(table[20 6], ids)\n y = ReduceMean(e) axes=1";
    assert_eq!(layers(text, "ids", "y"), ["features: y"]);
    assert_eq!(layers(text, "nothing", "y"), ["features: y"]);
    assert_eq!(layers(text, "ids", "table"), ["features: table"]);
}

#[test]
fn a_graph_that_runs_in_a_circle_ends() {
    let text = "input x float 1 3\n output y float 1 3\n a = Add(x, b)\n b = MatMul(a, w[3 3])\n y = Add(b, x)";
    assert_eq!(layers(text, "x", "y"), ["features: y"]);
}

#[test]
fn the_order_of_the_nodes_in_the_file_does_not_matter() {
    let (declared, nodes): (Vec<&str>, Vec<&str>) =
        RESIDUAL.lines().partition(|line| line.contains("input x") || line.contains("output"));
    let backwards: Vec<&str> = declared.into_iter().chain(nodes.into_iter().rev()).collect();
    assert_eq!(layers(&backwards.join("\n"), "x", "flat"), layers(RESIDUAL, "x", "flat"));
}

#[test]
fn the_cost_up_to_a_layer_counts_only_what_the_layer_needs() {
    let graph = Graph::parse(&sketch::model(PLAIN)).unwrap();
    let shape_of = |name: &str| match name {
        "c1" | "c2" => Some(vec![1, 8, 16, 16]),
        "c3" => Some(vec![1, 8, 4, 4]),
        "hidden" => Some(vec![1, 10]),
        "logits" => Some(vec![1, 4]),
        _ => None,
    };
    let plan = CostPlan::of(&graph);
    let until = |value: &str| plan.multiply_adds_until(&graph, value, shape_of);
    let (first, second, third) = (8 * 256 * 27, 8 * 256 * 72, 8 * 16 * 72);
    assert_eq!(until("x"), 0);
    assert_eq!(until("nothing"), 0);
    assert_eq!(until("r1"), first);
    assert_eq!(until("r2"), first + second);
    assert_eq!(until("on"), first + second + third + 320);
    assert_eq!(until("logits"), plan.multiply_adds(shape_of));
    assert_eq!(plan.multiply_adds(shape_of), first + second + third + 320 + 40);
}
