"""deployments/cli"""
