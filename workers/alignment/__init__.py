"""Forced alignment: find when each word of a known text was spoken.

The method is that of whisperx (Bain et al. 2023, "WhisperX: Time-Accurate Speech Transcription of Long-Form Audio"). The
results are those of ``whisperx.alignment.align`` 3.8.6 on the same emissions, without its loops over single tensors and
without pandas. ``tests/workers/alignment/`` runs both side by side.
"""
