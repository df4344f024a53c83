"""The screen: live captions and intents in a terminal."""
