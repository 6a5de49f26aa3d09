"""chargerd: charges e-bikes, cars and house loads well, and can say why."""

__version__ = "0.1.0"
