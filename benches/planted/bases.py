"""The real models that the cases begin with."""

DOGS = "mobilenet_v2_dogs"
LITE = "efficientnet_lite0"
ORIENTATION = "pplcnet_orientation"
MINILM = "all-MiniLM-L6-v2"
WORDLLAMA = "wordllama-l2-supercat-256"

PICTURES, TEXTS = "pictures", "texts.csv"
