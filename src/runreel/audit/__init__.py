"""Verification of the hash chain, checkpoints, signatures, backup."""
