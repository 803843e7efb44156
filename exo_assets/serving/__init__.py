"""exo_assets/serving"""
