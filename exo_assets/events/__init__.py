"""Threshold-crossing events: the table, its labels, features, and the vetter head that tells planets from the rest."""
