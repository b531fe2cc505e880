"""Functions that an emitted file holds a copy of, word for word, where its model needs them.

They import nothing of this package but what is copied with them, so that what is type-checked and tested here is what
stands in the file.
"""
