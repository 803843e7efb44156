"""Side-by-side measurements. Nothing here is a test; nothing here decides anything."""
