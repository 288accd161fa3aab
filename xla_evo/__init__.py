"""Evolves transcendental functions for XLA and puts them under jax.numpy."""
