"""A model held against rows it has not seen: draws from p beside them, and whether its intervals hold what they say."""
