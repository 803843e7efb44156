"""exo_assets/catalogs"""
