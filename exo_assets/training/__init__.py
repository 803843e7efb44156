"""exo_assets/training"""
