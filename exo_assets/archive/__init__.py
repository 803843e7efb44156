"""Archive stage: what the NASA Exoplanet Archive publishes, verbatim and dated (`raw_nea__*`)."""
