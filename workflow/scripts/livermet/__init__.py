"""livermet: from single-cell counts of liver-metastatic mice to answers, mouse by mouse."""

__version__ = "0.1.0"
