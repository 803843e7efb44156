"""exo_assets/lightcurves"""
