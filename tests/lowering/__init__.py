"""Tests of the compiler plugin."""
