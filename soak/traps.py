"""ONNX files written byte by byte that are traps: the same as those of the Rust tests (tests/common/onnx.rs)."""

FLOAT, INT64, BOOL = 1, 7, 9
# Seven bits a byte; a field is its key, the kind of its value, and the value.
NUMBER, BYTES = 0, 2


def memory_eater(rows):
    """A network whose only fault is that its features are the largest of so many equal rows, all of which it makes."""
    axes = attribute("axes", number(8, 0), number(20, 7))
    kept = attribute("keepdims", number(3, 1), number(20, 2))
    shape = rows.to_bytes(8, "little") + (3).to_bytes(8, "little")
    return model([node("Expand", ["flat", "shape"], "rows"), node("ReduceMax", ["rows"], "features", axes, kept)],
                 [tensor("shape", [2], INT64, shape)])


def looping(turns):
    """A network with a loop of so many turns: each takes about a microsecond."""
    body = b"".join([
        field(1, node("Identity", ["go_on"], "goes_on")), field(1, node("Relu", ["state"], "next")), field(2, b"body"),
        field(11, value("turn", INT64, [])), field(11, value("go_on", BOOL, [])),
        field(11, value("state", FLOAT, [1, 3])), field(12, value("goes_on", BOOL, [])),
        field(12, value("next", FLOAT, [1, 3])),
    ])
    loop = node("Loop", ["turns", "go", "flat"], "features", attribute("body", field(6, body), number(20, 5)))
    return model([loop], [tensor("turns", [], INT64, turns.to_bytes(8, "little")), tensor("go", [], BOOL, b"\1")])


def stack_overflow(layers=30_000):
    """A network of so many layers that rten's stack overflows, which no handler catches."""
    names = ["flat", *(f"v{layer}" for layer in range(layers)), "features"]
    return model([node("Relu", [before], after) for before, after in zip(names, names[1:])], [])


def model(nodes, weights):
    """A network that begins with the mean of each channel."""
    nodes = [node("GlobalAveragePool", ["input"], "pooled"), node("Flatten", ["pooled"], "flat"), *nodes]
    parts = [*(field(1, one) for one in nodes), field(2, b"graph"), *(field(5, one) for one in weights),
             field(11, value("input", FLOAT, [1, 3, 32, 32])), field(12, value("features", FLOAT, [1, 3]))]
    return number(1, 8) + field(7, b"".join(parts)) + field(8, field(1, b"") + number(2, 13))


def node(operator, inputs, output, *attributes):
    parts = [*(field(1, name.encode()) for name in inputs), field(2, output.encode()), field(4, operator.encode())]
    return b"".join([*parts, *attributes])


def attribute(name, *parts):
    return field(5, field(1, name.encode()) + b"".join(parts))


def tensor(name, shape, kind, content):
    return b"".join([*(number(1, size) for size in shape), number(2, kind), field(8, name.encode()), field(9, content)])


def value(name, kind, shape):
    sizes = b"".join(field(1, number(1, size)) for size in shape)
    return field(1, name.encode()) + field(2, field(1, number(1, kind) + field(2, sizes)))


def number(key, value):
    return variable(key << 3 | NUMBER) + variable(value)


def field(key, content):
    return variable(key << 3 | BYTES) + variable(len(content)) + content


def variable(value):
    """The lowest bits first; all but the last byte have the highest bit set."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])
