"""Measurements on a machine with a GPU that has torch, transformers and torchaudio, but not our other packages.

``bench/gpu/run.sh`` runs them; they need no network. They also run on a CPU, to see that they work.
"""
