//! The activation between the two products of a feed-forward block.

/// An activation, elementwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x Φ(x), with the error function (Hendrycks and Gimpel, arXiv:1606.08415).
    Gelu,
    /// The same paper's approximation of it by a hyperbolic tangent.
    GeluTanh,
    /// max(x, 0).
    Relu,
    /// x / (1 + exp(-x)).
    Silu,
}

impl Activation {
    /// From the name in a `config.json`, if it is one of these.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "gelu" | "gelu_python" => Some(Self::Gelu),
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => Some(Self::GeluTanh),
            "relu" => Some(Self::Relu),
            "silu" | "swish" => Some(Self::Silu),
            _ => None,
        }
    }
}
