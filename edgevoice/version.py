"""The version, in a module of its own: no part needs the whole package to know it."""

__version__ = "0.1.0"
