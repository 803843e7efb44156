"""exo_assets/features"""
