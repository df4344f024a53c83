"""edgevoice: live captions and spoken intents in a terminal, offline, from one's own Wav2Vec2-family models."""

__version__ = "0.1.0"
