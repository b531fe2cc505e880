"""Commands whose output lands in results/. Not part of the installed packages; run from the checkout's root."""
