"""Questions about stars, planets and signals, answered from the release's tables."""
