"""exo_assets/warehouse"""
