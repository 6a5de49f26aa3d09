"""Words: the facts, wishes and beliefs that every other part of chargerd speaks of. Pure values, no behaviour of the world."""
