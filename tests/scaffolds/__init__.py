"""Tests of the search over machine numbers."""
