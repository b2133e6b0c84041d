"""The contract of AssemblyAI v2: upload, transcribe, poll."""
