"""Configuration: text from outside becomes checked data here, with pydantic, and only here."""
