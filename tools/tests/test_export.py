"""The tool's promises: complete folders, the module's own numbers, the library's own preprocessing, no bad folder."""

import hashlib
import json
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import safetensors.torch
import timm
import torch
import torchvision
import transformers

import export
import models
from export import Refused

TIMM_CONVOLUTION, TIMM_TRANSFORMER = "mobilenetv3_small_050.lamb_in1k", "test_vit.r160_in1k"


def run_tool(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["export.py", *map(str, words)])
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    export.main()


def read(folder, name="config.json"):
    return json.loads((folder / name).read_text(encoding="utf-8"))


def answers(folder, inputs):
    session = onnxruntime.InferenceSession(folder / "onnx" / "model.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {name: value.numpy() for name, value in inputs.items()})))


def pictures(batch, edge):
    return torch.randn((batch, 3, edge, edge), generator=torch.Generator().manual_seed(42))


def assert_sums_hold(folder):
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    weights = (folder / "onnx" / "model.onnx").read_bytes()
    assert lines == [f"{hashlib.sha256(weights).hexdigest()}  onnx/model.onnx"]


@pytest.mark.parametrize(("words", "edge", "features"), [
    (("timm", TIMM_CONVOLUTION, "--random"), 224, lambda: models.timm_features(TIMM_CONVOLUTION)),
    (("timm", TIMM_TRANSFORMER, "--random"), 160, lambda: models.timm_features(TIMM_TRANSFORMER)),
    (("torchvision", "mobilenet_v3_small", "--weights", "none"), 224,
     lambda: models.torchvision_features("mobilenet_v3_small")),
    (("torchvision", "resnet18", "--weights", "none"), 224, lambda: models.torchvision_features("resnet18")),
])
def test_a_library_model_gives_a_complete_folder_with_its_own_features(tmp_path, monkeypatch, words, edge, features):
    folder = tmp_path / "zoo" / "model"
    run_tool(monkeypatch, *words, "-o", folder)

    files = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    assert files == {"config.json", "preprocessor_config.json", "onnx/model.onnx", "SHA256SUMS"}
    assert_sums_hold(folder)
    model, config = onnx.load(folder / "onnx" / "model.onnx"), read(folder)
    assert [entry.version for entry in model.opset_import] == [17]
    assert [dim.dim_param or dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim] == \
        ["batch", 3, edge, edge]
    for batch in (1, 2, 5):
        found = answers(folder, {"input": pictures(batch, edge)})
        with torch.no_grad():
            expected = features()(pictures(batch, edge)).numpy()
        assert found["features"].shape == (batch, config["num_features"])
        assert found["logits"].shape == (batch, config["num_labels"]) == (batch, 1000)
        np.testing.assert_allclose(found["features"], expected, atol=1e-4 * np.linalg.norm(expected, axis=1).mean())


def test_timm_and_torchvision_rules_state_edge_crop_filter_and_rounding(tmp_path, monkeypatch):
    run_tool(monkeypatch, "timm", TIMM_CONVOLUTION, "--random", "-o", tmp_path / "timm")
    run_tool(monkeypatch, "torchvision", "mobilenet_v3_small", "--weights", "none", "-o", tmp_path / "torchvision")
    shared = {"do_resize": True, "size": {"shortest_edge": 256}, "do_center_crop": True,
              "crop_size": {"height": 224, "width": 224}, "crop_rounding": "half_even", "do_rescale": True,
              "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.485, 0.456, 0.406],
              "image_std": [0.229, 0.224, 0.225], "channel_order": "RGB"}
    assert read(tmp_path / "timm", "preprocessor_config.json") == shared | {"resample": 3}
    assert read(tmp_path / "torchvision", "preprocessor_config.json") == shared | {"resample": 2}
    stated = read(tmp_path / "timm")
    assert stated["pretrained_cfg"]["crop_pct"] == 0.875
    assert stated["source"]["weights"] == "random"
    assert "id2label" not in stated and "license" not in stated


@pytest.mark.parametrize(("changed", "size"), [
    ({"crop_mode": "squash", "crop_pct": 1.0}, {"height": 224, "width": 224}),
    ({"crop_mode": "squash", "crop_pct": 0.9}, {"height": 248, "width": 248}),
    ({"crop_pct": 0.95}, {"shortest_edge": 235}),
])
def test_timm_crop_modes_repeat_timm_on_pictures(changed, size):
    data = {
        "input_size": (3, 224, 224), "interpolation": "bicubic", "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5),
        "crop_pct": 0.875, "crop_mode": "center"} | changed
    rules = export.timm_rules(data)
    assert rules["size"] == size
    export.check_preprocessing(rules, timm.data.create_transform(**data, is_training=False))


def test_letterboxing_is_refused_because_no_rule_says_it():
    data = {"input_size": (3, 224, 224), "crop_mode": "border", "interpolation": "bicubic", "crop_pct": 1.0}
    with pytest.raises(Refused, match="border"):
        export.timm_rules(data)


@pytest.mark.parametrize("fault", [{"crop_rounding": "down"}, {"resample": 3}, {"image_mean": [0.5, 0.456, 0.406]},
                                   {"size": {"shortest_edge": 255}}, {"size": {"height": 256, "width": 256}}])
def test_rules_that_differ_from_the_library_in_any_way_are_refused(fault):
    transform = torchvision.models.ResNet18_Weights.DEFAULT.transforms()
    rules = export.picture_rules({"shortest_edge": 256}, "bilinear", transform.mean, transform.std, (224, 224))
    export.check_preprocessing(rules, transform)
    with pytest.raises(Refused, match="cannot repeat"):
        export.check_preprocessing(rules | fault, transform)


def test_class_names_are_imagenets_only_where_the_weights_are_tagged_so():
    model = timm.create_model(TIMM_CONVOLUTION)
    names = export.timm_labels(timm.data, model, {"tag": "lamb_in1k"})
    assert len(names) == 1000 and names[0].startswith("tench")
    assert export.timm_labels(timm.data, model, {"tag": "plants"}) is None
    own = {"label_names": ["n1", "n2"], "label_descriptions": {"n1": "cat"}}
    assert export.timm_labels(timm.data, model, own) == ["cat", "n2"]


def test_a_checkpoint_brings_its_own_number_of_classes(tmp_path, monkeypatch):
    trained = timm.create_model(TIMM_TRANSFORMER, num_classes=7).eval()
    safetensors.torch.save_file(trained.state_dict(), tmp_path / "trained.safetensors")
    run_tool(monkeypatch, "timm", TIMM_TRANSFORMER, "--checkpoint", tmp_path / "trained.safetensors",
             "-o", tmp_path / "out")
    with torch.no_grad():
        expected = trained(pictures(2, 160)).numpy()
    np.testing.assert_allclose(answers(tmp_path / "out", {"input": pictures(2, 160)})["logits"], expected, atol=1e-4)
    assert read(tmp_path / "out")["num_labels"] == 7
    assert read(tmp_path / "out")["source"]["weights"] == "checkpoint trained.safetensors"


def test_a_pickled_checkpoint_is_refused_unread(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"not even a pickle")
    with pytest.raises(Refused, match="pickles are never loaded"):
        export.export_timm(TIMM_TRANSFORMER, checkpoint=tmp_path / "weights.pth")


def test_a_transformers_classifier_keeps_names_licence_and_what_its_head_reads(tmp_path, monkeypatch):
    model = models.vision_classifier()
    source = models.save_pictures(model, tmp_path / "source")
    run_tool(monkeypatch, "transformers", source, "-o", tmp_path / "out")
    for batch in (1, 4):
        found = answers(tmp_path / "out", {"pixel_values": pictures(batch, 32)})
        with torch.no_grad():
            expected = model.vit(pictures(batch, 32)).last_hidden_state[:, 0].numpy()
            logits = model(pictures(batch, 32)).logits.numpy()
        np.testing.assert_allclose(found["features"], expected, atol=1e-4)
        np.testing.assert_allclose(found["logits"], logits, atol=1e-4)
    stated, rules = read(tmp_path / "out"), read(tmp_path / "out", "preprocessor_config.json")
    assert stated["id2label"] == {"0": "cat", "1": "dog", "2": "owl"}
    assert (stated["license"], stated["num_features"], stated["num_labels"]) == ("apache-2.0", 32, 3)
    assert (rules["size"], rules["resample"], rules["channel_order"]) == (models.SQUARE, 2, "RGB")
    assert "crop_rounding" not in rules


def test_without_a_head_a_stored_pooler_is_used_and_a_missing_one_is_not_invented(tmp_path):
    for pooler in (True, False):
        model = models.vision_transformer(pooler)
        made = export.export_transformers(models.save_pictures(model, tmp_path / f"pooler_{pooler}"))
        with torch.no_grad():
            answer = model(pictures(2, 32))
            found = made.answer(pictures(2, 32))[0]
        assert made.outputs == ["features"]
        torch.testing.assert_close(found, answer.pooler_output if pooler else answer.last_hidden_state[:, 0])


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path):
    source = models.save_pictures(models.vision_classifier(), tmp_path / "source")
    weights = safetensors.torch.load_file(source / "model.safetensors")
    del weights["classifier.weight"]
    safetensors.torch.save_file(weights, source / "model.safetensors", {"format": "pt"})
    with pytest.raises(Refused, match="lacks 1 weights .first: classifier.weight.*random"):
        export.export_transformers(source)


@pytest.mark.parametrize("edge", [64, 384])
def test_the_crop_that_convnext_implies_is_spelt_out(edge):
    processor = transformers.ConvNextImageProcessorPil(size={"shortest_edge": edge}, crop_pct=0.875)
    rules = export.transformers_rules(json.loads(processor.to_json_string()))
    export.check_preprocessing(rules, lambda picture: processor(picture, return_tensors="np")["pixel_values"][0])
    assert export.prepared_size(rules) == (edge, edge)
    assert rules["size"] == ({"shortest_edge": 73} if edge == 64 else {"height": 384, "width": 384})


def test_a_text_encoder_gives_hidden_states_that_honour_the_mask(tmp_path, monkeypatch):
    model = models.bert()
    source = models.save_text(model, tmp_path / "source")
    run_tool(monkeypatch, "transformers", source, "-o", tmp_path / "out")
    folder = tmp_path / "out"
    ids = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8], [9, 9, 9, 9]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]])
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
    found = answers(folder, inputs)["last_hidden_state"]
    alone = answers(folder, {name: value[1:2, :2] for name, value in inputs.items()})["last_hidden_state"]
    with torch.no_grad():
        expected = model(**inputs).last_hidden_state.numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(alone[0], found[1, :2], atol=1e-4)
    assert (folder / "tokenizer.json").read_bytes() == (source / "tokenizer.json").read_bytes()
    assert not (folder / "1_Pooling").exists()
    assert_sums_hold(folder)


def test_pooling_is_stated_only_where_the_source_states_it(tmp_path):
    source = models.save_text(models.bert(), tmp_path / "source")
    (source / "1_Pooling").mkdir()
    (source / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}', encoding="utf-8")
    export.write(export.export_transformers(source), tmp_path / "out")
    assert read(tmp_path / "out", "1_Pooling/config.json") == {"pooling_mode_mean_tokens": True}


@pytest.mark.parametrize("layer", [None, "maps"])
def test_an_own_module_gives_the_input_of_its_head_or_a_named_layers_output(tmp_path, layer):
    net = models.OwnNet().eval()
    export.export_module(net, pictures(1, 32), tmp_path / "mine", preprocessing=models.PLAIN, features=layer,
                         labels=["a", "b", "c", "d", "e"])
    found = answers(tmp_path / "mine", {"input": pictures(4, 32)})
    with torch.no_grad():
        np.testing.assert_allclose(found["features"], net.features(pictures(4, 32)).numpy(), atol=1e-5)
        np.testing.assert_allclose(found["logits"], net(pictures(4, 32)).numpy(), atol=1e-5)
    stated = read(tmp_path / "mine")
    assert (stated["architecture"], stated["num_features"], stated["id2label"]["4"]) == ("OwnNet", 8, "e")


def test_a_module_that_is_no_classifier_gives_the_named_layers_output_alone(tmp_path):
    maps = models.OwnNet().maps.eval()
    export.export_module(maps, pictures(1, 32), tmp_path / "maps", preprocessing=models.PLAIN, features="0")
    with torch.no_grad():
        expected = maps[0](pictures(2, 32)).mean((2, 3)).numpy()
    found = answers(tmp_path / "maps", {"input": pictures(2, 32)})
    assert list(found) == ["features"]
    np.testing.assert_allclose(found["features"], expected, atol=1e-5)


@pytest.mark.parametrize(("net", "arguments", "message"), [
    (models.OwnNet(torch.nn.Dropout()).train(), {}, "training mode"),
    (models.OwnNet(models.AlwaysDropout()).eval(), {}, "two runs"),
    (models.OwnNet(models.Constant(float("nan"))).eval(), {}, "NaN"),
    (models.OwnNet(models.Constant(1.0)).eval(), {}, "do not depend on the input"),
    (models.OwnNet(torch.nn.BatchNorm2d(8, track_running_stats=False)).eval(), {}, "neighbours"),
    (models.OwnNet().maps.eval(), {}, "no Linear head"),
    (models.OwnNet().eval(), {"features": "nothing"}, "nothing"),
    (models.OwnNet().eval(), {"labels": ["one"]}, "1 class names for 5"),
    (models.OwnNet().eval(), {"preprocessing": {"size": models.SQUARE}}, "cannot be carried out.*\n.*resample"),
    (models.OwnNet().eval(), {"preprocessing": models.PLAIN | {"size": 32}}, "preprocessing cannot"),
    (models.OwnNet().eval(), {"preprocessing": models.PLAIN | {"size": {"shortest_edge": 32}}}, "32, 42"),
    (models.OwnNet().eval(), {"preprocessing": models.PLAIN | {"size": {"height": 40, "width": 32}}}, "40, 32"),
])
def test_what_must_not_be_exported_is_refused_and_leaves_nothing(tmp_path, net, arguments, message):
    with pytest.raises(Refused, match=message):
        export.export_module(net, pictures(1, 32), tmp_path / "mine", **{"preprocessing": models.PLAIN} | arguments)
    assert list(tmp_path.iterdir()) == []


def test_an_onnx_file_that_differs_from_the_module_never_becomes_a_folder(tmp_path, monkeypatch):
    convert = export.convert

    def convert_wrongly(made, path):
        made.model.head.weight.data *= 1.01
        convert(made, path)
        made.model.head.weight.data /= 1.01

    monkeypatch.setattr(export, "convert", convert_wrongly)
    with pytest.raises(Refused, match="differs from the original at batch 1"):
        export.export_module(models.OwnNet().eval(), pictures(1, 32), tmp_path / "mine", preprocessing=models.PLAIN)
    assert list(tmp_path.iterdir()) == []


def test_a_number_that_is_none_is_no_agreement():
    fine, broken = np.ones((1, 2)), np.array([[1.0, np.nan]])
    assert export.distance([fine, fine], [fine, fine]) == 0
    assert not export.distance([fine, fine], [fine, broken]) <= export.TOLERANCE


def test_an_existing_folder_is_replaced_only_by_force_and_only_if_it_is_a_model(tmp_path):
    net, mine, other = models.OwnNet().eval(), tmp_path / "mine", tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work", encoding="utf-8")

    def make(folder, **arguments):
        export.export_module(net, pictures(1, 32), folder, preprocessing=models.PLAIN, **arguments)

    make(mine)
    (mine / "stale").touch()
    with pytest.raises(Refused, match="--force"):
        make(mine)
    make(mine, force=True)
    assert not (mine / "stale").exists() and (mine / "onnx" / "model.onnx").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "other"}
    with pytest.raises(Refused, match="not a model folder"):
        make(other, force=True)
    assert (other / "thesis.txt").exists()


def test_a_missing_package_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(SystemExit, match="pip install timm"):
        run_tool(monkeypatch, "timm", TIMM_TRANSFORMER, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()
