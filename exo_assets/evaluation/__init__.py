"""exo_assets/evaluation"""
