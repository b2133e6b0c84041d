"""The contract of whisper-asr-webservice: /asr, and /detect-language with the field audio_file."""
