"""deployments/serve"""
