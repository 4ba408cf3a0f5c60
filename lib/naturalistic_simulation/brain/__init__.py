"""Simulated brains: heads, cortex, scanner and files of scans."""
