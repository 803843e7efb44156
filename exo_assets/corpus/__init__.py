"""exo_assets/corpus"""
