"""OpenAI's audio API: transcriptions, translations and models, as its clients expect them.

Names and bodies are translated; the work is a native transcription task.
"""
