"""From a located tree to a `Spec`: pydantic's errors in our words, near names, repairs."""
