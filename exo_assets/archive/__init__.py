"""exo_assets/archive"""
