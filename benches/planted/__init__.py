"""Defects planted into copies of real models, for `vet_planted.py`."""
