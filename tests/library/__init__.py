"""Tests of the library: certificates, choice, tiers, and the forms that made it."""
