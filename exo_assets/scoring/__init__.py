"""exo_assets/scoring"""
